package io.gatun.attention;

import static io.gatun.attention.Lanes.BIT_0;
import static io.gatun.attention.Lanes.BIT_1;
import static io.gatun.attention.Lanes.CODES;
import static io.gatun.attention.Lanes.COUNT;
import static io.gatun.attention.Lanes.FLOATS;
import static io.gatun.attention.Lanes.INTS;
import static io.gatun.cache.KvType.GROUP;
import static io.gatun.cache.KvType.LE_FLOAT;
import static java.nio.ByteOrder.LITTLE_ENDIAN;
import static jdk.incubator.vector.VectorOperators.ASHR;
import static jdk.incubator.vector.VectorOperators.B2F;
import static jdk.incubator.vector.VectorOperators.I2F;
import static jdk.incubator.vector.VectorOperators.LSHL;
import static jdk.incubator.vector.VectorOperators.LSHR;
import static jdk.incubator.vector.VectorOperators.ZERO_EXTEND_B2I;

import io.gatun.attention.code.Floats;
import io.gatun.cache.Hadamard;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.lang.invoke.MethodHandles;
import jdk.incubator.vector.ByteVector;
import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.IntVector;
import jdk.incubator.vector.VectorShape;
import jdk.incubator.vector.VectorShuffle;
import jdk.incubator.vector.VectorSpecies;

/**
 * Weighted sums of quantised values on the Vector API. Copied for each row format by {@link
 * Specialized}.
 *
 * <p>The scales go into the weights: for each group a plane of weights times scales is made first,
 * 4 rows and several tokens in a vector, so that the long loops are left with codes that become
 * floats and are multiplied and added. Every element of a sum takes the tokens in one after the
 * other, whatever the blocking.
 */
final class QuantValues implements ValueKernel {
  private static final RowFormat FORMAT = Specialized.format(MethodHandles.lookup());
  private static final boolean BYTE_CODES = FORMAT.type().bits() == 8;
  private static final int DIM = FORMAT.dim();
  private static final int ROW_BYTES = FORMAT.rowBytes();
  private static final int SCALE_BYTES = FORMAT.scaleBytes();
  private static final int STRIDE = QuantRows.stride(FORMAT);
  private static final int GROUPS = FORMAT.type().scales(DIM);

  /**
   * Tokens that are taken in at a time, group by group: enough to be worth bringing the sums to and
   * from the registers, few enough to ask for rows in between.
   */
  private static final int BATCH = 32;

  /** Codes in a byte. */
  private static final int PER_BYTE = BYTE_CODES ? 1 : 2;

  /** What the 4-bit codes stand for, as the bits of floats. */
  private static final IntVector LEVELS =
      COUNT == 16 ? QuantRows.levels().reinterpretAsInts() : null;

  private static final ValueLayout.OfFloat FLOAT = ValueLayout.JAVA_FLOAT_UNALIGNED;

  /** Tokens whose weights for one row stand side by side. */
  private static final int TOKENS = COUNT / Kernels.ROWS;

  /** All scales of as many tokens, if that is a vector. */
  private static final VectorSpecies<Float> SCALES = scales();

  /** From scales {@code [TOKENS][scales of a row]} the first of each token, for each row. */
  private static final VectorShuffle<Float> SPREAD =
      VectorShuffle.fromOp(FLOATS, i -> i % TOKENS * (SCALE_BYTES / Float.BYTES) % COUNT);

  private final int[] swaps = QuantRows.swaps(QuantRows.order(FORMAT));

  private static VectorSpecies<Float> scales() {
    int bits = TOKENS * SCALE_BYTES * Byte.SIZE;
    return switch (bits) {
      case 64, 128, 256, 512 ->
          bits > FLOATS.vectorBitSize()
              ? null
              : VectorSpecies.of(float.class, VectorShape.forBitSize(bits));
      default -> null;
    };
  }

  @Override
  public int stride() {
    return STRIDE;
  }

  @Override
  public float weightScale() {
    return 1;
  }

