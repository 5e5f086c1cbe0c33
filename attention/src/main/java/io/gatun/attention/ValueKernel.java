package io.gatun.attention;

import io.gatun.attention.code.Floats;
import java.lang.foreign.MemorySegment;

/**
 * Weighted sums of value rows of one element type, read where they lie. Immutable; any thread.
 */
interface ValueKernel {
  /** Floats of an accumulator row. */
  int stride();

  /** What the weights are multiplied with before they come here. */
  float weightScale();

  /**
   * Planes of weights, one behind the other, that share an array: the first is filled for {@link
   * #accumulate}, the others are its own. All are as long as a tile has weights.
   */
  default int weightPlanes() {
    return 1;
  }

  /**
   * Adds weighted value rows, one after the other, to each row that accumulates.
   *
   * @param values rows {@code [tokens][valueDim]} from byte {@code offset} on
   * @param scaleOffset where in {@code values} the scales of the first row lie; float types have
   *     none
   * @param weights {@code [ceil(tokens / T)][ROWS][T]} from index {@code weightsAt} on, where
   *     {@code T} is {@link Kernels#tokensPerVector}; the array has {@link #weightPlanes} planes
   * @param sums {@code [ROWS][stride]} from index {@code at} on
   * @param rows how many of the rows count, 1 to {@link Kernels#ROWS}; the others may be left out
   * @param ahead to be called for as many tokens, after every few: it fetches what comes next
   */
  void accumulate(
      MemorySegment values,
      long offset,
      long scaleOffset,
      int tokens,
      Floats weights,
      int weightsAt,
      Floats sums,
      int at,
      int rows,
      RowsAhead ahead);

  /**
   * Writes an accumulated row in its natural order, divided by {@code divisor}, and turned back if
   * its type rotates.
   *
   * @param sums {@code [stride]} from index {@code at} on; what they hold afterwards is unspecified
   * @param to f32 {@code [valueDim]} from byte {@code offset} on
   */
  void finish(float[] sums, int at, float divisor, MemorySegment to, long offset);
}
