package io.gatun.tools.matrix;

import static io.gatun.tools.matrix.Lanes.COUNT;
import static io.gatun.tools.matrix.Lanes.FLOAT;
import static io.gatun.tools.matrix.Lanes.FLOATS;
import static io.gatun.tools.matrix.Lanes.LE;
import static io.gatun.tools.matrix.Lanes.NATIVE;

import io.gatun.tools.safetensors.TensorType;
import java.lang.foreign.MemorySegment;
import jdk.incubator.vector.FloatVector;

/** Rows of binary32 weights. */
final class F32Rows implements RowKernel {
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
    long rowBytes = 4L * cols;
    int whole = cols - cols % COUNT;
    int ahead = RowKernel.readAheadRows(rowBytes);
    for (long row = from; row < to; row++) {
      int group = (int) (row - from) & 3;
      if (group == 0) {
        if ((row - from) % ahead == 0) {
          long next = row + ahead;
          Lanes.readAhead(
              weights, Math.min(to, next) * rowBytes, Math.min(to, next + ahead) * rowBytes);
        }
        if (row <= to - 4) {
          four(weights, row * rowBytes, rowBytes, whole, x, xAt, sums);
        }
      }
      if (row - group > to - 4) {
        one(weights, row * rowBytes, whole, x, xAt, sums, group * COUNT);
      }
      float dot = Lanes.sum(sums, group * COUNT);
      for (int c = whole; c < cols; c++) {
        float weight = value(weights, row * rowBytes + 4L * c);
        dot = Math.fma(weight, x.get(FLOAT, xAt + 4L * c), dot);
      }
      y.set(FLOAT, yAt + 4 * (row - from), dot);
    }
  }

  /** Four rows at a time: four chains of additions hide the latency of one. */
  private static void four(
      MemorySegment weights,
      long w,
      long rowBytes,
      int cols,
      MemorySegment x,
      long xAt,
      float[] sums) {
    long w1 = w + rowBytes;
    long w2 = w1 + rowBytes;
    long w3 = w2 + rowBytes;
    FloatVector s0 = FloatVector.zero(FLOATS);
    FloatVector s1 = s0;
    FloatVector s2 = s0;
    FloatVector s3 = s0;
    for (int c = 0; c < cols; c += COUNT) {
      FloatVector v = FloatVector.fromMemorySegment(FLOATS, x, xAt + 4L * c, NATIVE);
      s0 = load(weights, w + 4L * c).fma(v, s0);
      s1 = load(weights, w1 + 4L * c).fma(v, s1);
      s2 = load(weights, w2 + 4L * c).fma(v, s2);
      s3 = load(weights, w3 + 4L * c).fma(v, s3);
    }
    s0.intoArray(sums, 0);
    s1.intoArray(sums, COUNT);
    s2.intoArray(sums, 2 * COUNT);
    s3.intoArray(sums, 3 * COUNT);
  }

  private static void one(
      MemorySegment weights, long w, int cols, MemorySegment x, long xAt, float[] sums, int at) {
    FloatVector sum = FloatVector.zero(FLOATS);
    for (int c = 0; c < cols; c += COUNT) {
      FloatVector v = FloatVector.fromMemorySegment(FLOATS, x, xAt + 4L * c, NATIVE);
      sum = load(weights, w + 4L * c).fma(v, sum);
    }
    sum.intoArray(sums, at);
  }

  private static FloatVector load(MemorySegment weights, long at) {
    return FloatVector.fromMemorySegment(FLOATS, weights, at, LE);
  }

  private static float value(MemorySegment weights, long at) {
    return TensorType.F32.value(weights, at);
  }

  @Override
  public void widen(
      MemorySegment weights, int cols, long row, int fromCol, int count, float[] out, int outAt) {
    long w = 4L * (row * cols + fromCol);
    int whole = count - count % COUNT;
    for (int c = 0; c < whole; c += COUNT) {
      load(weights, w + 4L * c).intoArray(out, outAt + c);
    }
    for (int c = whole; c < count; c++) {
      out[outAt + c] = value(weights, w + 4L * c);
    }
  }
}
