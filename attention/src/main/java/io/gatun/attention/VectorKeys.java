package io.gatun.attention;

import static io.gatun.attention.Lanes.BIT_0;
import static io.gatun.attention.Lanes.BIT_1;
import static io.gatun.attention.Lanes.BIT_2;
import static io.gatun.attention.Lanes.BIT_3;
import static io.gatun.attention.Lanes.BYTES;
import static io.gatun.attention.Lanes.COUNT;
import static io.gatun.attention.Lanes.FLOATS;
import static io.gatun.attention.Lanes.INTS;
import static io.gatun.attention.Lanes.SHORTS;
import static io.gatun.attention.Lanes.SWAP_0;
import static io.gatun.attention.Lanes.SWAP_1;
import static io.gatun.attention.Lanes.SWAP_2;
import static io.gatun.attention.Lanes.SWAP_3;
import static java.nio.ByteOrder.LITTLE_ENDIAN;

import io.gatun.cache.KvType;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.lang.invoke.MethodHandles;
import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.IntVector;
import jdk.incubator.vector.ShortVector;
import jdk.incubator.vector.VectorOperators;

/**
 * Scores on the Vector API. Copied for each element type by {@link Specialized}, so that {@code
 * TYPE} is a constant and every branch on it disappears.
 *
 * <p>Each dot product has one accumulator, its lanes strided over the row, and as many dot products
 * run side by side as a vector has lanes. Their lane sums are then formed together and leave one
 * full vector of scores.
 */
final class VectorKeys implements KeyKernel {
  /** The element type; the original of the class, which is never used, has none. */
  private static final KvType TYPE = Specialized.type(MethodHandles.lookup());

  /** Bytes of two vectors of stored values. */
  private static final int PAIR_BYTES = TYPE == KvType.F32 ? 2 * BYTES : BYTES;

  private static final ValueLayout.OfFloat FLOAT = ValueLayout.JAVA_FLOAT_UNALIGNED;

  /** Together they undo the 2^-112 of {@code half}; both parts stay far from overflow. */
  private static final float QUERY_SCALE = TYPE == KvType.F16 ? 0x1p96f : 1;

  private static final float SCORE_SCALE = TYPE == KvType.F16 ? 0x1p16f : 1;

  private static final int EVEN = TYPE == KvType.F32 ? 0 : 16;
  private static final int DOWN = TYPE == KvType.F16 ? 3 : 0;
  private static final int MASK =
      TYPE == KvType.F32 ? -1 : TYPE == KvType.F16 ? 0x8fff_e000 : 0xffff_0000;
  private static final int ODD_BYTES = TYPE == KvType.F32 ? BYTES : 0;

  private final int dim;
  private final int stride;
  private final int rowBytes;
  private final int inPairs;
  private final int inVectors;
  private final int[] order;

  VectorKeys(int dim, int rowBytes) {
    this.dim = dim;
    this.stride = VectorRows.stride(dim);
    this.rowBytes = rowBytes;
    this.inPairs = VectorRows.inPairs(dim);
    this.inVectors = VectorRows.inVectors(dim);
    this.order = VectorRows.order(TYPE, dim);
  }

  @Override
  public int stride() {
    return stride;
  }

  @Override
  public void prepare(MemorySegment from, long offset, float[] to, int at) {
    for (int i = 0; i < dim; i++) {
      to[at + i] = from.get(FLOAT, offset + (long) order[i] * Float.BYTES) * QUERY_SCALE;
    }
  }

  @Override
  public void scores(
      MemorySegment keys, long offset, int tokens, float[] q, int qAt, float[] scores, int at) {
    if (COUNT == 16) {
      scores16(keys, offset, tokens, q, qAt, scores, at);
    } else if (COUNT == 8) {
      scores8(keys, offset, tokens, q, qAt, scores, at);
    } else {
      scores4(keys, offset, tokens, q, qAt, scores, at);
    }
    if (inVectors < dim) {
      addTail(keys, offset, tokens, q, qAt, scores, at);
    }
  }

