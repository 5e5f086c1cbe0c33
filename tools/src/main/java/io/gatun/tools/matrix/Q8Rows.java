package io.gatun.tools.matrix;

import static io.gatun.tools.matrix.Lanes.BYTES;
import static io.gatun.tools.matrix.Lanes.COUNT;
import static io.gatun.tools.matrix.Lanes.FLOAT;
import static io.gatun.tools.matrix.Lanes.FLOATS;
import static io.gatun.tools.matrix.Lanes.LE;
import static io.gatun.tools.matrix.Lanes.NATIVE;
import static io.gatun.tools.matrix.WeightType.GROUP;

import io.gatun.cache.KvType;
import java.lang.foreign.MemorySegment;
import jdk.incubator.vector.ByteVector;
import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.VectorOperators;

/**
 * Rows of 8-bit weights with scales. A weight is multiplied with its scale before it meets an
 * activation, here and in batches, so that both have the same bits.
 */
final class Q8Rows implements RowKernel {
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
    long rowBytes = WeightType.Q8.rowBytes(cols);
    int whole = cols - cols % COUNT;
    for (long row = from; row < to; row++) {
      int group = (int) (row - from) & 3;
      if (group == 0) {
        four(weights, row, to - 1, rowBytes, whole, WeightType.scalesAt(cols), x, xAt, sums);
      }
      float dot = Lanes.sum(sums, group * COUNT);
      for (int c = whole; c < cols; c++) {
        float weight = WeightType.Q8.value(weights, row * rowBytes, cols, c);
        dot = Math.fma(weight, x.get(FLOAT, xAt + 4L * c), dot);
      }
      y.set(FLOAT, yAt + 4 * (row - from), dot);
    }
  }

  /**
   * Four rows at a time: four chains of additions hide the latency of one. Behind the last row, that
   * one is taken again.
   *
   * @param cols whole vectors of columns
   * @param scales offset of the scales in a row
   */
  private static void four(
      MemorySegment weights,
      long row,
      long last,
      long rowBytes,
      int cols,
      long scales,
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
    int c = 0;
    // Four vectors lie in one group. An inner loop over them costs three times the time.
    for (; c <= cols - 4 * COUNT; c += 4 * COUNT) {
      long scale = scales + c / GROUP * 4L;
      float f0 = weights.get(KvType.LE_FLOAT, w0 + scale);
      float f1 = weights.get(KvType.LE_FLOAT, w1 + scale);
      float f2 = weights.get(KvType.LE_FLOAT, w2 + scale);
      float f3 = weights.get(KvType.LE_FLOAT, w3 + scale);
      FloatVector v = FloatVector.fromMemorySegment(FLOATS, x, xAt + 4L * c, NATIVE);
      s0 =
          ByteVector.fromMemorySegment(BYTES, weights, w0 + c, LE)
              .convertShape(VectorOperators.B2F, FLOATS, 0)
              .reinterpretAsFloats()
              .mul(f0)
              .fma(v, s0);
      s1 =
          ByteVector.fromMemorySegment(BYTES, weights, w1 + c, LE)
              .convertShape(VectorOperators.B2F, FLOATS, 0)
              .reinterpretAsFloats()
              .mul(f1)
              .fma(v, s1);
      s2 =
          ByteVector.fromMemorySegment(BYTES, weights, w2 + c, LE)
              .convertShape(VectorOperators.B2F, FLOATS, 0)
              .reinterpretAsFloats()
              .mul(f2)
              .fma(v, s2);
      s3 =
          ByteVector.fromMemorySegment(BYTES, weights, w3 + c, LE)
              .convertShape(VectorOperators.B2F, FLOATS, 0)
              .reinterpretAsFloats()
              .mul(f3)
              .fma(v, s3);
      v = FloatVector.fromMemorySegment(FLOATS, x, xAt + 4L * c + 4L * COUNT, NATIVE);
      s0 =
          ByteVector.fromMemorySegment(BYTES, weights, w0 + c + COUNT, LE)
              .convertShape(VectorOperators.B2F, FLOATS, 0)
              .reinterpretAsFloats()
              .mul(f0)
              .fma(v, s0);
      s1 =
          ByteVector.fromMemorySegment(BYTES, weights, w1 + c + COUNT, LE)
              .convertShape(VectorOperators.B2F, FLOATS, 0)
              .reinterpretAsFloats()
              .mul(f1)
              .fma(v, s1);
      s2 =
          ByteVector.fromMemorySegment(BYTES, weights, w2 + c + COUNT, LE)
              .convertShape(VectorOperators.B2F, FLOATS, 0)
              .reinterpretAsFloats()
              .mul(f2)
              .fma(v, s2);
      s3 =
          ByteVector.fromMemorySegment(BYTES, weights, w3 + c + COUNT, LE)
              .convertShape(VectorOperators.B2F, FLOATS, 0)
              .reinterpretAsFloats()
              .mul(f3)
              .fma(v, s3);
      v = FloatVector.fromMemorySegment(FLOATS, x, xAt + 4L * c + 8L * COUNT, NATIVE);
      s0 =
          ByteVector.fromMemorySegment(BYTES, weights, w0 + c + 2 * COUNT, LE)
              .convertShape(VectorOperators.B2F, FLOATS, 0)
              .reinterpretAsFloats()
              .mul(f0)
              .fma(v, s0);
      s1 =
          ByteVector.fromMemorySegment(BYTES, weights, w1 + c + 2 * COUNT, LE)
              .convertShape(VectorOperators.B2F, FLOATS, 0)
              .reinterpretAsFloats()
              .mul(f1)
              .fma(v, s1);
      s2 =
          ByteVector.fromMemorySegment(BYTES, weights, w2 + c + 2 * COUNT, LE)
              .convertShape(VectorOperators.B2F, FLOATS, 0)
              .reinterpretAsFloats()
              .mul(f2)
              .fma(v, s2);
      s3 =
          ByteVector.fromMemorySegment(BYTES, weights, w3 + c + 2 * COUNT, LE)
              .convertShape(VectorOperators.B2F, FLOATS, 0)
              .reinterpretAsFloats()
              .mul(f3)
              .fma(v, s3);
      v = FloatVector.fromMemorySegment(FLOATS, x, xAt + 4L * c + 12L * COUNT, NATIVE);
      s0 =
          ByteVector.fromMemorySegment(BYTES, weights, w0 + c + 3 * COUNT, LE)
              .convertShape(VectorOperators.B2F, FLOATS, 0)
              .reinterpretAsFloats()
              .mul(f0)
              .fma(v, s0);
      s1 =
          ByteVector.fromMemorySegment(BYTES, weights, w1 + c + 3 * COUNT, LE)
              .convertShape(VectorOperators.B2F, FLOATS, 0)
              .reinterpretAsFloats()
              .mul(f1)
              .fma(v, s1);
      s2 =
          ByteVector.fromMemorySegment(BYTES, weights, w2 + c + 3 * COUNT, LE)
              .convertShape(VectorOperators.B2F, FLOATS, 0)
              .reinterpretAsFloats()
              .mul(f2)
              .fma(v, s2);
      s3 =
          ByteVector.fromMemorySegment(BYTES, weights, w3 + c + 3 * COUNT, LE)
              .convertShape(VectorOperators.B2F, FLOATS, 0)
              .reinterpretAsFloats()
              .mul(f3)
              .fma(v, s3);
    }
    for (; c < cols; c += COUNT) {
      long scale = scales + c / GROUP * 4L;
      float f0 = weights.get(KvType.LE_FLOAT, w0 + scale);
      float f1 = weights.get(KvType.LE_FLOAT, w1 + scale);
      float f2 = weights.get(KvType.LE_FLOAT, w2 + scale);
      float f3 = weights.get(KvType.LE_FLOAT, w3 + scale);
      FloatVector v = FloatVector.fromMemorySegment(FLOATS, x, xAt + 4L * c, NATIVE);
      s0 =
          ByteVector.fromMemorySegment(BYTES, weights, w0 + c, LE)
              .convertShape(VectorOperators.B2F, FLOATS, 0)
              .reinterpretAsFloats()
              .mul(f0)
              .fma(v, s0);
      s1 =
          ByteVector.fromMemorySegment(BYTES, weights, w1 + c, LE)
              .convertShape(VectorOperators.B2F, FLOATS, 0)
              .reinterpretAsFloats()
              .mul(f1)
              .fma(v, s1);
      s2 =
          ByteVector.fromMemorySegment(BYTES, weights, w2 + c, LE)
              .convertShape(VectorOperators.B2F, FLOATS, 0)
              .reinterpretAsFloats()
              .mul(f2)
              .fma(v, s2);
      s3 =
          ByteVector.fromMemorySegment(BYTES, weights, w3 + c, LE)
              .convertShape(VectorOperators.B2F, FLOATS, 0)
              .reinterpretAsFloats()
              .mul(f3)
              .fma(v, s3);
    }
    s0.intoArray(sums, 0);
    s1.intoArray(sums, COUNT);
    s2.intoArray(sums, 2 * COUNT);
    s3.intoArray(sums, 3 * COUNT);
  }

  @Override
  public void widen(
      MemorySegment weights, int cols, long row, int fromCol, int count, float[] out, int outAt) {
    long at = row * WeightType.Q8.rowBytes(cols);
    long scales = at + WeightType.scalesAt(cols);
    int whole = count - count % COUNT;
    for (int c = 0; c < whole; c += COUNT) {
      ByteVector.fromMemorySegment(BYTES, weights, at + fromCol + c, LE)
          .convertShape(VectorOperators.B2F, FLOATS, 0)
          .reinterpretAsFloats()
          .mul(weights.get(KvType.LE_FLOAT, scales + (fromCol + c) / GROUP * 4L))
          .intoArray(out, outAt + c);
    }
    for (int c = whole; c < count; c++) {
      out[outAt + c] = WeightType.Q8.value(weights, at, cols, fromCol + c);
    }
  }
}
