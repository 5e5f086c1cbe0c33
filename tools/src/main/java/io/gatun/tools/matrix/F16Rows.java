package io.gatun.tools.matrix;

import static io.gatun.tools.matrix.Lanes.COUNT;
import static io.gatun.tools.matrix.Lanes.FLOAT;
import static io.gatun.tools.matrix.Lanes.FLOATS;
import static io.gatun.tools.matrix.Lanes.INTS;
import static io.gatun.tools.matrix.Lanes.LE;
import static io.gatun.tools.matrix.Lanes.NATIVE;

import io.gatun.cache.KvType;
import java.lang.foreign.MemorySegment;
import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.IntVector;
import jdk.incubator.vector.ShortVector;
import jdk.incubator.vector.VectorOperators;

/** Rows of binary16 weights, all finite. Sign, exponent and mantissa are shifted to where a binary32
 * has them, which makes the value 2^-112 times too small, subnormals included; a multiplication
 * mends that exactly. */
final class F16Rows implements RowKernel {
  @Override
  public void multiply(
      MemorySegment weights,
      int cols,
      long from,
      long to,
      MemorySegment x,
      long xAt,
      MemorySegment y,
      long yAt) {
    long rowBytes = 2L * cols;
    int ahead = RowKernel.readAheadRows(rowBytes);
    for (long row = from; row < to; row += ahead) {
      long end = Math.min(to, row + ahead);
      Lanes.readAhead(weights, end * rowBytes, Math.min(to, end + ahead) * rowBytes);
      multiplyNear(weights, cols, row, end, x, xAt, y, yAt + 4 * (row - from));
    }
  }

  /** Four rows at a time: four chains of additions hide the latency of one. */
  private static void multiplyNear(
      MemorySegment weights,
      int cols,
      long from,
      long to,
      MemorySegment x,
      long xAt,
      MemorySegment y,
      long yAt) {
    long rowBytes = 2L * cols;
    int whole = cols - cols % COUNT;
    long out = yAt;
    long row = from;
    for (; row <= to - 4; row += 4) {
      long w0 = row * rowBytes;
      long w1 = w0 + rowBytes;
      long w2 = w1 + rowBytes;
      long w3 = w2 + rowBytes;
      FloatVector s0 = FloatVector.zero(FLOATS);
      FloatVector s1 = s0;
      FloatVector s2 = s0;
      FloatVector s3 = s0;
      for (int c = 0; c < whole; c += COUNT) {
        FloatVector v = FloatVector.fromMemorySegment(FLOATS, x, xAt + 4L * c, NATIVE);
        s0 = load(weights, w0 + 2L * c).fma(v, s0);
        s1 = load(weights, w1 + 2L * c).fma(v, s1);
        s2 = load(weights, w2 + 2L * c).fma(v, s2);
        s3 = load(weights, w3 + 2L * c).fma(v, s3);
      }
      y.set(FLOAT, out, withRest(Lanes.sum(s0), weights, w0, whole, cols, x, xAt));
      y.set(FLOAT, out + 4, withRest(Lanes.sum(s1), weights, w1, whole, cols, x, xAt));
      y.set(FLOAT, out + 8, withRest(Lanes.sum(s2), weights, w2, whole, cols, x, xAt));
      y.set(FLOAT, out + 12, withRest(Lanes.sum(s3), weights, w3, whole, cols, x, xAt));
      out += 16;
    }
    for (; row < to; row++) {
      long w0 = row * rowBytes;
      FloatVector s0 = FloatVector.zero(FLOATS);
      for (int c = 0; c < whole; c += COUNT) {
        FloatVector v = FloatVector.fromMemorySegment(FLOATS, x, xAt + 4L * c, NATIVE);
        s0 = load(weights, w0 + 2L * c).fma(v, s0);
      }
      y.set(FLOAT, out, withRest(Lanes.sum(s0), weights, w0, whole, cols, x, xAt));
      out += 4;
    }
  }

  private static FloatVector load(MemorySegment weights, long at) {
    ShortVector halves = ShortVector.fromMemorySegment(Lanes.HALVES, weights, at, LE);
    IntVector bits = (IntVector) halves.convertShape(VectorOperators.S2I, INTS, 0);
    // The sign was extended, so that it reaches bit 31; its copies in bits 28 to 30 go.
    return bits.lanewise(VectorOperators.LSHL, 13)
        .and(0x8fff_e000)
        .reinterpretAsFloats()
        .mul(0x1p112f);
  }

  private static float value(MemorySegment weights, long at) {
    return Float.float16ToFloat(weights.get(KvType.LE_SHORT, at));
  }

  private static float withRest(
      float sum, MemorySegment weights, long w, int whole, int cols, MemorySegment x, long xAt) {
    float total = sum;
    for (int c = whole; c < cols; c++) {
      total = Math.fma(value(weights, w + 2L * c), x.get(FLOAT, xAt + 4L * c), total);
    }
    return total;
  }

  @Override
  public void widen(
      MemorySegment weights,
      int cols,
      long row,
      int fromCol,
      int count,
      MemorySegment out,
      long outAt) {
    long w = 2L * (row * cols + fromCol);
    int whole = count - count % COUNT;
    for (int c = 0; c < whole; c += COUNT) {
      load(weights, w + 2L * c).intoMemorySegment(out, outAt + 4L * c, NATIVE);
    }
    for (int c = whole; c < count; c++) {
      out.set(FLOAT, outAt + 4L * c, value(weights, w + 2L * c));
    }
  }
}
