package io.gatun.attention;

import static io.gatun.attention.Lanes.BIT_0;
import static io.gatun.attention.Lanes.BIT_1;
import static io.gatun.attention.Lanes.BIT_2;
import static io.gatun.attention.Lanes.BIT_3;
import static io.gatun.attention.Lanes.CODES;
import static io.gatun.attention.Lanes.COUNT;
import static io.gatun.attention.Lanes.FLOATS;
import static io.gatun.attention.Lanes.SWAP_0;
import static io.gatun.attention.Lanes.SWAP_1;
import static io.gatun.attention.Lanes.SWAP_2;
import static io.gatun.attention.Lanes.SWAP_3;
import static io.gatun.cache.KvType.LE_FLOAT;
import static java.nio.ByteOrder.LITTLE_ENDIAN;
import static jdk.incubator.vector.VectorOperators.ADD;
import static jdk.incubator.vector.VectorOperators.B2F;
import static jdk.incubator.vector.VectorOperators.FMA;
import static jdk.incubator.vector.VectorOperators.MUL;

import io.gatun.attention.code.Floats;
import java.lang.foreign.MemorySegment;
import java.lang.invoke.MethodHandles;
import jdk.incubator.vector.ByteVector;
import jdk.incubator.vector.FloatVector;

/**
 * Scores with vectors of 16 floats of 8-bit rows that fill whole groups: 4 rows and 4 tokens at a
 * time, 16 dot products side by side. Copied for each row format by {@link Specialized}.
 *
 * <p>Everything stands in one method, and the sums over lanes are written out, because C2 stops
 * inlining methods that are not the JDK's own when a method has grown this long; a vector that
 * crosses a call becomes an object. And it says {@code lanewise} where {@code add}, {@code mul} and
 * {@code fma} would do: that is declared by the class of the machine's vectors, so that C2 knows
 * the class of a result even before it has inlined the call; where it did not, it made objects.
 */
final class QuantKeys16Wide extends QuantKeys {
  private static final RowFormat FORMAT = Specialized.format(MethodHandles.lookup());
  private static final int ROW_BYTES = FORMAT.rowBytes();
  private static final int SCALE_BYTES = FORMAT.scaleBytes();
  private static final int STRIDE = QuantRows.stride(FORMAT);

