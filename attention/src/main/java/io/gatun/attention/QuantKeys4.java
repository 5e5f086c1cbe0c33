package io.gatun.attention;

import static io.gatun.attention.Lanes.BIT_0;
import static io.gatun.attention.Lanes.BIT_1;
import static io.gatun.attention.Lanes.COUNT;
import static io.gatun.attention.Lanes.FLOATS;
import static io.gatun.attention.Lanes.INTS;
import static io.gatun.attention.Lanes.SWAP_0;
import static io.gatun.attention.Lanes.SWAP_1;
import static io.gatun.cache.KvType.GROUP;
import static io.gatun.cache.KvType.LE_FLOAT;
import static java.nio.ByteOrder.LITTLE_ENDIAN;
import static jdk.incubator.vector.VectorOperators.ASHR;
import static jdk.incubator.vector.VectorOperators.I2F;
import static jdk.incubator.vector.VectorOperators.LSHL;
import static jdk.incubator.vector.VectorOperators.LSHR;

import io.gatun.attention.code.Floats;
import java.lang.foreign.MemorySegment;
import java.lang.invoke.MethodHandles;
import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.IntVector;

/**
 * Scores with vectors of 4 floats of quantised rows: 4 rows and a token at a time, 4 dot products side by
 * side. Copied for each row format by {@link Specialized}.
 *
 * <p>Everything stands in one method, and the sums over lanes are written out, because C2 stops
 * inlining methods that are not the JDK's own when a method has grown this long; a vector that
 * crosses a call becomes an object.
 */
final class QuantKeys4 extends QuantKeys {
  private static final RowFormat FORMAT = Specialized.format(MethodHandles.lookup());
  private static final boolean BYTE_CODES = FORMAT.type().bits() == 8;
  private static final int ROW_BYTES = FORMAT.rowBytes();
  private static final int SCALE_BYTES = FORMAT.scaleBytes();
  private static final int STRIDE = QuantRows.stride(FORMAT);

  /** Vectors of codes that come out of one vector of ints. */
  private static final int PER_LOAD = BYTE_CODES ? 4 : 8;