  @Override
  public int weightPlanes() {
    return 1 + GROUPS;
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
    int plane = weights.length / (1 + GROUPS);
    for (int group = 0; group < GROUPS; group++) {
      int scaledAt = weightsAt + (1 + group) * plane;
      scale(values, scaleOffset + (long) group * Float.BYTES, tokens, weights, weightsAt, scaledAt);
    }
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
          at);
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
      int at) {
    int plane = weights.length / (1 + GROUPS);
    for (int group = 0; group < GROUPS; group++) {
      int scaledAt = weightsAt + (1 + group) * plane;
      int first = group * GROUP;
      int end = Math.min(first + GROUP, STRIDE);
      if (COUNT == 4) {
        ints(ahead, values, offset, first, end, tokens, weights, scaledAt, sums, at);
      } else {
        bytes(ahead, values, offset, first, end, tokens, weights, scaledAt, sums, at);
      }
      ahead.amongValues(tokens, GROUPS);
    }
  }

  /** Writes the weights times the scales of one group, both of the same rows, to another plane. */
  private static void scale(
      MemorySegment values, long offset, int tokens, float[] weights, int weightsAt, int scaledAt) {
    int t = 0;
    if (SCALES != null) {
      // Not the last tokens: the load takes in up to a row's scales behind those that are wanted.
      for (; t + TOKENS < tokens; t += TOKENS) {
        FloatVector scales =
            ((FloatVector)
                    FloatVector.fromMemorySegment(
                            SCALES, values, offset + (long) t * SCALE_BYTES, LITTLE_ENDIAN)
                        .reinterpretShape(FLOATS, 0))
                .rearrange(SPREAD);
        int i = t * Kernels.ROWS;
        FloatVector.fromArray(FLOATS, weights, weightsAt + i)
            .mul(scales)
            .intoArray(weights, scaledAt + i);
      }
    }
    for (; t < tokens; t += TOKENS) {
      // Written out: C2 does not promise to inline a method of ours, and then vectors are objects.
      long z0 = offset + (long) t * SCALE_BYTES;
      FloatVector scales = FloatVector.broadcast(FLOATS, values.get(LE_FLOAT, z0));
      if (TOKENS > 1) {
        long z1 = offset + (long) Math.min(t + 1, tokens - 1) * SCALE_BYTES;
        scales = scales.blend(values.get(LE_FLOAT, z1), BIT_0);
      }
      if (TOKENS > 2) {
        long z2 = offset + (long) Math.min(t + 2, tokens - 1) * SCALE_BYTES;
        long z3 = offset + (long) Math.min(t + 3, tokens - 1) * SCALE_BYTES;
        FloatVector third = FloatVector.broadcast(FLOATS, values.get(LE_FLOAT, z2));
        scales = scales.blend(third.blend(values.get(LE_FLOAT, z3), BIT_0), BIT_1);
      }
      int i = t * Kernels.ROWS;
      FloatVector.fromArray(FLOATS, weights, weightsAt + i)
          .mul(scales)
          .intoArray(weights, scaledAt + i);
    }
  }

  /** The slots {@code [first, end)} of all rows, as many bytes a load as a vector has lanes. */
  private static void bytes(
      RowsAhead ahead,
      MemorySegment values,
      long offset,
      int first,
      int end,
      int tokens,
      float[] weights,
      int weightsAt,
      float[] sums,
      int at) {
    int i = first;
    // 16 sums and 4 values need more registers than the narrower instruction sets have.
    if (COUNT == 16) {
      for (; i + 4 * COUNT <= end; i += 4 * COUNT) {
        accumulate4(ahead, values, offset + i / PER_BYTE, tokens, weights, weightsAt, sums, at + i);
      }
    }
    for (; i + 2 * COUNT <= end; i += 2 * COUNT) {
      accumulate2(ahead, values, offset + i / PER_BYTE, tokens, weights, weightsAt, sums, at + i);
    }
    if (i < end) {
      accumulate1(ahead, values, offset + i, tokens, weights, weightsAt, sums, at + i);
    }
  }

  /** The same, 16 bytes a load as 4 ints, of which two vectors of codes are taken at a time. */
  private static void ints(
      RowsAhead ahead,
      MemorySegment values,
      long offset,
      int first,
      int end,
      int tokens,
      float[] weights,
      int weightsAt,
      float[] sums,
      int at) {
    int perLoad = 4 * Integer.BYTES * PER_BYTE;
    for (int i = first; i < end; i += perLoad) {
      for (int vector = 0; vector < perLoad / COUNT; vector += 2) {
        int shift = BYTE_CODES ? 24 - 8 * vector : 4 * vector;
        long from = offset + i / PER_BYTE;
        int to = at + i + vector * COUNT;
        accumulateInts(ahead, values, from, shift, tokens, weights, weightsAt, sums, to);
      }
    }
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
      IntVector w0 =
          BYTE_CODES
              ? null
              : ((IntVector)
                  ByteVector.fromMemorySegment(CODES, values, row, LITTLE_ENDIAN)
                      .convertShape(ZERO_EXTEND_B2I, INTS, 0));
      FloatVector v0 =
          BYTE_CODES
              ? ((FloatVector)
                  ByteVector.fromMemorySegment(CODES, values, row, LITTLE_ENDIAN)
                      .convertShape(B2F, FLOATS, 0))
              : w0.selectFrom(LEVELS).reinterpretAsFloats();
      FloatVector v1 =
          BYTE_CODES
              ? ((FloatVector)
                  ByteVector.fromMemorySegment(CODES, values, row + COUNT, LITTLE_ENDIAN)
                      .convertShape(B2F, FLOATS, 0))
              : w0.lanewise(LSHR, 4).selectFrom(LEVELS).reinterpretAsFloats();
      IntVector w1 =
          BYTE_CODES
              ? null
              : ((IntVector)
                  ByteVector.fromMemorySegment(CODES, values, row + COUNT, LITTLE_ENDIAN)
                      .convertShape(ZERO_EXTEND_B2I, INTS, 0));
      FloatVector v2 =
          BYTE_CODES
              ? ((FloatVector)
                  ByteVector.fromMemorySegment(CODES, values, row + 2 * COUNT, LITTLE_ENDIAN)
                      .convertShape(B2F, FLOATS, 0))
              : w1.selectFrom(LEVELS).reinterpretAsFloats();
      FloatVector v3 =
          BYTE_CODES
              ? ((FloatVector)
                  ByteVector.fromMemorySegment(CODES, values, row + 3 * COUNT, LITTLE_ENDIAN)
                      .convertShape(B2F, FLOATS, 0))
              : w1.lanewise(LSHR, 4).selectFrom(LEVELS).reinterpretAsFloats();
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
      IntVector w0 =
          BYTE_CODES
              ? null
              : ((IntVector)
                  ByteVector.fromMemorySegment(CODES, values, row, LITTLE_ENDIAN)
                      .convertShape(ZERO_EXTEND_B2I, INTS, 0));
      FloatVector v0 =
          BYTE_CODES
              ? ((FloatVector)
                  ByteVector.fromMemorySegment(CODES, values, row, LITTLE_ENDIAN)
                      .convertShape(B2F, FLOATS, 0))
              : ((FloatVector) w0.and(15).convert(I2F, 0)).sub(8f);
      FloatVector v1 =
          BYTE_CODES
              ? ((FloatVector)
                  ByteVector.fromMemorySegment(CODES, values, row + COUNT, LITTLE_ENDIAN)
                      .convertShape(B2F, FLOATS, 0))
              : ((FloatVector) w0.lanewise(LSHR, 4).convert(I2F, 0)).sub(8f);
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

  /** 4 rows x 1 vector of sums, of 8-bit codes: 4-bit ones come in pairs of vectors. */
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
      FloatVector v0 =
          ((FloatVector)
              ByteVector.fromMemorySegment(CODES, values, row, LITTLE_ENDIAN)
                  .convertShape(B2F, FLOATS, 0));
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

  /** 4 rows x 2 vectors of sums, of the codes that lie {@code shift} bits high in each int. */
  private static void accumulateInts(
      RowsAhead ahead,
      MemorySegment values,
      long offset,
      int shift,
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
      IntVector w0 = IntVector.fromMemorySegment(INTS, values, row, LITTLE_ENDIAN);
      FloatVector v0 =
          BYTE_CODES
              ? (FloatVector) w0.lanewise(LSHL, shift).lanewise(ASHR, 24).convert(I2F, 0)
              : ((FloatVector) w0.lanewise(LSHR, shift).and(15).convert(I2F, 0)).sub(8f);
      FloatVector v1 =
          BYTE_CODES
              ? (FloatVector) w0.lanewise(LSHL, shift - 8).lanewise(ASHR, 24).convert(I2F, 0)
              : ((FloatVector) w0.lanewise(LSHR, shift + 4).and(15).convert(I2F, 0)).sub(8f);
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

  @Override
  public void finish(float[] sums, int at, float divisor, MemorySegment to, long offset) {
    QuantRows.toSlots(swaps, sums, at);
    float factor = 1 / divisor;
    for (int i = at; i < at + DIM; i++) {
      // Adding 0 turns a negative zero, which masked tokens may or may not touch, into 0.
      sums[i] = sums[i] * factor + 0f;
    }
    Hadamard.rotate(sums, at, DIM, FORMAT.rotation());
    MemorySegment.copy(sums, at, to, FLOAT, offset, DIM);
  }
}
