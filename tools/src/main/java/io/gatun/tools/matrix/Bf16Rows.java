package io.gatun.tools.matrix;

import static io.gatun.tools.matrix.Lanes.COUNT;
import static io.gatun.tools.matrix.Lanes.FLOAT;
import static io.gatun.tools.matrix.Lanes.FLOATS;
import static io.gatun.tools.matrix.Lanes.INTS;
import static io.gatun.tools.matrix.Lanes.LE;
import static io.gatun.tools.matrix.Lanes.NATIVE;

import io.gatun.tools.safetensors.TensorType;
import java.lang.foreign.MemorySegment;
import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.ShortVector;
import jdk.incubator.vector.VectorOperators;

/** Rows of bfloat16 weights: a value is the upper half of a binary32. */
final class Bf16Rows implements RowKernel {
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
    long rowBytes = 2L * cols;
    int whole = cols - cols % COUNT;
    for (long row = from; row < to; row++) {
      int group = (int) (row - from) & 3;
      if (group == 0) {
        four(weights, row, to - 1, rowBytes, whole, x, xAt, sums);
      }
      float dot = Lanes.sum(sums, group * COUNT);
      for (int c = whole; c < cols; c++) {
        float weight = value(weights, row * rowBytes + 2L * c);
        dot = Math.fma(weight, x.get(FLOAT, xAt + 4L * c), dot);
      }
      y.set(FLOAT, yAt + 4 * (row - from), dot);
    }
  }

  /**
   * Four rows at a time: four chains of additions hide the latency of one. Behind the last row, that
   * one is taken again.
   */
  private static void four(
      MemorySegment weights,
      long row,
      long last,
      long rowBytes,
      int cols,
      MemorySegment x,
      long xAt,
      float[] sums) {
    long w0 = row * rowBytes;
    long w1 = Math.min(last, row + 1) * rowBytes;
    long w2 = Math.min(last, row + 2) * rowBytes;
    long w3 = Math.min(last, row + 3) * rowBytes;
    FloatVector s0 = FloatVector.zero(FLOATS);
    FloatVector s1 = s0;
    FloatVector s2 = s0;
    FloatVector s3 = s0;
    for (int c = 0; c < cols; c += COUNT) {
      FloatVector v = FloatVector.fromMemorySegment(FLOATS, x, xAt + 4L * c, NATIVE);
      long i = 2L * c;
      s0 =
          ShortVector.fromMemorySegment(Lanes.HALVES, weights, w0 + i, LE)
              .convertShape(VectorOperators.ZERO_EXTEND_S2I, INTS, 0)
              .reinterpretAsInts()
              .lanewise(VectorOperators.LSHL, 16)
              .reinterpretAsFloats()
              .fma(v, s0);
      s1 =
          ShortVector.fromMemorySegment(Lanes.HALVES, weights, w1 + i, LE)
              .convertShape(VectorOperators.ZERO_EXTEND_S2I, INTS, 0)
              .reinterpretAsInts()
              .lanewise(VectorOperators.LSHL, 16)
              .reinterpretAsFloats()
              .fma(v, s1);
      s2 =
          ShortVector.fromMemorySegment(Lanes.HALVES, weights, w2 + i, LE)
              .convertShape(VectorOperators.ZERO_EXTEND_S2I, INTS, 0)
              .reinterpretAsInts()
              .lanewise(VectorOperators.LSHL, 16)
              .reinterpretAsFloats()
              .fma(v, s2);
      s3 =
          ShortVector.fromMemorySegment(Lanes.HALVES, weights, w3 + i, LE)
              .convertShape(VectorOperators.ZERO_EXTEND_S2I, INTS, 0)
              .reinterpretAsInts()
              .lanewise(VectorOperators.LSHL, 16)
              .reinterpretAsFloats()
              .fma(v, s3);
    }
    s0.intoArray(sums, 0);
    s1.intoArray(sums, COUNT);
    s2.intoArray(sums, 2 * COUNT);
    s3.intoArray(sums, 3 * COUNT);
  }

  private static float value(MemorySegment weights, long at) {
    return TensorType.BF16.value(weights, at);
  }

  @Override
  public void widen(
      MemorySegment weights, int cols, long row, int fromCol, int count, float[] out, int outAt) {
    long w = 2L * (row * cols + fromCol);
    int whole = count - count % COUNT;
    for (int c = 0; c < whole; c += COUNT) {
      ShortVector.fromMemorySegment(Lanes.HALVES, weights, w + 2L * c, LE)
          .convertShape(VectorOperators.ZERO_EXTEND_S2I, INTS, 0)
          .reinterpretAsInts()
          .lanewise(VectorOperators.LSHL, 16)
          .reinterpretAsFloats()
          .intoArray(out, outAt + c);
    }
    for (int c = whole; c < count; c++) {
      out[outAt + c] = value(weights, w + 2L * c);
    }
  }
}
