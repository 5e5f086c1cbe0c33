package io.gatun.store;

import io.gatun.cache.GatunException;

/** An eviction cannot bring the store to the size that was wanted; nothing was removed. */
public final class EvictionShortfallException extends GatunException {
  private static final long serialVersionUID = 1L;

  private final long reachableBytes;

  /** A shortfall: the store could be brought to {@code reachableBytes}, and not lower. */
  EvictionShortfallException(String message, long reachableBytes) {
    super(message);
    this.reachableBytes = reachableBytes;
  }

  /** Bytes that the store would take after everything that may go had gone. */
  public long reachableBytes() {
    return reachableBytes;
  }
}
