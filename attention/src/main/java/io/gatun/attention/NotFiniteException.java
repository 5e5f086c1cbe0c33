package io.gatun.attention;

import io.gatun.cache.GatunException;

/** A query or a row of the cache is not finite, so neither is the attention of a head. */
public final class NotFiniteException extends GatunException {
  private static final long serialVersionUID = 1L;

  private final int layer;
  private final int head;

  /** The failure of a head; {@code found} says what is not finite, and where. */
  public NotFiniteException(int layer, int head, String found) {
    super("layer %d, head %d: %s".formatted(layer, head, found));
    this.layer = layer;
    this.head = head;
  }

  /** The layer, from 0. */
  public int layer() {
    return layer;
  }

  /** The query head, from 0. */
  public int head() {
    return head;
  }
}
