package io.gatun.attention;

import static io.gatun.attention.Lanes.BIT_0;
import static io.gatun.attention.Lanes.BIT_1;
import static io.gatun.attention.Lanes.BIT_2;
import static io.gatun.attention.Lanes.BIT_3;
import static io.gatun.attention.Lanes.CODES;
import static io.gatun.attention.Lanes.COUNT;
import static io.gatun.attention.Lanes.FLOATS;
import static io.gatun.attention.Lanes.INTS;
import static io.gatun.attention.Lanes.SWAP_0;
import static io.gatun.attention.Lanes.SWAP_1;
import static io.gatun.attention.Lanes.SWAP_2;
import static io.gatun.attention.Lanes.SWAP_3;
import static io.gatun.cache.KvType.GROUP;
import static io.gatun.cache.KvType.LE_FLOAT;
import static java.nio.ByteOrder.LITTLE_ENDIAN;
import static jdk.incubator.vector.VectorOperators.ADD;
import static jdk.incubator.vector.VectorOperators.B2F;
import static jdk.incubator.vector.VectorOperators.FMA;
import static jdk.incubator.vector.VectorOperators.LSHR;
import static jdk.incubator.vector.VectorOperators.MUL;
import static jdk.incubator.vector.VectorOperators.ZERO_EXTEND_B2I;

import io.gatun.attention.code.Floats;
import java.lang.foreign.MemorySegment;
import java.lang.invoke.MethodHandles;
import jdk.incubator.vector.ByteVector;
import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.IntVector;

/**
 * Scores with vectors of 16 floats of quantised rows: 4 rows and 4 tokens at a time, 16 dot products
 * side by side. Copied for each row format by {@link Specialized}.
 *
 * <p>Everything stands in one method, and the sums over lanes are written out, because C2 stops
 * inlining methods that are not the JDK's own when a method has grown this long; a vector that
 * crosses a call becomes an object. And it says {@code lanewise} where {@code add}, {@code mul} and
 * {@code fma} would do: that is declared by the class of the machine's vectors, so that C2 knows
 * the class of a result even before it has inlined the call; where it did not, it made objects.
 */
final class QuantKeys16 extends QuantKeys {
  private static final RowFormat FORMAT = Specialized.format(MethodHandles.lookup());
  private static final boolean BYTE_CODES = FORMAT.type().bits() == 8;
  private static final int ROW_BYTES = FORMAT.rowBytes();
  private static final int SCALE_BYTES = FORMAT.scaleBytes();
  private static final int STRIDE = QuantRows.stride(FORMAT);
  private static final int IN_PAIRS = STRIDE - STRIDE % (2 * COUNT);

  /** The values of the sixteen 4-bit codes, by their nibble, in units of the scale. */
  private static final FloatVector LEVELS = QuantRows.levels();

  QuantKeys16() {
    super(FORMAT);
  }

