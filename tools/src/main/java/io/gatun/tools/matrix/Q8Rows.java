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
    int ahead = RowKernel.readAheadRows(rowBytes);
    for (long row = from; row < to; row++) {
      int group = (int) (row - from) & 3;
      if (group == 0) {
        if ((row - from) % ahead == 0) {
          Lanes.readAhead(weights, row * rowBytes, Math.min(to, row + ahead) * rowBytes);
        }
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
    for (int g = 0; g < cols; g += GROUP) {
      long scale = scales + g / (GROUP / 4);
      FloatVector f0 = FloatVector.broadcast(FLOATS, weights.get(KvType.LE_FLOAT, w0 + scale));
      FloatVector f1 = FloatVector.broadcast(FLOATS, weights.get(KvType.LE_FLOAT, w1 + scale));
      FloatVector f2 = FloatVector.broadcast(FLOATS, weights.get(KvType.LE_FLOAT, w2 + scale));
      FloatVector f3 = FloatVector.broadcast(FLOATS, weights.get(KvType.LE_FLOAT, w3 + scale));
      int end = Math.min(cols, g + GROUP);
      for (int c = g; c < end; c += COUNT) {
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
    if (fromCol % GROUP != 0) {
      throw new IllegalArgumentException("column %d begins no group".formatted(fromCol));
    }
    for (int g = 0; g < whole; g += GROUP) {
      float scale = weights.get(KvType.LE_FLOAT, scales + (fromCol + g) / (GROUP / 4));
      FloatVector f = FloatVector.broadcast(FLOATS, scale);
      int end = Math.min(whole, g + GROUP);
      for (int c = g; c < end; c += COUNT) {
        ByteVector.fromMemorySegment(BYTES, weights, at + fromCol + c, LE)
            .convertShape(VectorOperators.B2F, FLOATS, 0)
            .reinterpretAsFloats()
            .mul(f)
            .intoArray(out, outAt + c);
      }
    }
    for (int c = whole; c < count; c++) {
      out[outAt + c] = WeightType.Q8.value(weights, at, cols, fromCol + c);
    }
  }
}