  QuantKeys16Wide() {
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
      long scale = 0;
      // A group at a time: its four vectors share the scale.
      for (int i = 0; i < STRIDE; i += 4 * COUNT) {
        float f0 = keys.get(LE_FLOAT, z0 + scale);
        float f1 = keys.get(LE_FLOAT, z1 + scale);
        float f2 = keys.get(LE_FLOAT, z2 + scale);
        float f3 = keys.get(LE_FLOAT, z3 + scale);
        FloatVector s0 = FloatVector.broadcast(FLOATS, f0);
        FloatVector s1 = FloatVector.broadcast(FLOATS, f1);
        FloatVector s2 = FloatVector.broadcast(FLOATS, f2);
        FloatVector s3 = FloatVector.broadcast(FLOATS, f3);
        FloatVector x0 = FloatVector.fromArray(FLOATS, q, qAt + i);
        FloatVector x1 = FloatVector.fromArray(FLOATS, q, q1 + i);
        FloatVector x2 = FloatVector.fromArray(FLOATS, q, q2 + i);
        FloatVector x3 = FloatVector.fromArray(FLOATS, q, q3 + i);
        FloatVector k =
            ((FloatVector)
                    ByteVector.fromMemorySegment(CODES, keys, k0 + from, LITTLE_ENDIAN)
                        .convertShape(B2F, FLOATS, 0))
                .lanewise(MUL, s0);
        a00 = x0.lanewise(FMA, k, a00);
        a10 = x1.lanewise(FMA, k, a10);
        a20 = x2.lanewise(FMA, k, a20);
        a30 = x3.lanewise(FMA, k, a30);
        k =
            ((FloatVector)
                    ByteVector.fromMemorySegment(CODES, keys, k1 + from, LITTLE_ENDIAN)
                        .convertShape(B2F, FLOATS, 0))
                .lanewise(MUL, s1);
        a01 = x0.lanewise(FMA, k, a01);
        a11 = x1.lanewise(FMA, k, a11);
        a21 = x2.lanewise(FMA, k, a21);
        a31 = x3.lanewise(FMA, k, a31);
        k =
            ((FloatVector)
                    ByteVector.fromMemorySegment(CODES, keys, k2 + from, LITTLE_ENDIAN)
                        .convertShape(B2F, FLOATS, 0))
                .lanewise(MUL, s2);
        a02 = x0.lanewise(FMA, k, a02);
        a12 = x1.lanewise(FMA, k, a12);
        a22 = x2.lanewise(FMA, k, a22);
        a32 = x3.lanewise(FMA, k, a32);
        k =
            ((FloatVector)
                    ByteVector.fromMemorySegment(CODES, keys, k3 + from, LITTLE_ENDIAN)
                        .convertShape(B2F, FLOATS, 0))
                .lanewise(MUL, s3);
        a03 = x0.lanewise(FMA, k, a03);
        a13 = x1.lanewise(FMA, k, a13);
        a23 = x2.lanewise(FMA, k, a23);
        a33 = x3.lanewise(FMA, k, a33);
        x0 = FloatVector.fromArray(FLOATS, q, qAt + i + COUNT);
        x1 = FloatVector.fromArray(FLOATS, q, q1 + i + COUNT);
        x2 = FloatVector.fromArray(FLOATS, q, q2 + i + COUNT);
        x3 = FloatVector.fromArray(FLOATS, q, q3 + i + COUNT);
        k =
            ((FloatVector)
                    ByteVector.fromMemorySegment(CODES, keys, k0 + from + 16, LITTLE_ENDIAN)
                        .convertShape(B2F, FLOATS, 0))
                .lanewise(MUL, s0);
        a00 = x0.lanewise(FMA, k, a00);
        a10 = x1.lanewise(FMA, k, a10);
        a20 = x2.lanewise(FMA, k, a20);
        a30 = x3.lanewise(FMA, k, a30);
        k =
            ((FloatVector)
                    ByteVector.fromMemorySegment(CODES, keys, k1 + from + 16, LITTLE_ENDIAN)
                        .convertShape(B2F, FLOATS, 0))
                .lanewise(MUL, s1);
        a01 = x0.lanewise(FMA, k, a01);
        a11 = x1.lanewise(FMA, k, a11);
        a21 = x2.lanewise(FMA, k, a21);
        a31 = x3.lanewise(FMA, k, a31);
        k =
            ((FloatVector)
                    ByteVector.fromMemorySegment(CODES, keys, k2 + from + 16, LITTLE_ENDIAN)
                        .convertShape(B2F, FLOATS, 0))
                .lanewise(MUL, s2);
        a02 = x0.lanewise(FMA, k, a02);
        a12 = x1.lanewise(FMA, k, a12);
        a22 = x2.lanewise(FMA, k, a22);
        a32 = x3.lanewise(FMA, k, a32);
        k =
            ((FloatVector)
                    ByteVector.fromMemorySegment(CODES, keys, k3 + from + 16, LITTLE_ENDIAN)
                        .convertShape(B2F, FLOATS, 0))
                .lanewise(MUL, s3);
        a03 = x0.lanewise(FMA, k, a03);
        a13 = x1.lanewise(FMA, k, a13);
        a23 = x2.lanewise(FMA, k, a23);
        a33 = x3.lanewise(FMA, k, a33);
        x0 = FloatVector.fromArray(FLOATS, q, qAt + i + 2 * COUNT);
        x1 = FloatVector.fromArray(FLOATS, q, q1 + i + 2 * COUNT);
        x2 = FloatVector.fromArray(FLOATS, q, q2 + i + 2 * COUNT);
        x3 = FloatVector.fromArray(FLOATS, q, q3 + i + 2 * COUNT);
        k =
            ((FloatVector)
                    ByteVector.fromMemorySegment(CODES, keys, k0 + from + 32, LITTLE_ENDIAN)
                        .convertShape(B2F, FLOATS, 0))
                .lanewise(MUL, s0);
        a00 = x0.lanewise(FMA, k, a00);
        a10 = x1.lanewise(FMA, k, a10);
        a20 = x2.lanewise(FMA, k, a20);
        a30 = x3.lanewise(FMA, k, a30);
        k =
            ((FloatVector)
                    ByteVector.fromMemorySegment(CODES, keys, k1 + from + 32, LITTLE_ENDIAN)
                        .convertShape(B2F, FLOATS, 0))
                .lanewise(MUL, s1);
        a01 = x0.lanewise(FMA, k, a01);
        a11 = x1.lanewise(FMA, k, a11);
        a21 = x2.lanewise(FMA, k, a21);
        a31 = x3.lanewise(FMA, k, a31);
        k =
            ((FloatVector)
                    ByteVector.fromMemorySegment(CODES, keys, k2 + from + 32, LITTLE_ENDIAN)
                        .convertShape(B2F, FLOATS, 0))
                .lanewise(MUL, s2);
        a02 = x0.lanewise(FMA, k, a02);
        a12 = x1.lanewise(FMA, k, a12);
        a22 = x2.lanewise(FMA, k, a22);
        a32 = x3.lanewise(FMA, k, a32);
        k =
            ((FloatVector)
                    ByteVector.fromMemorySegment(CODES, keys, k3 + from + 32, LITTLE_ENDIAN)
                        .convertShape(B2F, FLOATS, 0))
                .lanewise(MUL, s3);
        a03 = x0.lanewise(FMA, k, a03);
        a13 = x1.lanewise(FMA, k, a13);
        a23 = x2.lanewise(FMA, k, a23);
        a33 = x3.lanewise(FMA, k, a33);
        x0 = FloatVector.fromArray(FLOATS, q, qAt + i + 3 * COUNT);
        x1 = FloatVector.fromArray(FLOATS, q, q1 + i + 3 * COUNT);
        x2 = FloatVector.fromArray(FLOATS, q, q2 + i + 3 * COUNT);
        x3 = FloatVector.fromArray(FLOATS, q, q3 + i + 3 * COUNT);
        k =
            ((FloatVector)
                    ByteVector.fromMemorySegment(CODES, keys, k0 + from + 48, LITTLE_ENDIAN)
                        .convertShape(B2F, FLOATS, 0))
                .lanewise(MUL, s0);
        a00 = x0.lanewise(FMA, k, a00);
        a10 = x1.lanewise(FMA, k, a10);
        a20 = x2.lanewise(FMA, k, a20);
        a30 = x3.lanewise(FMA, k, a30);
        k =
            ((FloatVector)
                    ByteVector.fromMemorySegment(CODES, keys, k1 + from + 48, LITTLE_ENDIAN)
                        .convertShape(B2F, FLOATS, 0))
                .lanewise(MUL, s1);
        a01 = x0.lanewise(FMA, k, a01);
        a11 = x1.lanewise(FMA, k, a11);
        a21 = x2.lanewise(FMA, k, a21);
        a31 = x3.lanewise(FMA, k, a31);
        k =
            ((FloatVector)
                    ByteVector.fromMemorySegment(CODES, keys, k2 + from + 48, LITTLE_ENDIAN)
                        .convertShape(B2F, FLOATS, 0))
                .lanewise(MUL, s2);
        a02 = x0.lanewise(FMA, k, a02);
        a12 = x1.lanewise(FMA, k, a12);
        a22 = x2.lanewise(FMA, k, a22);
        a32 = x3.lanewise(FMA, k, a32);
        k =
            ((FloatVector)
                    ByteVector.fromMemorySegment(CODES, keys, k3 + from + 48, LITTLE_ENDIAN)
                        .convertShape(B2F, FLOATS, 0))
                .lanewise(MUL, s3);
        a03 = x0.lanewise(FMA, k, a03);
        a13 = x1.lanewise(FMA, k, a13);
        a23 = x2.lanewise(FMA, k, a23);
        a33 = x3.lanewise(FMA, k, a33);
        from += 4 * COUNT;
        scale += Float.BYTES;
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
