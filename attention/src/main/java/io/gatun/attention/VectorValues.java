package io.gatun.attention;

import static io.gatun.attention.Lanes.COUNT;
import static io.gatun.attention.Lanes.FLOATS;
import static io.gatun.attention.Lanes.INTS;
import static io.gatun.attention.Lanes.SHORTS;
import static java.nio.ByteOrder.LITTLE_ENDIAN;

import io.gatun.attention.code.Floats;
import io.gatun.cache.KvType;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.lang.invoke.MethodHandles;
import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.IntVector;
import jdk.incubator.vector.ShortVector;
import jdk.incubator.vector.VectorOperators;

/**
 * Weighted sums of values on the Vector API. Copied for each row format by {@link Specialized}.
 *
 * <p>Every element of a sum takes the tokens in one after the other, whatever the blocking.
 */
final class VectorValues implements ValueKernel {
  private static final RowFormat FORMAT = Specialized.format(MethodHandles.lookup());
  private static final KvType TYPE = FORMAT.type();
  private static final int DIM = FORMAT.dim();
  private static final int ROW_BYTES = FORMAT.rowBytes();
  private static final int IN_PAIRS = VectorRows.inPairs(DIM);
  private static final int IN_VECTORS = VectorRows.inVectors(DIM);
  private static final int STRIDE = VectorRows.stride(DIM);
  private static final int EVEN = VectorRows.evenShift(TYPE);
  private static final int DOWN = VectorRows.downShift(TYPE);
  private static final int EVEN_MASK = VectorRows.evenMask(TYPE);
  private static final int ODD_MASK = VectorRows.oddMask(TYPE);
  private static final int ODD_BYTES = VectorRows.oddBytes(TYPE);
  private static final int PAIR_BYTES = VectorRows.pairBytes(TYPE);
  private static final float WEIGHT_SCALE = VectorRows.weightScale(TYPE);

  /**
   * Tokens that are taken in at a time, part of the row by part: enough to be worth bringing the sums
   * to and from the registers, few enough to ask for rows in between.
   */
  private static final int BATCH = 32;

  /** Parts of a row whose sums fit into the registers. */
  private static final int PARTS = Math.max(1, IN_PAIRS / (4 * COUNT));

  private static final ValueLayout.OfFloat FLOAT = ValueLayout.JAVA_FLOAT_UNALIGNED;

  /** Tokens whose weights for one row stand side by side. */
  private static final int TOKENS = COUNT / Kernels.ROWS;

  private final int[] order = VectorRows.order(TYPE, DIM);

  @Override
  public int stride() {
    return STRIDE;
  }

  @Override
  public float weightScale() {
    return WEIGHT_SCALE;
  }

  @Override
  public void accumulate(
      MemorySegment values,
      long offset,
      long scaleOffset,
      int tokens,
      Floats weighted,
      int weightsAt,
      Floats to,
      int at,
      int rows,
      RowsAhead ahead) {
    float[] weights = weighted.array();
    float[] sums = to.array();
    for (int t = 0; t < tokens; t += BATCH) {
      int count = Math.min(BATCH, tokens - t);
      accumulate(
          ahead,
          values,
          offset + (long) t * ROW_BYTES,
          count,
          weights,
          weightsAt + t * Kernels.ROWS,
          sums,
          at,
          rows);
    }
  }

