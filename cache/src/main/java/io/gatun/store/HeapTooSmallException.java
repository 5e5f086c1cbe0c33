package io.gatun.store;

import io.gatun.cache.GatunException;

/**
 * What a file says needs more heap than there is. Nothing is known of the file then: neither that it
 * is damaged nor that it is sound.
 */
final class HeapTooSmallException extends GatunException {
  private static final long serialVersionUID = 1L;

  private HeapTooSmallException(String message) {
    super(message);
  }

  /** Refuses to read what would take more than half of the heap. */
  static void check(String what, long bytes) {
    long heap = Runtime.getRuntime().maxMemory();
    if (bytes > heap / 2) {
      throw new HeapTooSmallException(
          "%s would take about %,d bytes of a heap of %,d: use a larger -Xmx, or delete the conversation"
              .formatted(what, bytes, heap));
    }
  }
}
