package io.gatun.attention;

import io.gatun.attention.code.Floats;
import java.lang.foreign.MemorySegment;

/**
 * Scores of {@link Kernels#ROWS} query rows against key rows of one element type, read where they
 * lie. Immutable; any thread.
 */
interface KeyKernel {
  /** Floats of a prepared query row. */
  int stride();

  /**
   * Brings a query row into the order and scale that {@link #scores} wants, rotated if the keys are.
   *
   * @param from f32 {@code [keyDim]} from byte {@code offset} on
   * @param to {@code [stride]} from index {@code at} on
   */
  void prepare(MemorySegment from, long offset, float[] to, int at);

  /**
   * Dot products, each summed in the same order whatever stands beside it.
   *
   * @param keys rows {@code [tokens][keyDim]} from byte {@code offset} on
   * @param scaleOffset where in {@code keys} the scales of the first row lie; float types have none
   * @param q prepared rows {@code [ROWS][stride]} from index {@code qAt} on
   * @param rows how many of the rows count, 1 to {@link Kernels#ROWS}; the scores of the others are
   *     finite and mean nothing
   * @param scores {@code [ceil(tokens / T)][ROWS][T]} from index {@code at} on, where {@code T} is
   *     {@link Kernels#tokensPerVector}; what stands behind the last token is unspecified
   * @param ahead to be called for as many tokens, after every few: it fetches what comes next
   */
  void scores(
      MemorySegment keys,
      long offset,
      long scaleOffset,
      int tokens,
      Floats q,
      int qAt,
      int rows,
      Floats scores,
      int at,
      RowsAhead ahead);
}