  QuantKeys4() {
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
    for (int t = 0; t < tokens; t++) {
      long k0 = offset + (long) t * ROW_BYTES;
      long z0 = scaleOffset + (long) t * SCALE_BYTES;
      FloatVector a00 = FloatVector.zero(FLOATS);
      FloatVector a10 = FloatVector.zero(FLOATS);
      FloatVector a20 = FloatVector.zero(FLOATS);
      FloatVector a30 = FloatVector.zero(FLOATS);
      for (int i = 0; i < STRIDE; i += PER_LOAD * COUNT) {
        float s0 = keys.get(LE_FLOAT, z0 + (long) (i / GROUP) * Float.BYTES);
        IntVector w0 =
            IntVector.fromMemorySegment(
                INTS, keys, k0 + (long) i / PER_LOAD * Integer.BYTES, LITTLE_ENDIAN);
        FloatVector x0 = FloatVector.fromArray(FLOATS, q, qAt + i);
        FloatVector x1 = FloatVector.fromArray(FLOATS, q, q1 + i);
        FloatVector x2 = FloatVector.fromArray(FLOATS, q, q2 + i);
        FloatVector x3 = FloatVector.fromArray(FLOATS, q, q3 + i);
        FloatVector k =
            (BYTE_CODES
                    ? (FloatVector) w0.lanewise(LSHL, 24).lanewise(ASHR, 24).convert(I2F, 0)
                    : ((FloatVector) w0.and(15).convert(I2F, 0)).sub(8f))
                .mul(s0);
        a00 = x0.fma(k, a00);
        a10 = x1.fma(k, a10);
        a20 = x2.fma(k, a20);
        a30 = x3.fma(k, a30);
        x0 = FloatVector.fromArray(FLOATS, q, qAt + i + COUNT);
        x1 = FloatVector.fromArray(FLOATS, q, q1 + i + COUNT);
        x2 = FloatVector.fromArray(FLOATS, q, q2 + i + COUNT);
        x3 = FloatVector.fromArray(FLOATS, q, q3 + i + COUNT);
        k =
            (BYTE_CODES
                    ? (FloatVector) w0.lanewise(LSHL, 16).lanewise(ASHR, 24).convert(I2F, 0)
                    : ((FloatVector) w0.lanewise(LSHR, 4).and(15).convert(I2F, 0)).sub(8f))
                .mul(s0);
        a00 = x0.fma(k, a00);
        a10 = x1.fma(k, a10);
        a20 = x2.fma(k, a20);
        a30 = x3.fma(k, a30);
        x0 = FloatVector.fromArray(FLOATS, q, qAt + i + 2 * COUNT);
        x1 = FloatVector.fromArray(FLOATS, q, q1 + i + 2 * COUNT);
        x2 = FloatVector.fromArray(FLOATS, q, q2 + i + 2 * COUNT);
        x3 = FloatVector.fromArray(FLOATS, q, q3 + i + 2 * COUNT);
        k =
            (BYTE_CODES
                    ? (FloatVector) w0.lanewise(LSHL, 8).lanewise(ASHR, 24).convert(I2F, 0)
                    : ((FloatVector) w0.lanewise(LSHR, 8).and(15).convert(I2F, 0)).sub(8f))
                .mul(s0);
        a00 = x0.fma(k, a00);
        a10 = x1.fma(k, a10);
        a20 = x2.fma(k, a20);
        a30 = x3.fma(k, a30);
        x0 = FloatVector.fromArray(FLOATS, q, qAt + i + 3 * COUNT);
        x1 = FloatVector.fromArray(FLOATS, q, q1 + i + 3 * COUNT);
        x2 = FloatVector.fromArray(FLOATS, q, q2 + i + 3 * COUNT);
        x3 = FloatVector.fromArray(FLOATS, q, q3 + i + 3 * COUNT);
        k =
            (BYTE_CODES
                    ? (FloatVector) w0.lanewise(ASHR, 24).convert(I2F, 0)
                    : ((FloatVector) w0.lanewise(LSHR, 12).and(15).convert(I2F, 0)).sub(8f))
                .mul(s0);
        a00 = x0.fma(k, a00);
        a10 = x1.fma(k, a10);
        a20 = x2.fma(k, a20);
        a30 = x3.fma(k, a30);
        if (!BYTE_CODES) {
          x0 = FloatVector.fromArray(FLOATS, q, qAt + i + 4 * COUNT);
          x1 = FloatVector.fromArray(FLOATS, q, q1 + i + 4 * COUNT);
          x2 = FloatVector.fromArray(FLOATS, q, q2 + i + 4 * COUNT);
          x3 = FloatVector.fromArray(FLOATS, q, q3 + i + 4 * COUNT);
          k = ((FloatVector) w0.lanewise(LSHR, 16).and(15).convert(I2F, 0)).sub(8f).mul(s0);
          a00 = x0.fma(k, a00);
          a10 = x1.fma(k, a10);
          a20 = x2.fma(k, a20);
          a30 = x3.fma(k, a30);
          x0 = FloatVector.fromArray(FLOATS, q, qAt + i + 5 * COUNT);
          x1 = FloatVector.fromArray(FLOATS, q, q1 + i + 5 * COUNT);
          x2 = FloatVector.fromArray(FLOATS, q, q2 + i + 5 * COUNT);
          x3 = FloatVector.fromArray(FLOATS, q, q3 + i + 5 * COUNT);
          k = ((FloatVector) w0.lanewise(LSHR, 20).and(15).convert(I2F, 0)).sub(8f).mul(s0);
          a00 = x0.fma(k, a00);
          a10 = x1.fma(k, a10);
          a20 = x2.fma(k, a20);
          a30 = x3.fma(k, a30);
          x0 = FloatVector.fromArray(FLOATS, q, qAt + i + 6 * COUNT);
          x1 = FloatVector.fromArray(FLOATS, q, q1 + i + 6 * COUNT);
          x2 = FloatVector.fromArray(FLOATS, q, q2 + i + 6 * COUNT);
          x3 = FloatVector.fromArray(FLOATS, q, q3 + i + 6 * COUNT);
          k = ((FloatVector) w0.lanewise(LSHR, 24).and(15).convert(I2F, 0)).sub(8f).mul(s0);
          a00 = x0.fma(k, a00);
          a10 = x1.fma(k, a10);
          a20 = x2.fma(k, a20);
          a30 = x3.fma(k, a30);
          x0 = FloatVector.fromArray(FLOATS, q, qAt + i + 7 * COUNT);
          x1 = FloatVector.fromArray(FLOATS, q, q1 + i + 7 * COUNT);
          x2 = FloatVector.fromArray(FLOATS, q, q2 + i + 7 * COUNT);
          x3 = FloatVector.fromArray(FLOATS, q, q3 + i + 7 * COUNT);
          k = ((FloatVector) w0.lanewise(LSHR, 28).convert(I2F, 0)).sub(8f).mul(s0);
          a00 = x0.fma(k, a00);
          a10 = x1.fma(k, a10);
          a20 = x2.fma(k, a20);
          a30 = x3.fma(k, a30);
        }
      }
      FloatVector b0 = a00.blend(a10, BIT_0).add(a10.blend(a00, BIT_0).rearrange(SWAP_0));
      FloatVector b1 = a20.blend(a30, BIT_0).add(a30.blend(a20, BIT_0).rearrange(SWAP_0));
      FloatVector b2 = b0.blend(b1, BIT_1).add(b1.blend(b0, BIT_1).rearrange(SWAP_1));
      b2.intoArray(scores, at + 4 * t);
      ahead.amongKeys(1);
    }
  }
}
