package io.gatun.tools.matrix;

import java.lang.foreign.MemorySegment;

/**
 * Works on rows of a weight matrix of one element type. Any thread. The arguments are not checked, the
 * segments are.
 *
 * <p>Design note: the vector kernels spell the decoding of a weight out wherever they need it. C2
 * does not inline a helper that it has compiled before, and puts the vector that one returns on the
 * heap.
 *
 * <p>They read weights where a dot product wants them, and the processor's own prefetcher and
 * reordering hide the way to memory; machine code asks for them ahead. Reading a stretch of rows ahead
 * in a pass of its own costs more than it gives on an Intel Cascade Lake: reading and arithmetic then
 * come one after the other.
 */
interface RowKernel {
  /**
   * Multiplies rows {@code [from, to)} with one vector of activations.
   *
   * @param weights {@code [rows][cols]}
   * @param x f32 {@code [cols]}, from byte {@code xAt} on
   * @param y f32, gets {@code [to - from]}, from byte {@code yAt} on
   * @param sums room for {@link #SUMS} values to work with
   */
  void multiply(
      MemorySegment weights,
      int cols,
      long from,
      long to,
      MemorySegment x,
      long xAt,
      MemorySegment y,
      long yAt,
      float[] sums);

  /**
   * Decodes columns {@code [fromCol, fromCol + count)} of one row.
   *
   * @param out gets {@code [count]}, from element {@code outAt} on
   */
  void widen(
      MemorySegment weights, int cols, long row, int fromCol, int count, float[] out, int outAt);

  /**
   * Decodes a block of columns of rows that follow each other.
   *
   * @param out gets {@code [rows][PanelKernel.ROW]}, the first {@code count} of each
   */
  default void widen(Matrix weight, long from, int rows, int fromCol, int count, float[] out) {
    for (int row = 0; row < rows; row++) {
      int at = row * PanelKernel.ROW;
      widen(weight.data(), weight.cols(), from + row, fromCol, count, out, at);
    }
  }

  /** Room for the accumulators of four rows: they go through an array, not through calls. */
  int SUMS = 4 * 16;
}
