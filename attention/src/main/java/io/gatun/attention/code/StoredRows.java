package io.gatun.attention.code;

import io.gatun.attention.code.Assembler.Address;
import io.gatun.cache.KvType;

/**
 * How rows of weights lie in memory, and what brings 16 weights of one into a register.
 *
 * @param type F32, F16, BF16; or Q8, which here stands for 8-bit integers with a float for each 64
 *     columns, the first of which begin at the row's beginning
 * @param cols columns that are worked on, a multiple of 16
 * @param rowBytes from one row to the next
 * @param scales bytes from the beginning of a row to its scales, where it has some
 */
public record StoredRows(KvType type, int cols, int rowBytes, int scales) {
  /** Longest rows: distances within 16 rows are numbers of 32 bits. */
  private static final int MOST_ROW_BYTES = 1 << 26;

  /** Columns that have a scale in common; code takes as many in a turn of its loop. */
  static final int TURN = KvType.GROUP;

  /** Vectors of a turn. */
  static final int TURN_VECTORS = TURN / Decoder.LANES;

  /** Checks what the code relies on. */
  public StoredRows {
    switch (type) {
      case F32, F16, BF16, Q8 -> {}
      default -> throw new IllegalArgumentException("no weights of type " + type);
    }
    if (cols < Decoder.LANES || cols % Decoder.LANES != 0 || rowBytes > MOST_ROW_BYTES) {
      throw new IllegalArgumentException(
          "%d columns in rows of %d bytes".formatted(cols, rowBytes));
    }
  }

  /** Bytes of so many columns, without scales. */
  int bytesOf(int columns) {
    return columns * type.bits() / Byte.SIZE;
  }

  /** Whether weights have scales. */
  boolean scaled() {
    return type == KvType.Q8;
  }

  /**
   * Writes what brings 16 weights into a register, as floats, in the order of columns. One with a
   * scale is multiplied with it.
   *
   * @param scale of these weights, where there is one
   */
  void decode(Assembler a, int to, Address weights, Address scale) {
    switch (type) {
      case F32 -> a.vload(to, weights);
      case F16 -> a.vhalvesToFloats(to, weights);
      case BF16 -> {
        a.vunsignedShortsToInts(to, weights);
        a.vshiftLeft(to, to, 16);
      }
      default -> {
        a.vbytesToInts(to, weights);
        a.vintsToFloats(to, to);
        a.vmulBroadcast(to, to, scale);
      }
    }
  }
}