  private static void accumulate(
      RowsAhead ahead,
      MemorySegment values,
      long offset,
      int tokens,
      float[] weights,
      int weightsAt,
      float[] sums,
      int at,
      int rows) {
    int i = 0;
    long from = offset;
    for (; i + 4 * COUNT <= IN_PAIRS; i += 4 * COUNT) {
      if (rows == 1) {
        accumulateOne(ahead, values, from, tokens, weights, weightsAt, sums, at + i);
      } else if (COUNT == 16) {
        accumulate4(ahead, values, from, tokens, weights, weightsAt, sums, at + i);
      } else {
        // 16 sums and 4 values need more registers than the narrower instruction sets have.
        accumulate2(ahead, values, from, tokens, weights, weightsAt, sums, at + i);
        long second = from + PAIR_BYTES;
        int to = at + i + 2 * COUNT;
        accumulate2(ahead, values, second, tokens, weights, weightsAt, sums, to);
      }
      from += 2 * PAIR_BYTES;
      ahead.amongValues(tokens, PARTS);
    }
    if (i < IN_PAIRS) {
      accumulate2(ahead, values, from, tokens, weights, weightsAt, sums, at + i);
      from += PAIR_BYTES;
    }
    if (IN_PAIRS < IN_VECTORS) {
      accumulate1(ahead, values, from, tokens, weights, weightsAt, sums, at + IN_PAIRS);
    }
    if (IN_VECTORS < DIM) {
      addTail(values, offset, tokens, weights, weightsAt, sums, at);
    }
    if (IN_PAIRS < 4 * COUNT) {
      ahead.amongValues(tokens, 1);
    }
  }

  /** One row x 4 vectors: where a group is one query head. The other rows are left out. */
  private static void accumulateOne(
      RowsAhead ahead,
      MemorySegment values,
      long offset,
      int tokens,
      float[] weights,
      int weightsAt,
      float[] sums,
      int at) {
    ahead.saw(values.get(ValueLayout.JAVA_BYTE, offset));
    FloatVector a0 = FloatVector.fromArray(FLOATS, sums, at);
    FloatVector a1 = FloatVector.fromArray(FLOATS, sums, at + COUNT);
    FloatVector a2 = FloatVector.fromArray(FLOATS, sums, at + 2 * COUNT);
    FloatVector a3 = FloatVector.fromArray(FLOATS, sums, at + 3 * COUNT);
    for (int t = 0; t < tokens; t++) {
      long row = offset + (long) t * ROW_BYTES;
      FloatVector x =
          FloatVector.broadcast(FLOATS, weights[weightsAt + t / TOKENS * COUNT + t % TOKENS]);
      a0 =
          IntVector.fromMemorySegment(INTS, values, row, LITTLE_ENDIAN)
              .lanewise(VectorOperators.LSHL, EVEN)
              .lanewise(VectorOperators.ASHR, DOWN)
              .and(EVEN_MASK)
              .reinterpretAsFloats()
              .fma(x, a0);
      a1 =
          IntVector.fromMemorySegment(INTS, values, row + ODD_BYTES, LITTLE_ENDIAN)
              .lanewise(VectorOperators.ASHR, DOWN)
              .and(ODD_MASK)
              .reinterpretAsFloats()
              .fma(x, a1);
      a2 =
          IntVector.fromMemorySegment(INTS, values, row + PAIR_BYTES, LITTLE_ENDIAN)
              .lanewise(VectorOperators.LSHL, EVEN)
              .lanewise(VectorOperators.ASHR, DOWN)
              .and(EVEN_MASK)
              .reinterpretAsFloats()
              .fma(x, a2);
      a3 =
          IntVector.fromMemorySegment(INTS, values, row + PAIR_BYTES + ODD_BYTES, LITTLE_ENDIAN)
              .lanewise(VectorOperators.ASHR, DOWN)
              .and(ODD_MASK)
              .reinterpretAsFloats()
              .fma(x, a3);
    }
    a0.intoArray(sums, at);
    a1.intoArray(sums, at + COUNT);
    a2.intoArray(sums, at + 2 * COUNT);
    a3.intoArray(sums, at + 3 * COUNT);
  }

