package io.gatun.store;

import io.gatun.cache.GatunException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;

/**
 * Reads the fields of a record from the bytes of a journal, never beyond the record. One thread.
 *
 * <p>Design note: Chronicle Bytes reads the same numbers, through many calls each. A conversation is
 * opened by a process that has just started, where calls are interpreted: 512 records took longer
 * through the library than everything else that opening does.
 */
final class PayloadReader {
  /** A stop-bit number that is no long yet has fewer bits before its last byte. */
  private static final int MOST_SHIFT = 63;

  private byte[] bytes;
  private int at;
  private int end;

  /** Goes on with {@code [from, from + length)} of an array. */
  void take(byte[] newBytes, int from, int length) {
    bytes = newBytes;
    at = from;
    end = from + length;
  }

  /** Bytes that are left. */
  int remaining() {
    return end - at;
  }

  private int advance(int count) {
    if (remaining() < count) {
      throw new GatunException("the record ends in the middle of a number");
    }
    int before = at;
    at += count;
    return before;
  }

  int readByte() {
    return bytes[advance(1)] & 0xff;
  }

  int readInt() {
    int i = advance(Integer.BYTES);
    return (bytes[i] & 0xff)
        | (bytes[i + 1] & 0xff) << 8
        | (bytes[i + 2] & 0xff) << 16
        | (bytes[i + 3] & 0xff) << 24;
  }

  long readLong() {
    long low = readInt() & 0xffff_ffffL;
    return low | (long) readInt() << 32;
  }

  /** Reads a number of seven bits a byte, lowest first, the high bit set on all but the last. */
  long readStopBit() {
    byte next = bytes[advance(1)];
    if (next >= 0) {
      return next;
    }
    long value = next & 0x7f;
    int shift = 7;
    do {
      if (shift == MOST_SHIFT) {
        throw new GatunException("a number does not end");
      }
      next = bytes[advance(1)];
      value |= (long) (next & 0x7f) << shift;
      shift += 7;
    } while (next < 0);
    return value;
  }

  /** Reads a number that has to be in {@code [0, most]}. */
  int readCount(String what, long most) {
    long value = readStopBit();
    if (value < 0 || value > most) {
      throw new GatunException("%s is %d, not in 0 to %d".formatted(what, value, most));
    }
    return (int) value;
  }

  /** Reads ids of 4 bytes into the front of an array; they have to fill the record. */
  void readInts(int[] to, int count) {
    if (remaining() != Integer.BYTES * count) {
      throw new GatunException("%d bytes for %d token ids".formatted(remaining(), count));
    }
    ByteBuffer.wrap(bytes, at, remaining())
        .order(ByteOrder.LITTLE_ENDIAN)
        .asIntBuffer()
        .get(to, 0, count);
    at = end;
  }

  /** Passes over ids of 4 bytes; they have to fill the record. */
  void skipInts(int count) {
    if (remaining() != Integer.BYTES * count) {
      throw new GatunException("%d bytes for %d token ids".formatted(remaining(), count));
    }
    at = end;
  }

  /** The bytes that are left, copied. */
  byte[] readRest() {
    byte[] rest = new byte[remaining()];
    System.arraycopy(bytes, at, rest, 0, rest.length);
    at = end;
    return rest;
  }
}