  /** 16 lanes: 4 rows x 4 tokens = 16 dot products, summed over their lanes together. */
  private void scores16(
      MemorySegment keys, long offset, int tokens, float[] q, int qAt, float[] scores, int at) {
    int q1 = qAt + stride;
    int q2 = q1 + stride;
    int q3 = q2 + stride;
    for (int t = 0; t < tokens; t += 4) {
      long k0 = offset + (long) t * rowBytes;
      long k1 = offset + (long) Math.min(t + 1, tokens - 1) * rowBytes;
      long k2 = offset + (long) Math.min(t + 2, tokens - 1) * rowBytes;
      long k3 = offset + (long) Math.min(t + 3, tokens - 1) * rowBytes;
      FloatVector a00 = FloatVector.zero(FLOATS);
      FloatVector a01 = FloatVector.zero(FLOATS);
      FloatVector a02 = FloatVector.zero(FLOATS);
      FloatVector a03 = FloatVector.zero(FLOATS);
      FloatVector a10 = FloatVector.zero(FLOATS);
      FloatVector a11 = FloatVector.zero(FLOATS);
      FloatVector a12 = FloatVector.zero(FLOATS);
      FloatVector a13 = FloatVector.zero(FLOATS);
      FloatVector a20 = FloatVector.zero(FLOATS);
      FloatVector a21 = FloatVector.zero(FLOATS);
      FloatVector a22 = FloatVector.zero(FLOATS);
      FloatVector a23 = FloatVector.zero(FLOATS);
      FloatVector a30 = FloatVector.zero(FLOATS);
      FloatVector a31 = FloatVector.zero(FLOATS);
      FloatVector a32 = FloatVector.zero(FLOATS);
      FloatVector a33 = FloatVector.zero(FLOATS);
      long from = 0;
      for (int i = 0; i < inPairs; i += 2 * COUNT) {
        FloatVector x0 = FloatVector.fromArray(FLOATS, q, qAt + i);
        FloatVector x1 = FloatVector.fromArray(FLOATS, q, q1 + i);
        FloatVector x2 = FloatVector.fromArray(FLOATS, q, q2 + i);
        FloatVector x3 = FloatVector.fromArray(FLOATS, q, q3 + i);
        FloatVector k =
            IntVector.fromMemorySegment(INTS, keys, k0 + from, LITTLE_ENDIAN)
                .lanewise(VectorOperators.LSHL, EVEN)
                .lanewise(VectorOperators.ASHR, DOWN)
                .and(MASK)
                .reinterpretAsFloats();
        a00 = x0.fma(k, a00);
        a10 = x1.fma(k, a10);
        a20 = x2.fma(k, a20);
        a30 = x3.fma(k, a30);
        k =
            IntVector.fromMemorySegment(INTS, keys, k1 + from, LITTLE_ENDIAN)
                .lanewise(VectorOperators.LSHL, EVEN)
                .lanewise(VectorOperators.ASHR, DOWN)
                .and(MASK)
                .reinterpretAsFloats();
        a01 = x0.fma(k, a01);
        a11 = x1.fma(k, a11);
        a21 = x2.fma(k, a21);
        a31 = x3.fma(k, a31);
        k =
            IntVector.fromMemorySegment(INTS, keys, k2 + from, LITTLE_ENDIAN)
                .lanewise(VectorOperators.LSHL, EVEN)
                .lanewise(VectorOperators.ASHR, DOWN)
                .and(MASK)
                .reinterpretAsFloats();
        a02 = x0.fma(k, a02);
        a12 = x1.fma(k, a12);
        a22 = x2.fma(k, a22);
        a32 = x3.fma(k, a32);
        k =
            IntVector.fromMemorySegment(INTS, keys, k3 + from, LITTLE_ENDIAN)
                .lanewise(VectorOperators.LSHL, EVEN)
                .lanewise(VectorOperators.ASHR, DOWN)
                .and(MASK)
                .reinterpretAsFloats();
        a03 = x0.fma(k, a03);
        a13 = x1.fma(k, a13);
        a23 = x2.fma(k, a23);
        a33 = x3.fma(k, a33);
        x0 = FloatVector.fromArray(FLOATS, q, qAt + i + COUNT);
        x1 = FloatVector.fromArray(FLOATS, q, q1 + i + COUNT);
        x2 = FloatVector.fromArray(FLOATS, q, q2 + i + COUNT);
        x3 = FloatVector.fromArray(FLOATS, q, q3 + i + COUNT);
        k =
            IntVector.fromMemorySegment(INTS, keys, k0 + from + ODD_BYTES, LITTLE_ENDIAN)
                .lanewise(VectorOperators.ASHR, DOWN)
                .and(MASK)
                .reinterpretAsFloats();
        a00 = x0.fma(k, a00);
        a10 = x1.fma(k, a10);
        a20 = x2.fma(k, a20);
        a30 = x3.fma(k, a30);
        k =
            IntVector.fromMemorySegment(INTS, keys, k1 + from + ODD_BYTES, LITTLE_ENDIAN)
                .lanewise(VectorOperators.ASHR, DOWN)
                .and(MASK)
                .reinterpretAsFloats();
        a01 = x0.fma(k, a01);
        a11 = x1.fma(k, a11);
        a21 = x2.fma(k, a21);
        a31 = x3.fma(k, a31);
        k =
            IntVector.fromMemorySegment(INTS, keys, k2 + from + ODD_BYTES, LITTLE_ENDIAN)
                .lanewise(VectorOperators.ASHR, DOWN)
                .and(MASK)
                .reinterpretAsFloats();
        a02 = x0.fma(k, a02);
        a12 = x1.fma(k, a12);
        a22 = x2.fma(k, a22);
        a32 = x3.fma(k, a32);
        k =
            IntVector.fromMemorySegment(INTS, keys, k3 + from + ODD_BYTES, LITTLE_ENDIAN)
                .lanewise(VectorOperators.ASHR, DOWN)
                .and(MASK)
                .reinterpretAsFloats();
        a03 = x0.fma(k, a03);
        a13 = x1.fma(k, a13);
        a23 = x2.fma(k, a23);
        a33 = x3.fma(k, a33);
        from += PAIR_BYTES;
      }
      if (inPairs < inVectors) {
        FloatVector x0 = FloatVector.fromArray(FLOATS, q, qAt + inPairs);
        FloatVector x1 = FloatVector.fromArray(FLOATS, q, q1 + inPairs);
        FloatVector x2 = FloatVector.fromArray(FLOATS, q, q2 + inPairs);
        FloatVector x3 = FloatVector.fromArray(FLOATS, q, q3 + inPairs);
        FloatVector k =
            TYPE == KvType.F32
                ? FloatVector.fromMemorySegment(FLOATS, keys, k0 + from, LITTLE_ENDIAN)
                : ((IntVector)
                        ShortVector.fromMemorySegment(SHORTS, keys, k0 + from, LITTLE_ENDIAN)
                            .convertShape(VectorOperators.ZERO_EXTEND_S2I, INTS, 0))
                    .lanewise(VectorOperators.LSHL, 16)
                    .lanewise(VectorOperators.ASHR, DOWN)
                    .and(MASK)
                    .reinterpretAsFloats();
        a00 = x0.fma(k, a00);
        a10 = x1.fma(k, a10);
        a20 = x2.fma(k, a20);
        a30 = x3.fma(k, a30);
        k =
            TYPE == KvType.F32
                ? FloatVector.fromMemorySegment(FLOATS, keys, k1 + from, LITTLE_ENDIAN)
                : ((IntVector)
                        ShortVector.fromMemorySegment(SHORTS, keys, k1 + from, LITTLE_ENDIAN)
                            .convertShape(VectorOperators.ZERO_EXTEND_S2I, INTS, 0))
                    .lanewise(VectorOperators.LSHL, 16)
                    .lanewise(VectorOperators.ASHR, DOWN)
                    .and(MASK)
                    .reinterpretAsFloats();
        a01 = x0.fma(k, a01);
        a11 = x1.fma(k, a11);
        a21 = x2.fma(k, a21);
        a31 = x3.fma(k, a31);
        k =
            TYPE == KvType.F32
                ? FloatVector.fromMemorySegment(FLOATS, keys, k2 + from, LITTLE_ENDIAN)
                : ((IntVector)
                        ShortVector.fromMemorySegment(SHORTS, keys, k2 + from, LITTLE_ENDIAN)
                            .convertShape(VectorOperators.ZERO_EXTEND_S2I, INTS, 0))
                    .lanewise(VectorOperators.LSHL, 16)
                    .lanewise(VectorOperators.ASHR, DOWN)
                    .and(MASK)
                    .reinterpretAsFloats();
        a02 = x0.fma(k, a02);
        a12 = x1.fma(k, a12);
        a22 = x2.fma(k, a22);
        a32 = x3.fma(k, a32);
        k =
            TYPE == KvType.F32
                ? FloatVector.fromMemorySegment(FLOATS, keys, k3 + from, LITTLE_ENDIAN)
                : ((IntVector)
                        ShortVector.fromMemorySegment(SHORTS, keys, k3 + from, LITTLE_ENDIAN)
                            .convertShape(VectorOperators.ZERO_EXTEND_S2I, INTS, 0))
                    .lanewise(VectorOperators.LSHL, 16)
                    .lanewise(VectorOperators.ASHR, DOWN)
                    .and(MASK)
                    .reinterpretAsFloats();
        a03 = x0.fma(k, a03);
        a13 = x1.fma(k, a13);
        a23 = x2.fma(k, a23);
        a33 = x3.fma(k, a33);
      }
      FloatVector b0 = a00.blend(a01, BIT_0).add(a01.blend(a00, BIT_0).rearrange(SWAP_0));
      FloatVector b1 = a02.blend(a03, BIT_0).add(a03.blend(a02, BIT_0).rearrange(SWAP_0));
      FloatVector b2 = a10.blend(a11, BIT_0).add(a11.blend(a10, BIT_0).rearrange(SWAP_0));
      FloatVector b3 = a12.blend(a13, BIT_0).add(a13.blend(a12, BIT_0).rearrange(SWAP_0));
      FloatVector b4 = a20.blend(a21, BIT_0).add(a21.blend(a20, BIT_0).rearrange(SWAP_0));
      FloatVector b5 = a22.blend(a23, BIT_0).add(a23.blend(a22, BIT_0).rearrange(SWAP_0));
      FloatVector b6 = a30.blend(a31, BIT_0).add(a31.blend(a30, BIT_0).rearrange(SWAP_0));
      FloatVector b7 = a32.blend(a33, BIT_0).add(a33.blend(a32, BIT_0).rearrange(SWAP_0));
      FloatVector b8 = b0.blend(b1, BIT_1).add(b1.blend(b0, BIT_1).rearrange(SWAP_1));
      FloatVector b9 = b2.blend(b3, BIT_1).add(b3.blend(b2, BIT_1).rearrange(SWAP_1));
      FloatVector b10 = b4.blend(b5, BIT_1).add(b5.blend(b4, BIT_1).rearrange(SWAP_1));
      FloatVector b11 = b6.blend(b7, BIT_1).add(b7.blend(b6, BIT_1).rearrange(SWAP_1));
      FloatVector b12 = b8.blend(b9, BIT_2).add(b9.blend(b8, BIT_2).rearrange(SWAP_2));
      FloatVector b13 = b10.blend(b11, BIT_2).add(b11.blend(b10, BIT_2).rearrange(SWAP_2));
      FloatVector b14 = b12.blend(b13, BIT_3).add(b13.blend(b12, BIT_3).rearrange(SWAP_3));
      b14.mul(SCORE_SCALE).intoArray(scores, at + 4 * t);
    }
  }