  @Override
  public void scores(
      MemorySegment keys,
      long offset,
      long scaleOffset,
      int tokens,
      Floats queries,
      int qAt,
      int rows,
      Floats to,
      int at,
      RowsAhead ahead) {
    float[] q = queries.array();
    float[] scores = to.array();
    int q1 = qAt + STRIDE;
    int q2 = q1 + STRIDE;
    int q3 = q2 + STRIDE;
    for (int t = 0; t < tokens; t += 4) {
      long k0 = offset + (long) t * ROW_BYTES;
      long k1 = offset + (long) Math.min(t + 1, tokens - 1) * ROW_BYTES;
      long k2 = offset + (long) Math.min(t + 2, tokens - 1) * ROW_BYTES;
      long k3 = offset + (long) Math.min(t + 3, tokens - 1) * ROW_BYTES;
      long z0 = scaleOffset + (long) t * SCALE_BYTES;
      long z1 = scaleOffset + (long) Math.min(t + 1, tokens - 1) * SCALE_BYTES;
      long z2 = scaleOffset + (long) Math.min(t + 2, tokens - 1) * SCALE_BYTES;
      long z3 = scaleOffset + (long) Math.min(t + 3, tokens - 1) * SCALE_BYTES;
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
      for (int i = 0; i < IN_PAIRS; i += 2 * COUNT) {
        long scale = (long) (i / GROUP) * Float.BYTES;
        float f0 = keys.get(LE_FLOAT, z0 + scale);
        float f1 = keys.get(LE_FLOAT, z1 + scale);
        float f2 = keys.get(LE_FLOAT, z2 + scale);
        float f3 = keys.get(LE_FLOAT, z3 + scale);
        FloatVector s0 = BYTE_CODES ? FloatVector.broadcast(FLOATS, f0) : null;
        FloatVector s1 = BYTE_CODES ? FloatVector.broadcast(FLOATS, f1) : null;
        FloatVector s2 = BYTE_CODES ? FloatVector.broadcast(FLOATS, f2) : null;
        FloatVector s3 = BYTE_CODES ? FloatVector.broadcast(FLOATS, f3) : null;
        IntVector l0 =
            BYTE_CODES
                ? null
                : LEVELS.lanewise(MUL, FloatVector.broadcast(FLOATS, f0)).reinterpretAsInts();
        IntVector l1 =
            BYTE_CODES
                ? null
                : LEVELS.lanewise(MUL, FloatVector.broadcast(FLOATS, f1)).reinterpretAsInts();
        IntVector l2 =
            BYTE_CODES
                ? null
                : LEVELS.lanewise(MUL, FloatVector.broadcast(FLOATS, f2)).reinterpretAsInts();
        IntVector l3 =
            BYTE_CODES
                ? null
                : LEVELS.lanewise(MUL, FloatVector.broadcast(FLOATS, f3)).reinterpretAsInts();
        FloatVector x0 = FloatVector.fromArray(FLOATS, q, qAt + i);
        FloatVector x1 = FloatVector.fromArray(FLOATS, q, q1 + i);
        FloatVector x2 = FloatVector.fromArray(FLOATS, q, q2 + i);
        FloatVector x3 = FloatVector.fromArray(FLOATS, q, q3 + i);
        IntVector w0 =
            BYTE_CODES
                ? null
                : ((IntVector)
                    ByteVector.fromMemorySegment(CODES, keys, k0 + from, LITTLE_ENDIAN)
                        .convertShape(ZERO_EXTEND_B2I, INTS, 0));
        FloatVector k =
            BYTE_CODES
                ? ((FloatVector)
                        ByteVector.fromMemorySegment(CODES, keys, k0 + from, LITTLE_ENDIAN)
                            .convertShape(B2F, FLOATS, 0))
                    .lanewise(MUL, s0)
                : w0.selectFrom(l0).reinterpretAsFloats();
        a00 = x0.lanewise(FMA, k, a00);
        a10 = x1.lanewise(FMA, k, a10);
        a20 = x2.lanewise(FMA, k, a20);
        a30 = x3.lanewise(FMA, k, a30);
        IntVector w1 =
            BYTE_CODES
                ? null
                : ((IntVector)
                    ByteVector.fromMemorySegment(CODES, keys, k1 + from, LITTLE_ENDIAN)
                        .convertShape(ZERO_EXTEND_B2I, INTS, 0));
        k =
            BYTE_CODES
                ? ((FloatVector)
                        ByteVector.fromMemorySegment(CODES, keys, k1 + from, LITTLE_ENDIAN)
                            .convertShape(B2F, FLOATS, 0))
                    .lanewise(MUL, s1)
                : w1.selectFrom(l1).reinterpretAsFloats();
        a01 = x0.lanewise(FMA, k, a01);
        a11 = x1.lanewise(FMA, k, a11);
        a21 = x2.lanewise(FMA, k, a21);
        a31 = x3.lanewise(FMA, k, a31);
        IntVector w2 =
            BYTE_CODES
                ? null
                : ((IntVector)
                    ByteVector.fromMemorySegment(CODES, keys, k2 + from, LITTLE_ENDIAN)
                        .convertShape(ZERO_EXTEND_B2I, INTS, 0));
        k =
            BYTE_CODES
                ? ((FloatVector)
                        ByteVector.fromMemorySegment(CODES, keys, k2 + from, LITTLE_ENDIAN)
                            .convertShape(B2F, FLOATS, 0))
                    .lanewise(MUL, s2)
                : w2.selectFrom(l2).reinterpretAsFloats();
        a02 = x0.lanewise(FMA, k, a02);
        a12 = x1.lanewise(FMA, k, a12);
        a22 = x2.lanewise(FMA, k, a22);
        a32 = x3.lanewise(FMA, k, a32);
        IntVector w3 =
            BYTE_CODES
                ? null
                : ((IntVector)
                    ByteVector.fromMemorySegment(CODES, keys, k3 + from, LITTLE_ENDIAN)
                        .convertShape(ZERO_EXTEND_B2I, INTS, 0));
        k =
            BYTE_CODES
                ? ((FloatVector)
                        ByteVector.fromMemorySegment(CODES, keys, k3 + from, LITTLE_ENDIAN)
                            .convertShape(B2F, FLOATS, 0))
                    .lanewise(MUL, s3)
                : w3.selectFrom(l3).reinterpretAsFloats();
        a03 = x0.lanewise(FMA, k, a03);
        a13 = x1.lanewise(FMA, k, a13);
        a23 = x2.lanewise(FMA, k, a23);
        a33 = x3.lanewise(FMA, k, a33);
        x0 = FloatVector.fromArray(FLOATS, q, qAt + i + COUNT);
        x1 = FloatVector.fromArray(FLOATS, q, q1 + i + COUNT);
        x2 = FloatVector.fromArray(FLOATS, q, q2 + i + COUNT);
        x3 = FloatVector.fromArray(FLOATS, q, q3 + i + COUNT);
        k =
            BYTE_CODES
                ? ((FloatVector)
                        ByteVector.fromMemorySegment(CODES, keys, k0 + from + 16, LITTLE_ENDIAN)
                            .convertShape(B2F, FLOATS, 0))
                    .lanewise(MUL, s0)
                : w0.lanewise(LSHR, 4).selectFrom(l0).reinterpretAsFloats();
        a00 = x0.lanewise(FMA, k, a00);
        a10 = x1.lanewise(FMA, k, a10);
        a20 = x2.lanewise(FMA, k, a20);
        a30 = x3.lanewise(FMA, k, a30);
        k =
            BYTE_CODES
                ? ((FloatVector)
                        ByteVector.fromMemorySegment(CODES, keys, k1 + from + 16, LITTLE_ENDIAN)
                            .convertShape(B2F, FLOATS, 0))
                    .lanewise(MUL, s1)
                : w1.lanewise(LSHR, 4).selectFrom(l1).reinterpretAsFloats();
        a01 = x0.lanewise(FMA, k, a01);
        a11 = x1.lanewise(FMA, k, a11);
        a21 = x2.lanewise(FMA, k, a21);
        a31 = x3.lanewise(FMA, k, a31);
        k =
            BYTE_CODES
                ? ((FloatVector)
                        ByteVector.fromMemorySegment(CODES, keys, k2 + from + 16, LITTLE_ENDIAN)
                            .convertShape(B2F, FLOATS, 0))
                    .lanewise(MUL, s2)
                : w2.lanewise(LSHR, 4).selectFrom(l2).reinterpretAsFloats();
        a02 = x0.lanewise(FMA, k, a02);
        a12 = x1.lanewise(FMA, k, a12);
        a22 = x2.lanewise(FMA, k, a22);
        a32 = x3.lanewise(FMA, k, a32);
        k =
            BYTE_CODES
                ? ((FloatVector)
                        ByteVector.fromMemorySegment(CODES, keys, k3 + from + 16, LITTLE_ENDIAN)
                            .convertShape(B2F, FLOATS, 0))
                    .lanewise(MUL, s3)
                : w3.lanewise(LSHR, 4).selectFrom(l3).reinterpretAsFloats();
        a03 = x0.lanewise(FMA, k, a03);
        a13 = x1.lanewise(FMA, k, a13);
        a23 = x2.lanewise(FMA, k, a23);
        a33 = x3.lanewise(FMA, k, a33);
        from += BYTE_CODES ? 32 : 16;
      }
      if (IN_PAIRS < STRIDE) {
        // One vector of 8-bit codes is left over: 4-bit ones come in pairs.
        long scale = (long) (IN_PAIRS / GROUP) * Float.BYTES;
        FloatVector x0 = FloatVector.fromArray(FLOATS, q, qAt + IN_PAIRS);
        FloatVector x1 = FloatVector.fromArray(FLOATS, q, q1 + IN_PAIRS);
        FloatVector x2 = FloatVector.fromArray(FLOATS, q, q2 + IN_PAIRS);
        FloatVector x3 = FloatVector.fromArray(FLOATS, q, q3 + IN_PAIRS);
        FloatVector k =
            ((FloatVector)
                    ByteVector.fromMemorySegment(CODES, keys, k0 + from, LITTLE_ENDIAN)
                        .convertShape(B2F, FLOATS, 0))
                .mul(keys.get(LE_FLOAT, z0 + scale));
        a00 = x0.lanewise(FMA, k, a00);
        a10 = x1.lanewise(FMA, k, a10);
        a20 = x2.lanewise(FMA, k, a20);
        a30 = x3.lanewise(FMA, k, a30);
        k =
            ((FloatVector)
                    ByteVector.fromMemorySegment(CODES, keys, k1 + from, LITTLE_ENDIAN)
                        .convertShape(B2F, FLOATS, 0))
                .mul(keys.get(LE_FLOAT, z1 + scale));
        a01 = x0.lanewise(FMA, k, a01);
        a11 = x1.lanewise(FMA, k, a11);
        a21 = x2.lanewise(FMA, k, a21);
        a31 = x3.lanewise(FMA, k, a31);
        k =
            ((FloatVector)
                    ByteVector.fromMemorySegment(CODES, keys, k2 + from, LITTLE_ENDIAN)
                        .convertShape(B2F, FLOATS, 0))
                .mul(keys.get(LE_FLOAT, z2 + scale));
        a02 = x0.lanewise(FMA, k, a02);
        a12 = x1.lanewise(FMA, k, a12);
        a22 = x2.lanewise(FMA, k, a22);
        a32 = x3.lanewise(FMA, k, a32);
        k =
            ((FloatVector)
                    ByteVector.fromMemorySegment(CODES, keys, k3 + from, LITTLE_ENDIAN)
                        .convertShape(B2F, FLOATS, 0))
                .mul(keys.get(LE_FLOAT, z3 + scale));
        a03 = x0.lanewise(FMA, k, a03);
        a13 = x1.lanewise(FMA, k, a13);
        a23 = x2.lanewise(FMA, k, a23);
        a33 = x3.lanewise(FMA, k, a33);
      }
      FloatVector b0 = a00.blend(a01, BIT_0).lanewise(ADD, a01.blend(a00, BIT_0).rearrange(SWAP_0));
      FloatVector b1 = a02.blend(a03, BIT_0).lanewise(ADD, a03.blend(a02, BIT_0).rearrange(SWAP_0));
      FloatVector b2 = a10.blend(a11, BIT_0).lanewise(ADD, a11.blend(a10, BIT_0).rearrange(SWAP_0));
      FloatVector b3 = a12.blend(a13, BIT_0).lanewise(ADD, a13.blend(a12, BIT_0).rearrange(SWAP_0));
      FloatVector b4 = a20.blend(a21, BIT_0).lanewise(ADD, a21.blend(a20, BIT_0).rearrange(SWAP_0));
      FloatVector b5 = a22.blend(a23, BIT_0).lanewise(ADD, a23.blend(a22, BIT_0).rearrange(SWAP_0));
      FloatVector b6 = a30.blend(a31, BIT_0).lanewise(ADD, a31.blend(a30, BIT_0).rearrange(SWAP_0));
      FloatVector b7 = a32.blend(a33, BIT_0).lanewise(ADD, a33.blend(a32, BIT_0).rearrange(SWAP_0));
      FloatVector b8 = b0.blend(b1, BIT_1).lanewise(ADD, b1.blend(b0, BIT_1).rearrange(SWAP_1));
      FloatVector b9 = b2.blend(b3, BIT_1).lanewise(ADD, b3.blend(b2, BIT_1).rearrange(SWAP_1));
      FloatVector b10 = b4.blend(b5, BIT_1).lanewise(ADD, b5.blend(b4, BIT_1).rearrange(SWAP_1));
      FloatVector b11 = b6.blend(b7, BIT_1).lanewise(ADD, b7.blend(b6, BIT_1).rearrange(SWAP_1));
      FloatVector b12 = b8.blend(b9, BIT_2).lanewise(ADD, b9.blend(b8, BIT_2).rearrange(SWAP_2));
      FloatVector b13 =
          b10.blend(b11, BIT_2).lanewise(ADD, b11.blend(b10, BIT_2).rearrange(SWAP_2));
      FloatVector b14 =
          b12.blend(b13, BIT_3).lanewise(ADD, b13.blend(b12, BIT_3).rearrange(SWAP_3));
      b14.intoArray(scores, at + 4 * t);
      ahead.amongKeys(4);
    }
  }
}
