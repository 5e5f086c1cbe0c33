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
}
