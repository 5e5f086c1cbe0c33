package io.gatun.attention;

import static io.gatun.attention.Lanes.BIT_0;
import static io.gatun.attention.Lanes.BIT_1;
import static io.gatun.attention.Lanes.BIT_2;
import static io.gatun.attention.Lanes.CODES;
import static io.gatun.attention.Lanes.COUNT;
import static io.gatun.attention.Lanes.FLOATS;
import static io.gatun.attention.Lanes.INTS;
import static io.gatun.attention.Lanes.SWAP_0;
import static io.gatun.attention.Lanes.SWAP_1;
import static io.gatun.attention.Lanes.SWAP_2;
import static io.gatun.cache.KvType.GROUP;
import static io.gatun.cache.KvType.LE_FLOAT;
import static java.nio.ByteOrder.LITTLE_ENDIAN;
import static jdk.incubator.vector.VectorOperators.B2F;
import static jdk.incubator.vector.VectorOperators.I2F;
import static jdk.incubator.vector.VectorOperators.LSHR;
import static jdk.incubator.vector.VectorOperators.ZERO_EXTEND_B2I;

import io.gatun.attention.code.Floats;
import java.lang.foreign.MemorySegment;
import java.lang.invoke.MethodHandles;
import jdk.incubator.vector.ByteVector;
import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.IntVector;

/**
 * Scores with vectors of 8 floats of quantised rows: 4 rows and 2 tokens at a time, 8 dot products side
 * by side. Copied for each row format by {@link Specialized}.
 *
 * <p>Everything stands in one method, and the sums over lanes are written out, because C2 stops
 * inlining methods that are not the JDK's own when a method has grown this long; a vector that
 * crosses a call becomes an object.
 */
final class QuantKeys8 extends QuantKeys {
  private static final RowFormat FORMAT = Specialized.format(MethodHandles.lookup());
  private static final boolean BYTE_CODES = FORMAT.type().bits() == 8;
  private static final int ROW_BYTES = FORMAT.rowBytes();
  private static final int SCALE_BYTES = FORMAT.scaleBytes();
  private static final int STRIDE = QuantRows.stride(FORMAT);

  QuantKeys8() {
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
    for (int t = 0; t < tokens; t += 2) {
      long k0 = offset + (long) t * ROW_BYTES;
      long k1 = offset + (long) Math.min(t + 1, tokens - 1) * ROW_BYTES;
      long z0 = scaleOffset + (long) t * SCALE_BYTES;
      long z1 = scaleOffset + (long) Math.min(t + 1, tokens - 1) * SCALE_BYTES;
      FloatVector a00 = FloatVector.zero(FLOATS);
      FloatVector a01 = FloatVector.zero(FLOATS);
      FloatVector a10 = FloatVector.zero(FLOATS);
      FloatVector a11 = FloatVector.zero(FLOATS);
      FloatVector a20 = FloatVector.zero(FLOATS);
      FloatVector a21 = FloatVector.zero(FLOATS);
      FloatVector a30 = FloatVector.zero(FLOATS);
      FloatVector a31 = FloatVector.zero(FLOATS);
      long from = 0;
      for (int i = 0; i < STRIDE; i += 2 * COUNT) {
        long scale = (long) (i / GROUP) * Float.BYTES;
        float s0 = keys.get(LE_FLOAT, z0 + scale);
        float s1 = keys.get(LE_FLOAT, z1 + scale);
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
                    .mul(s0)
                : ((FloatVector) w0.and(15).convert(I2F, 0)).sub(8f).mul(s0);
        a00 = x0.fma(k, a00);
        a10 = x1.fma(k, a10);
        a20 = x2.fma(k, a20);
        a30 = x3.fma(k, a30);
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
                    .mul(s1)
                : ((FloatVector) w1.and(15).convert(I2F, 0)).sub(8f).mul(s1);
        a01 = x0.fma(k, a01);
        a11 = x1.fma(k, a11);
        a21 = x2.fma(k, a21);
        a31 = x3.fma(k, a31);
        x0 = FloatVector.fromArray(FLOATS, q, qAt + i + COUNT);
        x1 = FloatVector.fromArray(FLOATS, q, q1 + i + COUNT);
        x2 = FloatVector.fromArray(FLOATS, q, q2 + i + COUNT);
        x3 = FloatVector.fromArray(FLOATS, q, q3 + i + COUNT);
        k =
            BYTE_CODES
                ? ((FloatVector)
                        ByteVector.fromMemorySegment(CODES, keys, k0 + from + COUNT, LITTLE_ENDIAN)
                            .convertShape(B2F, FLOATS, 0))
                    .mul(s0)
                : ((FloatVector) w0.lanewise(LSHR, 4).convert(I2F, 0)).sub(8f).mul(s0);
        a00 = x0.fma(k, a00);
        a10 = x1.fma(k, a10);
        a20 = x2.fma(k, a20);
        a30 = x3.fma(k, a30);
        k =
            BYTE_CODES
                ? ((FloatVector)
                        ByteVector.fromMemorySegment(CODES, keys, k1 + from + COUNT, LITTLE_ENDIAN)
                            .convertShape(B2F, FLOATS, 0))
                    .mul(s1)
                : ((FloatVector) w1.lanewise(LSHR, 4).convert(I2F, 0)).sub(8f).mul(s1);
        a01 = x0.fma(k, a01);
        a11 = x1.fma(k, a11);
        a21 = x2.fma(k, a21);
        a31 = x3.fma(k, a31);
        from += BYTE_CODES ? 2 * COUNT : COUNT;
      }
      FloatVector b0 = a00.blend(a01, BIT_0).add(a01.blend(a00, BIT_0).rearrange(SWAP_0));
      FloatVector b1 = a10.blend(a11, BIT_0).add(a11.blend(a10, BIT_0).rearrange(SWAP_0));
      FloatVector b2 = a20.blend(a21, BIT_0).add(a21.blend(a20, BIT_0).rearrange(SWAP_0));
      FloatVector b3 = a30.blend(a31, BIT_0).add(a31.blend(a30, BIT_0).rearrange(SWAP_0));
      FloatVector b4 = b0.blend(b1, BIT_1).add(b1.blend(b0, BIT_1).rearrange(SWAP_1));
      FloatVector b5 = b2.blend(b3, BIT_1).add(b3.blend(b2, BIT_1).rearrange(SWAP_1));
      FloatVector b6 = b4.blend(b5, BIT_2).add(b5.blend(b4, BIT_2).rearrange(SWAP_2));
      b6.intoArray(scores, at + 4 * t);
      ahead.amongKeys(2);
    }
  }
}
