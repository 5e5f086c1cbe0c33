package io.gatun.attention;

import io.gatun.cache.Hadamard;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.Arrays;

/**
 * Scores against quantised keys on the Vector API: what does not depend on the vector width.
 *
 * <p>A vector of codes becomes floats, is multiplied with the scale of its group, once for all query
 * rows, and then goes through the dot products as stored floats do in {@link VectorKeys}: each has
 * one accumulator, and as many run side by side as a vector has lanes. Rotated keys meet a rotated
 * query, which gives the same dot products.
 */
abstract class QuantKeys implements KeyKernel {
  private static final ValueLayout.OfFloat FLOAT = ValueLayout.JAVA_FLOAT_UNALIGNED;

  private final int dim;
  private final int rotation;
  private final int stride;
  private final int[] swaps;

  QuantKeys(RowFormat format) {
    this.dim = format.dim();
    this.rotation = format.rotation();
    this.stride = QuantRows.stride(format);
    this.swaps = QuantRows.swaps(QuantRows.order(format));
  }

  @Override
  public final int stride() {
    return stride;
  }

  @Override
  public final void prepare(MemorySegment from, long offset, float[] to, int at) {
    MemorySegment.copy(from, FLOAT, offset, to, at, dim);
    Arrays.fill(to, at + dim, at + stride, 0f);
    Hadamard.rotate(to, at, dim, rotation);
    QuantRows.toOrder(swaps, to, at);
  }
}
