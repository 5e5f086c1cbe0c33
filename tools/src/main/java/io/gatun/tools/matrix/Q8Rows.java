package io.gatun.tools.matrix;

import static io.gatun.tools.matrix.Lanes.BYTES;
import static io.gatun.tools.matrix.Lanes.COUNT;
import static io.gatun.tools.matrix.Lanes.FLOAT;
import static io.gatun.tools.matrix.Lanes.FLOATS;
import static io.gatun.tools.matrix.Lanes.LE;
import static io.gatun.tools.matrix.Lanes.NATIVE;
import static io.gatun.tools.matrix.WeightType.GROUP;

import io.gatun.attention.Prefetch;
import io.gatun.cache.KvType;
import java.lang.foreign.MemorySegment;
import jdk.incubator.vector.ByteVector;
import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.VectorOperators;

/**
 * Rows of 8-bit weights with scales. A weight is multiplied with its scale before it meets an
 * activation, here and in batches, so that both have the same bits.
 *
 * <p>Design note: decoding takes about as long as reading. So that both go on at once, the four rows
 * to come are prefetched, eight lines at a time: many at once would hold up the loads. Where there
 * is no prefetch, a stretch of rows is read in a pass of its own.
 */
final class Q8Rows implements RowKernel {
  private static final boolean PREFETCH = Prefetch.available();

  /** Bytes of rows, about, that are read ahead at a time; they wait in the second-level cache. */
  private static final int READ_AHEAD_BYTES = 1 << 16;