  /** 4 rows x 4 vectors of sums stay in registers while the tokens go by. */
  private static void accumulate4(
      RowsAhead ahead,
      MemorySegment values,
      long offset,
      int tokens,
      float[] weights,
      int weightsAt,
      float[] sums,
      int at) {
    ahead.saw(values.get(ValueLayout.JAVA_BYTE, offset));
    int s1 = at + STRIDE;
    int s2 = s1 + STRIDE;
    int s3 = s2 + STRIDE;
    FloatVector a00 = FloatVector.fromArray(FLOATS, sums, at);
    FloatVector a01 = FloatVector.fromArray(FLOATS, sums, at + COUNT);
    FloatVector a02 = FloatVector.fromArray(FLOATS, sums, at + 2 * COUNT);
    FloatVector a03 = FloatVector.fromArray(FLOATS, sums, at + 3 * COUNT);
    FloatVector a10 = FloatVector.fromArray(FLOATS, sums, s1);
    FloatVector a11 = FloatVector.fromArray(FLOATS, sums, s1 + COUNT);
    FloatVector a12 = FloatVector.fromArray(FLOATS, sums, s1 + 2 * COUNT);
    FloatVector a13 = FloatVector.fromArray(FLOATS, sums, s1 + 3 * COUNT);
    FloatVector a20 = FloatVector.fromArray(FLOATS, sums, s2);
    FloatVector a21 = FloatVector.fromArray(FLOATS, sums, s2 + COUNT);
    FloatVector a22 = FloatVector.fromArray(FLOATS, sums, s2 + 2 * COUNT);
    FloatVector a23 = FloatVector.fromArray(FLOATS, sums, s2 + 3 * COUNT);
    FloatVector a30 = FloatVector.fromArray(FLOATS, sums, s3);
    FloatVector a31 = FloatVector.fromArray(FLOATS, sums, s3 + COUNT);
    FloatVector a32 = FloatVector.fromArray(FLOATS, sums, s3 + 2 * COUNT);
    FloatVector a33 = FloatVector.fromArray(FLOATS, sums, s3 + 3 * COUNT);
    for (int t = 0; t < tokens; t++) {
      long row = offset + (long) t * ROW_BYTES;
      int w = weightsAt + t / TOKENS * COUNT + t % TOKENS;
      FloatVector v0 =
          IntVector.fromMemorySegment(INTS, values, row, LITTLE_ENDIAN)
              .lanewise(VectorOperators.LSHL, EVEN)
              .lanewise(VectorOperators.ASHR, DOWN)
              .and(EVEN_MASK)
              .reinterpretAsFloats();
      FloatVector v1 =
          IntVector.fromMemorySegment(INTS, values, row + ODD_BYTES, LITTLE_ENDIAN)
              .lanewise(VectorOperators.ASHR, DOWN)
              .and(ODD_MASK)
              .reinterpretAsFloats();
      FloatVector v2 =
          IntVector.fromMemorySegment(INTS, values, row + PAIR_BYTES, LITTLE_ENDIAN)
              .lanewise(VectorOperators.LSHL, EVEN)
              .lanewise(VectorOperators.ASHR, DOWN)
              .and(EVEN_MASK)
              .reinterpretAsFloats();
      FloatVector v3 =
          IntVector.fromMemorySegment(INTS, values, row + PAIR_BYTES + ODD_BYTES, LITTLE_ENDIAN)
              .lanewise(VectorOperators.ASHR, DOWN)
              .and(ODD_MASK)
              .reinterpretAsFloats();
      FloatVector x = FloatVector.broadcast(FLOATS, weights[w]);
      a00 = v0.fma(x, a00);
      a01 = v1.fma(x, a01);
      a02 = v2.fma(x, a02);
      a03 = v3.fma(x, a03);
      x = FloatVector.broadcast(FLOATS, weights[w + TOKENS]);
      a10 = v0.fma(x, a10);
      a11 = v1.fma(x, a11);
      a12 = v2.fma(x, a12);
      a13 = v3.fma(x, a13);
      x = FloatVector.broadcast(FLOATS, weights[w + 2 * TOKENS]);
      a20 = v0.fma(x, a20);
      a21 = v1.fma(x, a21);
      a22 = v2.fma(x, a22);
      a23 = v3.fma(x, a23);
      x = FloatVector.broadcast(FLOATS, weights[w + 3 * TOKENS]);
      a30 = v0.fma(x, a30);
      a31 = v1.fma(x, a31);
      a32 = v2.fma(x, a32);
      a33 = v3.fma(x, a33);
    }
    a00.intoArray(sums, at);
    a01.intoArray(sums, at + COUNT);
    a02.intoArray(sums, at + 2 * COUNT);
    a03.intoArray(sums, at + 3 * COUNT);
    a10.intoArray(sums, s1);
    a11.intoArray(sums, s1 + COUNT);
    a12.intoArray(sums, s1 + 2 * COUNT);
    a13.intoArray(sums, s1 + 3 * COUNT);
    a20.intoArray(sums, s2);
    a21.intoArray(sums, s2 + COUNT);
    a22.intoArray(sums, s2 + 2 * COUNT);
    a23.intoArray(sums, s2 + 3 * COUNT);
    a30.intoArray(sums, s3);
    a31.intoArray(sums, s3 + COUNT);
    a32.intoArray(sums, s3 + 2 * COUNT);
    a33.intoArray(sums, s3 + 3 * COUNT);
  }

