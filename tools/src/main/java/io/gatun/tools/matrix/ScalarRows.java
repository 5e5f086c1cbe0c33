package io.gatun.tools.matrix;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;

/** Rows of any weight type in plain Java: one lane, columns one after the other. */
final class ScalarRows implements RowKernel {
  private static final ValueLayout.OfFloat FLOAT = ValueLayout.JAVA_FLOAT_UNALIGNED;

  private final WeightType type;

  ScalarRows(WeightType type) {
    this.type = type;
  }

  @Override
  public void multiply(
      MemorySegment weights,
      int cols,
      long from,
      long to,
      MemorySegment x,
      long xAt,
      MemorySegment y,
      long yAt,
      float[] sums) {
    long rowBytes = type.rowBytes(cols);
    long row = from;
    for (; row <= to - 4; row += 4) {
      long w0 = row * rowBytes;
      long w1 = w0 + rowBytes;
      long w2 = w1 + rowBytes;
      long w3 = w2 + rowBytes;
      float s0 = 0;
      float s1 = 0;
      float s2 = 0;
      float s3 = 0;
      for (int c = 0; c < cols; c++) {
        float value = x.get(FLOAT, xAt + 4L * c);
        s0 = Math.fma(type.value(weights, w0, cols, c), value, s0);
        s1 = Math.fma(type.value(weights, w1, cols, c), value, s1);
        s2 = Math.fma(type.value(weights, w2, cols, c), value, s2);
        s3 = Math.fma(type.value(weights, w3, cols, c), value, s3);
      }
      long out = yAt + 4 * (row - from);
      y.set(FLOAT, out, s0);
      y.set(FLOAT, out + 4, s1);
      y.set(FLOAT, out + 8, s2);
      y.set(FLOAT, out + 12, s3);
    }
    for (; row < to; row++) {
      float sum = 0;
      for (int c = 0; c < cols; c++) {
        float weight = type.value(weights, row * rowBytes, cols, c);
        sum = Math.fma(weight, x.get(FLOAT, xAt + 4L * c), sum);
      }
      y.set(FLOAT, yAt + 4 * (row - from), sum);
    }
  }

  @Override
  public void widen(
      MemorySegment weights, int cols, long row, int fromCol, int count, float[] out, int outAt) {
    for (int c = 0; c < count; c++) {
      out[outAt + c] = type.value(weights, row * type.rowBytes(cols), cols, fromCol + c);
    }
  }
}
