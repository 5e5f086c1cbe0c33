package io.gatun.attention;

import io.gatun.attention.code.Call;
import io.gatun.attention.code.Floats;
import java.lang.foreign.MemorySegment;

/**
 * The online softmax of {@link Kernels#ROWS} rows at once, over scores in the order that {@link
 * KeyKernel} leaves them in. Immutable; any thread.
 */
interface SoftmaxKernel {
  /**
   * Turns raw scores that overflowed into NaN, which is lost nowhere on the way to the result. What
   * overflowed first decided the sign: the score itself may be anywhere.
   *
   * @param scores {@code [vectors][ROWS][T]} from index {@code at} on, none hidden yet
   */
  void markOverflow(float[] scores, int at, int vectors);

  /**
   * Turns raw scores into {@code cap * tanh(raw * scale / cap)}.
   *
   * @param scores {@code [vectors][ROWS][T]} from index {@code at} on
   */
  void cap(float[] scores, int at, int vectors, float scale, float cap);

  /**
   * Takes one tile in: turns its scores, masked ones at minus infinity, into weights {@code
   * 2^(score * factor - maximum)}, brings maximum and sum up to date, and scales what the rows have
   * accumulated to the new maximum. A row whose scores are all masked stays as it is, bit for bit.
   *
   * @param call the worker's, for kernels in machine code
   * @param scores {@code [vectors][ROWS][T]} from index {@code at} on
   * @param factor of the scores, {@code log2(e)} in it
   * @param weightScale factor of the weights that are stored, not of the sum
   * @param state the rows' maximum, behind it their partial sums, and room for one more vector: {@code
   *     [3][ROWS][T]} from index {@code stateAt} on
   * @param sums {@code [ROWS][stride]} from index {@code sumsAt} on
   */
  void step(
      Call call,
      Floats scores,
      int at,
      int vectors,
      float factor,
      float weightScale,
      Floats state,
      int stateAt,
      Floats sums,
      int sumsAt,
      int stride);

  /**
   * Adds the sums of a tile to those of a split: {@code to[at + i] += from[i]}.
   *
   * @param call the worker's, for kernels in machine code
   * @param count a multiple of the vector length
   */
  void add(Call call, Floats from, Floats to, int at, int count);

  /**
   * Merges two weighted sums: {@code to[toAt + i] = to[toAt + i] * factor + from[fromAt + i] *
   * fromFactor}, the last product rounded, the rest fused.
   *
   * @param count a multiple of the vector length
   */
  void merge(
      float[] to, int toAt, float factor, float[] from, int fromAt, float fromFactor, int count);

  /**
   * Merges some rows of parts, one part after the other, into what the rows have so far, as {@link
   * RowBlock} does row by row; where the kernel has no way of its own for it, nothing is done.
   *
   * @param call the worker's
   * @param store rows {@code [rows][stride + 2]}, each with its maximum and total behind its sums, from
   *     byte {@code offset} on; the next part's lie {@code partBytes} further
   * @param parts how many, at least 1
   * @param maxima of the rows, from index {@code first} on
   * @param totals as the maxima
   * @param sums {@code [..][stride]}, of the rows {@code first} and on
   * @return whether it was done
   */
  default boolean mergeParts(
      Call call,
      MemorySegment store,
      long offset,
      long partBytes,
      int parts,
      int rows,
      Floats maxima,
      Floats totals,
      Floats sums,
      int first) {
    return false;
  }

  /** Whether floats of a segment, from a byte offset on, are all finite. */
  boolean finite(MemorySegment floats, long offset, int count);

  /** Starts rows that have seen nothing: maximum minus infinity, sum 0. */
  void clear(float[] state, int stateAt);

  /** The maximum of one of the rows, in units of log2. */
  float maximum(float[] state, int stateAt, int row);

  /** The sum of one of the rows, its parts added in a fixed order. */
  float total(float[] state, int stateAt, int row);
}