  /** 4 rows x 2 vectors of sums stay in registers while the tokens go by. */
  private static void accumulate2(
      RowsAhead ahead,
      MemorySegment values,
      long offset,
      int tokens,
      float[] weights,
      int weightsAt,
      float[] sums,
      int at) {
    ahead.saw(values.get(ValueLayout.JAVA_BYTE, offset));
    int s1 = at + STRIDE;
    int s2 = s1 + STRIDE;
    int s3 = s2 + STRIDE;
    FloatVector a00 = FloatVector.fromArray(FLOATS, sums, at);
    FloatVector a01 = FloatVector.fromArray(FLOATS, sums, at + COUNT);
    FloatVector a10 = FloatVector.fromArray(FLOATS, sums, s1);
    FloatVector a11 = FloatVector.fromArray(FLOATS, sums, s1 + COUNT);
    FloatVector a20 = FloatVector.fromArray(FLOATS, sums, s2);
    FloatVector a21 = FloatVector.fromArray(FLOATS, sums, s2 + COUNT);
    FloatVector a30 = FloatVector.fromArray(FLOATS, sums, s3);
    FloatVector a31 = FloatVector.fromArray(FLOATS, sums, s3 + COUNT);
    for (int t = 0; t < tokens; t++) {
      long row = offset + (long) t * ROW_BYTES;
      int w = weightsAt + t / TOKENS * COUNT + t % TOKENS;
      FloatVector v0 =
          IntVector.fromMemorySegment(INTS, values, row, LITTLE_ENDIAN)
              .lanewise(VectorOperators.LSHL, EVEN)
              .lanewise(VectorOperators.ASHR, DOWN)
              .and(EVEN_MASK)
              .reinterpretAsFloats();
      FloatVector v1 =
          IntVector.fromMemorySegment(INTS, values, row + ODD_BYTES, LITTLE_ENDIAN)
              .lanewise(VectorOperators.ASHR, DOWN)
              .and(ODD_MASK)
              .reinterpretAsFloats();
      FloatVector x = FloatVector.broadcast(FLOATS, weights[w]);
      a00 = v0.fma(x, a00);
      a01 = v1.fma(x, a01);
      x = FloatVector.broadcast(FLOATS, weights[w + TOKENS]);
      a10 = v0.fma(x, a10);
      a11 = v1.fma(x, a11);
      x = FloatVector.broadcast(FLOATS, weights[w + 2 * TOKENS]);
      a20 = v0.fma(x, a20);
      a21 = v1.fma(x, a21);
      x = FloatVector.broadcast(FLOATS, weights[w + 3 * TOKENS]);
      a30 = v0.fma(x, a30);
      a31 = v1.fma(x, a31);
    }
    a00.intoArray(sums, at);
    a01.intoArray(sums, at + COUNT);
    a10.intoArray(sums, s1);
    a11.intoArray(sums, s1 + COUNT);
    a20.intoArray(sums, s2);
    a21.intoArray(sums, s2 + COUNT);
    a30.intoArray(sums, s3);
    a31.intoArray(sums, s3 + COUNT);
  }