  /** Four vectors are a group of columns, or a power of two of such fours are. */
  private static final int FOURS_SHIFT = Integer.numberOfTrailingZeros(GROUP / (4 * COUNT));

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
    int ahead = (int) Math.max(4, READ_AHEAD_BYTES / rowBytes & ~3L);
    long end = weights.address() + to * rowBytes;
    for (long row = from; row < to; row++) {
      int group = (int) (row - from) & 3;
      if (group == 0) {
        if (!PREFETCH && (row - from) % ahead == 0) {
          Lanes.readAhead(weights, row * rowBytes, Math.min(to, row + ahead) * rowBytes);
        }
        four(weights, row, to - 1, rowBytes, whole, WeightType.scalesAt(cols), end, x, xAt, sums);
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
   * @param end address behind the last row that is wanted
   */
  private static void four(
      MemorySegment weights,
      long row,
      long last,
      long rowBytes,
      int cols,
      long scales,
      long end,
      MemorySegment x,
      long xAt,
      float[] sums) {
    long w0 = row * rowBytes;
    long w1 = Math.min(last, row + 1) * rowBytes;
    long w2 = Math.min(last, row + 2) * rowBytes;
    long w3 = Math.min(last, row + 3) * rowBytes;
    long z0 = w0 + scales;
    long z1 = w1 + scales;
    long z2 = w2 + scales;
    long z3 = w3 + scales;
    FloatVector s0 = FloatVector.zero(FLOATS);
    FloatVector s1 = s0;
    FloatVector s2 = s0;
    FloatVector s3 = s0;
    long ahead = weights.address() + w0 + 4 * rowBytes;
    // Four vectors lie in one group. An inner loop over them costs three times the time. Offsets
    // are multiples of the counter, or C2 leaves the checks of bounds in the loop.
    int fours = cols / (4 * COUNT);
    for (int i = 0; i < fours; i++) {
      if (PREFETCH && (i & 1) == 0 && ahead < end) {
        Prefetch.lines(ahead, ahead + 32 * COUNT);
        ahead += 32 * COUNT;
      }
      long scale = 4L * (i >> FOURS_SHIFT);
      float f0 = weights.get(KvType.LE_FLOAT, z0 + scale);
      float f1 = weights.get(KvType.LE_FLOAT, z1 + scale);
      float f2 = weights.get(KvType.LE_FLOAT, z2 + scale);
      float f3 = weights.get(KvType.LE_FLOAT, z3 + scale);
      FloatVector v = FloatVector.fromMemorySegment(FLOATS, x, xAt + 16L * COUNT * i, NATIVE);
      s0 =
          ByteVector.fromMemorySegment(BYTES, weights, w0 + 4L * COUNT * i, LE)
              .convertShape(VectorOperators.B2F, FLOATS, 0)
              .reinterpretAsFloats()
              .mul(f0)
              .fma(v, s0);
      s1 =
          ByteVector.fromMemorySegment(BYTES, weights, w1 + 4L * COUNT * i, LE)
              .convertShape(VectorOperators.B2F, FLOATS, 0)
              .reinterpretAsFloats()
              .mul(f1)
              .fma(v, s1);
      s2 =
          ByteVector.fromMemorySegment(BYTES, weights, w2 + 4L * COUNT * i, LE)
              .convertShape(VectorOperators.B2F, FLOATS, 0)
              .reinterpretAsFloats()
              .mul(f2)
              .fma(v, s2);
      s3 =
          ByteVector.fromMemorySegment(BYTES, weights, w3 + 4L * COUNT * i, LE)
              .convertShape(VectorOperators.B2F, FLOATS, 0)
              .reinterpretAsFloats()
              .mul(f3)
              .fma(v, s3);
      v = FloatVector.fromMemorySegment(FLOATS, x, xAt + 16L * COUNT * i + 4L * COUNT, NATIVE);
      s0 =
          ByteVector.fromMemorySegment(BYTES, weights, w0 + 4L * COUNT * i + 1 * COUNT, LE)
              .convertShape(VectorOperators.B2F, FLOATS, 0)
              .reinterpretAsFloats()
              .mul(f0)
              .fma(v, s0);
      s1 =
          ByteVector.fromMemorySegment(BYTES, weights, w1 + 4L * COUNT * i + 1 * COUNT, LE)
              .convertShape(VectorOperators.B2F, FLOATS, 0)
              .reinterpretAsFloats()
              .mul(f1)
              .fma(v, s1);
      s2 =
          ByteVector.fromMemorySegment(BYTES, weights, w2 + 4L * COUNT * i + 1 * COUNT, LE)
              .convertShape(VectorOperators.B2F, FLOATS, 0)
              .reinterpretAsFloats()
              .mul(f2)
              .fma(v, s2);
      s3 =
          ByteVector.fromMemorySegment(BYTES, weights, w3 + 4L * COUNT * i + 1 * COUNT, LE)
              .convertShape(VectorOperators.B2F, FLOATS, 0)
              .reinterpretAsFloats()
              .mul(f3)
              .fma(v, s3);
      v = FloatVector.fromMemorySegment(FLOATS, x, xAt + 16L * COUNT * i + 8L * COUNT, NATIVE);
      s0 =
          ByteVector.fromMemorySegment(BYTES, weights, w0 + 4L * COUNT * i + 2 * COUNT, LE)
              .convertShape(VectorOperators.B2F, FLOATS, 0)
              .reinterpretAsFloats()
              .mul(f0)
              .fma(v, s0);
      s1 =
          ByteVector.fromMemorySegment(BYTES, weights, w1 + 4L * COUNT * i + 2 * COUNT, LE)
              .convertShape(VectorOperators.B2F, FLOATS, 0)
              .reinterpretAsFloats()
              .mul(f1)
              .fma(v, s1);
      s2 =
          ByteVector.fromMemorySegment(BYTES, weights, w2 + 4L * COUNT * i + 2 * COUNT, LE)
              .convertShape(VectorOperators.B2F, FLOATS, 0)
              .reinterpretAsFloats()
              .mul(f2)
              .fma(v, s2);
      s3 =
          ByteVector.fromMemorySegment(BYTES, weights, w3 + 4L * COUNT * i + 2 * COUNT, LE)
              .convertShape(VectorOperators.B2F, FLOATS, 0)
              .reinterpretAsFloats()
              .mul(f3)
              .fma(v, s3);
      v = FloatVector.fromMemorySegment(FLOATS, x, xAt + 16L * COUNT * i + 12L * COUNT, NATIVE);
      s0 =
          ByteVector.fromMemorySegment(BYTES, weights, w0 + 4L * COUNT * i + 3 * COUNT, LE)
              .convertShape(VectorOperators.B2F, FLOATS, 0)
              .reinterpretAsFloats()
              .mul(f0)
              .fma(v, s0);
      s1 =
          ByteVector.fromMemorySegment(BYTES, weights, w1 + 4L * COUNT * i + 3 * COUNT, LE)
              .convertShape(VectorOperators.B2F, FLOATS, 0)
              .reinterpretAsFloats()
              .mul(f1)
              .fma(v, s1);
      s2 =
          ByteVector.fromMemorySegment(BYTES, weights, w2 + 4L * COUNT * i + 3 * COUNT, LE)
              .convertShape(VectorOperators.B2F, FLOATS, 0)
              .reinterpretAsFloats()
              .mul(f2)
              .fma(v, s2);
      s3 =
          ByteVector.fromMemorySegment(BYTES, weights, w3 + 4L * COUNT * i + 3 * COUNT, LE)
              .convertShape(VectorOperators.B2F, FLOATS, 0)
              .reinterpretAsFloats()
              .mul(f3)
              .fma(v, s3);
    }
    for (int c = fours * 4 * COUNT; c < cols; c += COUNT) {
      long scale = c / GROUP * 4L;
      float f0 = weights.get(KvType.LE_FLOAT, z0 + scale);
      float f1 = weights.get(KvType.LE_FLOAT, z1 + scale);
      float f2 = weights.get(KvType.LE_FLOAT, z2 + scale);
      float f3 = weights.get(KvType.LE_FLOAT, z3 + scale);
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