  /** 8 lanes: 4 rows x 2 tokens = 8 dot products, summed over their lanes together. */
  private void scores8(
      MemorySegment keys, long offset, int tokens, float[] q, int qAt, float[] scores, int at) {
    int q1 = qAt + stride;
    int q2 = q1 + stride;
    int q3 = q2 + stride;
    for (int t = 0; t < tokens; t += 2) {
      long k0 = offset + (long) t * rowBytes;
      long k1 = offset + (long) Math.min(t + 1, tokens - 1) * rowBytes;
      FloatVector a00 = FloatVector.zero(FLOATS);
      FloatVector a01 = FloatVector.zero(FLOATS);
      FloatVector a10 = FloatVector.zero(FLOATS);
      FloatVector a11 = FloatVector.zero(FLOATS);
      FloatVector a20 = FloatVector.zero(FLOATS);
      FloatVector a21 = FloatVector.zero(FLOATS);
      FloatVector a30 = FloatVector.zero(FLOATS);
      FloatVector a31 = FloatVector.zero(FLOATS);
      long from = 0;
      for (int i = 0; i < inPairs; i += 2 * COUNT) {
        FloatVector x0 = FloatVector.fromArray(FLOATS, q, qAt + i);
        FloatVector x1 = FloatVector.fromArray(FLOATS, q, q1 + i);
        FloatVector x2 = FloatVector.fromArray(FLOATS, q, q2 + i);
        FloatVector x3 = FloatVector.fromArray(FLOATS, q, q3 + i);
        FloatVector k =
            IntVector.fromMemorySegment(INTS, keys, k0 + from, LITTLE_ENDIAN)
                .lanewise(VectorOperators.LSHL, EVEN)
                .lanewise(VectorOperators.ASHR, DOWN)
                .and(MASK)
                .reinterpretAsFloats();
        a00 = x0.fma(k, a00);
        a10 = x1.fma(k, a10);
        a20 = x2.fma(k, a20);
        a30 = x3.fma(k, a30);
        k =
            IntVector.fromMemorySegment(INTS, keys, k1 + from, LITTLE_ENDIAN)
                .lanewise(VectorOperators.LSHL, EVEN)
                .lanewise(VectorOperators.ASHR, DOWN)
                .and(MASK)
                .reinterpretAsFloats();
        a01 = x0.fma(k, a01);
        a11 = x1.fma(k, a11);
        a21 = x2.fma(k, a21);
        a31 = x3.fma(k, a31);
        x0 = FloatVector.fromArray(FLOATS, q, qAt + i + COUNT);
        x1 = FloatVector.fromArray(FLOATS, q, q1 + i + COUNT);
        x2 = FloatVector.fromArray(FLOATS, q, q2 + i + COUNT);
        x3 = FloatVector.fromArray(FLOATS, q, q3 + i + COUNT);
        k =
            IntVector.fromMemorySegment(INTS, keys, k0 + from + ODD_BYTES, LITTLE_ENDIAN)
                .lanewise(VectorOperators.ASHR, DOWN)
                .and(MASK)
                .reinterpretAsFloats();
        a00 = x0.fma(k, a00);
        a10 = x1.fma(k, a10);
        a20 = x2.fma(k, a20);
        a30 = x3.fma(k, a30);
        k =
            IntVector.fromMemorySegment(INTS, keys, k1 + from + ODD_BYTES, LITTLE_ENDIAN)
                .lanewise(VectorOperators.ASHR, DOWN)
                .and(MASK)
                .reinterpretAsFloats();
        a01 = x0.fma(k, a01);
        a11 = x1.fma(k, a11);
        a21 = x2.fma(k, a21);
        a31 = x3.fma(k, a31);
        from += PAIR_BYTES;
      }
      if (inPairs < inVectors) {
        FloatVector x0 = FloatVector.fromArray(FLOATS, q, qAt + inPairs);
        FloatVector x1 = FloatVector.fromArray(FLOATS, q, q1 + inPairs);
        FloatVector x2 = FloatVector.fromArray(FLOATS, q, q2 + inPairs);
        FloatVector x3 = FloatVector.fromArray(FLOATS, q, q3 + inPairs);
        FloatVector k =
            TYPE == KvType.F32
                ? FloatVector.fromMemorySegment(FLOATS, keys, k0 + from, LITTLE_ENDIAN)
                : ((IntVector)
                        ShortVector.fromMemorySegment(SHORTS, keys, k0 + from, LITTLE_ENDIAN)
                            .convertShape(VectorOperators.ZERO_EXTEND_S2I, INTS, 0))
                    .lanewise(VectorOperators.LSHL, 16)
                    .lanewise(VectorOperators.ASHR, DOWN)
                    .and(MASK)
                    .reinterpretAsFloats();
        a00 = x0.fma(k, a00);
        a10 = x1.fma(k, a10);
        a20 = x2.fma(k, a20);
        a30 = x3.fma(k, a30);
        k =
            TYPE == KvType.F32
                ? FloatVector.fromMemorySegment(FLOATS, keys, k1 + from, LITTLE_ENDIAN)
                : ((IntVector)
                        ShortVector.fromMemorySegment(SHORTS, keys, k1 + from, LITTLE_ENDIAN)
                            .convertShape(VectorOperators.ZERO_EXTEND_S2I, INTS, 0))
                    .lanewise(VectorOperators.LSHL, 16)
                    .lanewise(VectorOperators.ASHR, DOWN)
                    .and(MASK)
                    .reinterpretAsFloats();
        a01 = x0.fma(k, a01);
        a11 = x1.fma(k, a11);
        a21 = x2.fma(k, a21);
        a31 = x3.fma(k, a31);
      }
      FloatVector b0 = a00.blend(a01, BIT_0).add(a01.blend(a00, BIT_0).rearrange(SWAP_0));
      FloatVector b1 = a10.blend(a11, BIT_0).add(a11.blend(a10, BIT_0).rearrange(SWAP_0));
      FloatVector b2 = a20.blend(a21, BIT_0).add(a21.blend(a20, BIT_0).rearrange(SWAP_0));
      FloatVector b3 = a30.blend(a31, BIT_0).add(a31.blend(a30, BIT_0).rearrange(SWAP_0));
      FloatVector b4 = b0.blend(b1, BIT_1).add(b1.blend(b0, BIT_1).rearrange(SWAP_1));
      FloatVector b5 = b2.blend(b3, BIT_1).add(b3.blend(b2, BIT_1).rearrange(SWAP_1));
      FloatVector b6 = b4.blend(b5, BIT_2).add(b5.blend(b4, BIT_2).rearrange(SWAP_2));
      b6.mul(SCORE_SCALE).intoArray(scores, at + 4 * t);
    }
  }