  /** 4 rows x 1 vector of sums stay in registers while the tokens go by. */
  private static void accumulate1(
      RowsAhead ahead,
      MemorySegment values,
      long offset,
      int tokens,
      float[] weights,
      int weightsAt,
      float[] sums,
      int at) {
    ahead.saw(values.get(ValueLayout.JAVA_BYTE, offset));
    int s1 = at + STRIDE;
    int s2 = s1 + STRIDE;
    int s3 = s2 + STRIDE;
    FloatVector a00 = FloatVector.fromArray(FLOATS, sums, at);
    FloatVector a10 = FloatVector.fromArray(FLOATS, sums, s1);
    FloatVector a20 = FloatVector.fromArray(FLOATS, sums, s2);
    FloatVector a30 = FloatVector.fromArray(FLOATS, sums, s3);
    for (int t = 0; t < tokens; t++) {
      long row = offset + (long) t * ROW_BYTES;
      int w = weightsAt + t / TOKENS * COUNT + t % TOKENS;
      FloatVector v0 = single(values, row);
      FloatVector x = FloatVector.broadcast(FLOATS, weights[w]);
      a00 = v0.fma(x, a00);
      x = FloatVector.broadcast(FLOATS, weights[w + TOKENS]);
      a10 = v0.fma(x, a10);
      x = FloatVector.broadcast(FLOATS, weights[w + 2 * TOKENS]);
      a20 = v0.fma(x, a20);
      x = FloatVector.broadcast(FLOATS, weights[w + 3 * TOKENS]);
      a30 = v0.fma(x, a30);
    }
    a00.intoArray(sums, at);
    a10.intoArray(sums, s1);
    a20.intoArray(sums, s2);
    a30.intoArray(sums, s3);
  }

  /** The values that fill no vector. */
  private static void addTail(
      MemorySegment values,
      long offset,
      int tokens,
      float[] weights,
      int weightsAt,
      float[] sums,
      int at) {
    for (int t = 0; t < tokens; t++) {
      int w = weightsAt + t / TOKENS * COUNT + t % TOKENS;
      for (int i = IN_VECTORS; i < DIM; i++) {
        float v = Elements.decode(TYPE, values, offset + (long) t * ROW_BYTES, i) / WEIGHT_SCALE;
        for (int row = 0; row < Kernels.ROWS; row++) {
          int sum = at + row * STRIDE + i;
          sums[sum] = Math.fma(weights[w + row * TOKENS], v, sums[sum]);
        }
      }
    }
  }

  @Override
  public void finish(float[] sums, int at, float divisor, MemorySegment to, long offset) {
    float factor = 1 / divisor;
    if (TYPE == KvType.F32) {
      // In their order already. Interpreted code is slow at setting a segment number by number.
      for (int i = at; i < at + DIM; i++) {
        sums[i] = sums[i] * factor + 0f;
      }
      MemorySegment.copy(sums, at, to, FLOAT, offset, DIM);
      return;
    }
    for (int i = 0; i < DIM; i++) {
      // Adding 0 turns a negative zero, which masked tokens may or may not touch, into 0.
      to.set(FLOAT, offset + (long) order[i] * Float.BYTES, sums[at + i] * factor + 0f);
    }
  }

  /** One vector of values at this offset, in their order. */
  private static FloatVector single(MemorySegment from, long offset) {
    if (TYPE == KvType.F32) {
      return FloatVector.fromMemorySegment(FLOATS, from, offset, LITTLE_ENDIAN);
    }
    IntVector high =
        ((IntVector)
                ShortVector.fromMemorySegment(SHORTS, from, offset, LITTLE_ENDIAN)
                    .convertShape(VectorOperators.ZERO_EXTEND_S2I, INTS, 0))
            .lanewise(VectorOperators.LSHL, 16);
    return TYPE == KvType.BF16 ? high.reinterpretAsFloats() : half(high);
  }

  /**
   * The binary16 in the upper half of each lane, times 2^-112: sign, exponent and mantissa shifted
   * to where a binary32 has them, which is exact for subnormal ones too.
   */
  private static FloatVector half(IntVector high) {
    return high.lanewise(VectorOperators.ASHR, 3).and(0x8fff_e000).reinterpretAsFloats();
  }
}
