package io.gatun.store;

import io.gatun.cache.GatunException;

/**
 * Stop-bit numbers in bulk: the same bytes as Chronicle's {@code writeStopBit}, seven bits a byte,
 * lowest first, the high bit set on all but the last.
 *
 * <p>Design note: the token ids of journals of version 1 are stored so. Number by number through
 * the library, interpreted, they take several times as long; one plain loop over an array is
 * compiled while it runs.
 */
final class StopBits {
  private StopBits() {}

  /** Encodes {@code ids[at .. at + count)}, none negative; returns the bytes written. */
  static int encode(int[] ids, int at, int count, byte[] to) {
    int end = 0;
    for (int i = at; i < at + count; i++) {
      int left = ids[i];
      while (left > 0x7f) {
        to[end++] = (byte) (left | 0x80);
        left >>>= 7;
      }
      to[end++] = (byte) left;
    }
    return end;
  }

  /**
   * Decodes {@code count} numbers, which must fill the bytes.
   *
   * @throws GatunException if they do not, or one passes 2^31 - 1
   */
  static int[] decode(byte[] from, int count) {
    int[] ids = new int[count];
    int at = 0;
    for (int i = 0; i < count; i++) {
      long value = 0;
      int shift = 0;
      byte next;
      do {
        if (at == from.length || shift > 28) {
          throw new GatunException("token id %d of %d does not end".formatted(i, count));
        }
        next = from[at++];
        value |= (long) (next & 0x7f) << shift;
        shift += 7;
      } while (next < 0);
      if (value > Integer.MAX_VALUE) {
        throw new GatunException("token id %d is %d".formatted(i, value));
      }
      ids[i] = (int) value;
    }
    if (at != from.length) {
      throw new GatunException("%d bytes follow %d token ids".formatted(from.length - at, count));
    }
    return ids;
  }
}
