package io.gatun.tools.matrix;

import java.lang.foreign.MemorySegment;

/**
 * One product of a {@link ProjectionGroup}: {@code out = [out +] weight * x [+ bias]}.
 *
 * @param bias f32 {@code [rows]}, or null
 * @param out f32 {@code [tokens][rows]}
 * @param adds whether the product is added to what {@code out} holds, as a residual connection does
 */
public record Projection(Matrix weight, MemorySegment bias, MemorySegment out, boolean adds) {
  /** A product without bias that replaces what {@code out} holds. */
  public static Projection of(Matrix weight, MemorySegment out) {
    return new Projection(weight, null, out, false);
  }

  /** Finishes an element from its dot product. */
  float finish(float dot, int token, long row) {
    float value = dot;
    if (bias != null) {
      value += bias.get(MatrixProduct.FLOAT, 4 * row);
    }
    return adds ? out.get(MatrixProduct.FLOAT, at(token, row)) + value : value;
  }

  /**
   * Finishes elements of one token from their dot products, and writes them.
   *
   * @param dots of the rows from {@code from} on, so many of them; overwritten
   */
  void finish(float[] dots, int rows, int token, long from) {
    if (bias != null || adds) {
      for (int row = 0; row < rows; row++) {
        dots[row] = finish(dots[row], token, from + row);
      }
    }
    MemorySegment.copy(dots, 0, out, MatrixProduct.FLOAT, at(token, from), rows);
  }

  /** Offset of an element in {@code out}. */
  long at(int token, long row) {
    return 4 * (token * weight.rows() + row);
  }
}