  /** 4 lanes: 4 rows x 1 token = 4 dot products, summed over their lanes together. */
  private void scores4(
      MemorySegment keys, long offset, int tokens, float[] q, int qAt, float[] scores, int at) {
    int q1 = qAt + stride;
    int q2 = q1 + stride;
    int q3 = q2 + stride;
    for (int t = 0; t < tokens; t += 1) {
      long k0 = offset + (long) t * rowBytes;
      FloatVector a00 = FloatVector.zero(FLOATS);
      FloatVector a10 = FloatVector.zero(FLOATS);
      FloatVector a20 = FloatVector.zero(FLOATS);
      FloatVector a30 = FloatVector.zero(FLOATS);
      long from = 0;
      for (int i = 0; i < inPairs; i += 2 * COUNT) {
        FloatVector x0 = FloatVector.fromArray(FLOATS, q, qAt + i);
        FloatVector x1 = FloatVector.fromArray(FLOATS, q, q1 + i);
        FloatVector x2 = FloatVector.fromArray(FLOATS, q, q2 + i);
        FloatVector x3 = FloatVector.fromArray(FLOATS, q, q3 + i);
        FloatVector k =
            IntVector.fromMemorySegment(INTS, keys, k0 + from, LITTLE_ENDIAN)
                .lanewise(VectorOperators.LSHL, EVEN)
                .lanewise(VectorOperators.ASHR, DOWN)
                .and(MASK)
                .reinterpretAsFloats();
        a00 = x0.fma(k, a00);
        a10 = x1.fma(k, a10);
        a20 = x2.fma(k, a20);
        a30 = x3.fma(k, a30);
        x0 = FloatVector.fromArray(FLOATS, q, qAt + i + COUNT);
        x1 = FloatVector.fromArray(FLOATS, q, q1 + i + COUNT);
        x2 = FloatVector.fromArray(FLOATS, q, q2 + i + COUNT);
        x3 = FloatVector.fromArray(FLOATS, q, q3 + i + COUNT);
        k =
            IntVector.fromMemorySegment(INTS, keys, k0 + from + ODD_BYTES, LITTLE_ENDIAN)
                .lanewise(VectorOperators.ASHR, DOWN)
                .and(MASK)
                .reinterpretAsFloats();
        a00 = x0.fma(k, a00);
        a10 = x1.fma(k, a10);
        a20 = x2.fma(k, a20);
        a30 = x3.fma(k, a30);
        from += PAIR_BYTES;
      }
      if (inPairs < inVectors) {
        FloatVector x0 = FloatVector.fromArray(FLOATS, q, qAt + inPairs);
        FloatVector x1 = FloatVector.fromArray(FLOATS, q, q1 + inPairs);
        FloatVector x2 = FloatVector.fromArray(FLOATS, q, q2 + inPairs);
        FloatVector x3 = FloatVector.fromArray(FLOATS, q, q3 + inPairs);
        FloatVector k =
            TYPE == KvType.F32
                ? FloatVector.fromMemorySegment(FLOATS, keys, k0 + from, LITTLE_ENDIAN)
                : ((IntVector)
                        ShortVector.fromMemorySegment(SHORTS, keys, k0 + from, LITTLE_ENDIAN)
                            .convertShape(VectorOperators.ZERO_EXTEND_S2I, INTS, 0))
                    .lanewise(VectorOperators.LSHL, 16)
                    .lanewise(VectorOperators.ASHR, DOWN)
                    .and(MASK)
                    .reinterpretAsFloats();
        a00 = x0.fma(k, a00);
        a10 = x1.fma(k, a10);
        a20 = x2.fma(k, a20);
        a30 = x3.fma(k, a30);
      }
      FloatVector b0 = a00.blend(a10, BIT_0).add(a10.blend(a00, BIT_0).rearrange(SWAP_0));
      FloatVector b1 = a20.blend(a30, BIT_0).add(a30.blend(a20, BIT_0).rearrange(SWAP_0));
      FloatVector b2 = b0.blend(b1, BIT_1).add(b1.blend(b0, BIT_1).rearrange(SWAP_1));
      b2.mul(SCORE_SCALE).intoArray(scores, at + 4 * t);
    }
  }

  /** Adds the products of the values that fill no vector, one after the other. */
  private void addTail(
      MemorySegment keys, long offset, int tokens, float[] q, int qAt, float[] scores, int at) {
    int perVector = COUNT / Kernels.ROWS;
    for (int t = 0; t < tokens; t++) {
      for (int row = 0; row < Kernels.ROWS; row++) {
        int index = at + t / perVector * COUNT + row * perVector + t % perVector;
        float dot = scores[index];
        for (int i = inVectors; i < dim; i++) {
          float k = Elements.decode(TYPE, keys, offset + (long) t * rowBytes, i);
          dot = Math.fma(q[qAt + row * stride + i] / QUERY_SCALE, k, dot);
        }
        scores[index] = dot;
      }
    }
  }
}
