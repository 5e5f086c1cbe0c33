package io.gatun.attention;

import io.gatun.cache.KvType;

/**
 * The order in which a vector kernel meets the values of a row.
 *
 * <p>F32 rows are met in their own order. Two 16-bit values come out of one 32-bit lane, so in each
 * chunk of two vectors the even values come first and the odd ones behind them; a single vector
 * that is left over, and values that fill no vector, keep their order.
 */
final class VectorRows {
  private VectorRows() {}

  /** Values that fill whole pairs of vectors. */
  static int inPairs(int dim) {
    return dim - dim % (2 * Lanes.COUNT);
  }

  /** Values that fill whole vectors. */
  static int inVectors(int dim) {
    return dim - dim % Lanes.COUNT;
  }

  /** Floats of a row in a scratch array, whole vectors. */
  static int stride(int dim) {
    return Math.ceilDiv(dim, Lanes.COUNT) * Lanes.COUNT;
  }

  /** {@code order[i]} is the index in the row of the value met as {@code i}-th. */
  static int[] order(KvType type, int dim) {
    int[] order = new int[dim];
    for (int i = 0; i < dim; i++) {
      order[i] = i;
    }
    if (type != KvType.F32) {
      for (int i = 0; i < inPairs(dim); i += 2 * Lanes.COUNT) {
        for (int lane = 0; lane < Lanes.COUNT; lane++) {
          order[i + lane] = i + 2 * lane;
          order[i + Lanes.COUNT + lane] = i + 2 * lane + 1;
        }
      }
    }
    return order;
  }

  // How 16-bit values come out of a vector of ints: the even ones of each lane are shifted up by
  // evenShift, then both down by downShift and masked. F32 values need none of it, and C2 drops
  // shifts by 0 and masks of ones.

  static int evenShift(KvType type) {
    return type == KvType.F32 ? 0 : 16;
  }

  /**
   * Of F16: brings exponent and mantissa to where a binary32 has them, the sign staying in place.
   * The result is the value times 2^-112, exactly, for subnormal ones too.
   */
  static int downShift(KvType type) {
    return type == KvType.F16 ? 3 : 0;
  }

  static int oddMask(KvType type) {
    return switch (type) {
      case F32 -> -1;
      case F16 -> 0x8fff_e000;
      case BF16 -> 0xffff_0000;
      case Q8, Q4, Q8_PLAIN, Q4_PLAIN ->
          throw new IllegalArgumentException(type.label() + " rows are not floats");
    };
  }

  /** Bytes from the load for the first vector of a pair to that for the second. */
  static int oddBytes(KvType type) {
    return type == KvType.F32 ? Lanes.BYTES : 0;
  }

  /** Bytes of two vectors of stored values. */
  static int pairBytes(KvType type) {
    return type == KvType.F32 ? 2 * Lanes.BYTES : Lanes.BYTES;
  }

  /**
   * The same for even values. Those of BF16 need none, since the shift left no neighbour's bits; C2
   * does not know that, and where integer operations compete with multiply-adds for their ports it
   * counts.
   */
  static int evenMask(KvType type) {
    return type == KvType.BF16 ? -1 : oddMask(type);
  }

  /** With {@link #scoreScale} it undoes the 2^-112; both parts stay far from overflow. */
  static float queryScale(KvType type) {
    return type == KvType.F16 ? 0x1p96f : 1;
  }

  static float scoreScale(KvType type) {
    return type == KvType.F16 ? 0x1p16f : 1;
  }

  /** Undoes the 2^-112 in sums of values. */
  static float weightScale(KvType type) {
    return type == KvType.F16 ? 0x1p112f : 1;
  }
}
