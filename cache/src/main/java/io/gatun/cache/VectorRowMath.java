package io.gatun.cache;

import static io.gatun.cache.KvType.GROUP;

import java.util.Arrays;
import jdk.incubator.vector.ByteVector;
import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.IntVector;
import jdk.incubator.vector.ShortVector;
import jdk.incubator.vector.VectorOperators;
import jdk.incubator.vector.VectorShape;
import jdk.incubator.vector.VectorShuffle;
import jdk.incubator.vector.VectorSpecies;

/** Encoding on the Vector API. Loaded only where its module is there. */
final class VectorRowMath implements RowMath {
  private static final VectorSpecies<Float> FLOATS = FloatVector.SPECIES_PREFERRED;
  private static final int LANES = FLOATS.length();
  private static final VectorSpecies<Short> SHORTS =
      VectorSpecies.of(short.class, VectorShape.forBitSize(FLOATS.vectorBitSize() / 2));

  /** The narrowest vectors have 8 bytes. */
  private static final VectorSpecies<Byte> BYTES =
      VectorSpecies.of(byte.class, VectorShape.forBitSize(Math.max(64, 8 * LANES)));

  private static final RowMath PLAIN = new PlainRowMath();

  // The partner of each lane in the stages of a rotation that stay within a vector, and the sign
  // that the lane itself has in a + b or a - b.
  private static final VectorShuffle<Float> PARTNER_1 = partner(1);
  private static final VectorShuffle<Float> PARTNER_2 = partner(2);
  private static final VectorShuffle<Float> PARTNER_4 = partner(4);
  private static final VectorShuffle<Float> PARTNER_8 = partner(8);
  private static final FloatVector SIGN_1 = sign(1);
  private static final FloatVector SIGN_2 = sign(2);
  private static final FloatVector SIGN_4 = sign(4);
  private static final FloatVector SIGN_8 = sign(8);

  private static VectorShuffle<Float> partner(int apart) {
    return VectorShuffle.fromOp(FLOATS, lane -> (lane ^ apart) % LANES);
  }

  private static FloatVector sign(int apart) {
    float[] signs = new float[LANES];
    for (int lane = 0; lane < LANES; lane++) {
      signs[lane] = (lane & apart) == 0 ? 1 : -1;
    }
    return FloatVector.fromArray(FLOATS, signs, 0);
  }

  /** Whether the machine's vectors are of a width that this class is made for. */
  static boolean supported() {
    return LANES == 4 || LANES == 8 || LANES == 16;
  }

  @Override
  public void rotate(float[] values, int at, int count, int block) {
    int inVector = Math.min(block, LANES);
    float factor = Hadamard.factor(block);
    int end = at + count - count % LANES;
    float now = block > LANES ? 1 : factor;
    for (int i = at; i < end; i += LANES) {
      FloatVector v = FloatVector.fromArray(FLOATS, values, i);
      // The sign times v is exact, so that the sum is rounded once, as a + b and a - b are.
      v = v.fma(SIGN_1, v.rearrange(PARTNER_1));
      if (inVector > 2) {
        v = v.fma(SIGN_2, v.rearrange(PARTNER_2));
      }
      if (inVector > 4) {
        v = v.fma(SIGN_4, v.rearrange(PARTNER_4));
      }
      if (inVector > 8) {
        v = v.fma(SIGN_8, v.rearrange(PARTNER_8));
      }
      v.mul(now).intoArray(values, i);
    }
    for (int apart = LANES; apart < block; apart *= 2) {
      now = 2 * apart < block ? 1 : factor;
      for (int pair = at; pair < end; pair += 2 * apart) {
        for (int i = pair; i < pair + apart; i += LANES) {
          FloatVector a = FloatVector.fromArray(FLOATS, values, i);
          FloatVector b = FloatVector.fromArray(FLOATS, values, i + apart);
          a.add(b).mul(now).intoArray(values, i);
          a.sub(b).mul(now).intoArray(values, i + apart);
        }
      }
    }
    if (end < at + count) {
      // Blocks narrower than a vector that fill none.
      PLAIN.rotate(values, end, at + count - end, block);
    }
  }

  @Override
  public void bfloat16(float[] values, int count, short[] to) {
    for (int i = 0; i < count; i += LANES) {
      IntVector bits = FloatVector.fromArray(FLOATS, values, i).reinterpretAsInts();
      // Half of the last kept bit, less one where that bit is 0: ties go to even.
      IntVector odd = bits.lanewise(VectorOperators.LSHR, 16).and(1);
      IntVector rounded = bits.add(odd).add(0x7fff).lanewise(VectorOperators.LSHR, 16);
      ((ShortVector) rounded.convertShape(VectorOperators.I2S, SHORTS, 0)).intoArray(to, i);
    }
  }

  @Override
  public float group8(float[] values, int at, byte[] to, int toAt) {
    FloatVector largest = FloatVector.zero(FLOATS);
    for (int i = 0; i < GROUP; i += LANES) {
      largest = largest.max(FloatVector.fromArray(FLOATS, values, at + i).abs());
    }
    float scale = Quantizer.scale8(largest.reduceLanes(VectorOperators.MAX));
    if (scale == 0) {
      Arrays.fill(to, toAt, toAt + GROUP, (byte) 0);
      return 0;
    }
    float inverse = 1 / scale;
    for (int i = 0; i < GROUP; i += LANES) {
      FloatVector steps = FloatVector.fromArray(FLOATS, values, at + i).mul(inverse);
      // The low byte of a rounded sum is the code.
      bytes(steps.add(Quantizer.ROUNDER).reinterpretAsInts()).intoArray(to, toAt + i);
    }
    return scale;
  }

  @Override
  public float group4(float[] values, int at, byte[] to, int toAt, int bytes, float[] errors) {
    FloatVector least = FloatVector.zero(FLOATS);
    FloatVector most = FloatVector.zero(FLOATS);
    for (int i = 0; i < GROUP; i += LANES) {
      FloatVector v = FloatVector.fromArray(FLOATS, values, at + i);
      least = least.min(v);
      most = most.max(v);
    }
    float extreme =
        Quantizer.extreme4(
            least.reduceLanes(VectorOperators.MIN), most.reduceLanes(VectorOperators.MAX));
    if (extreme == 0) {
      Arrays.fill(to, toAt, toAt + bytes, (byte) 0x88);
      return 0;
    }
    float best = 0;
    float bestError = Float.POSITIVE_INFINITY;
    for (float divisor : Quantizer.DIVISORS) {
      float scale = extreme / divisor;
      squaredErrors(values, at, 1 / scale, errors);
      float error = Quantizer.sum(errors) / (divisor * divisor);
      if (error < bestError) {
        bestError = error;
        best = scale;
      }
    }
    float inverse = 1 / best;
    for (int j = 0; j < bytes; j += LANES) {
      IntVector low = nibbles(FloatVector.fromArray(FLOATS, values, at + j).mul(inverse));
      IntVector high = nibbles(FloatVector.fromArray(FLOATS, values, at + bytes + j).mul(inverse));
      bytes(high.lanewise(VectorOperators.LSHL, 4).or(low)).intoArray(to, toAt + j);
    }
    return best;
  }

  /** Codes plus 8. */
  private static IntVector nibbles(FloatVector steps) {
    IntVector rounded = steps.add(Quantizer.ROUNDER).reinterpretAsInts();
    return rounded.sub(Quantizer.ROUNDER_BITS - 8).max(0).min(15);
  }

  /** The low bytes of the lanes; zeros behind them if they do not fill the vector. */
  private static ByteVector bytes(IntVector lanes) {
    return (ByteVector) lanes.convertShape(VectorOperators.I2B, BYTES, 0);
  }

  private static void squaredErrors(float[] values, int at, float inverse, float[] errors) {
    for (int lane = 0; lane < Quantizer.ERROR_LANES; lane += LANES) {
      FloatVector sum = FloatVector.zero(FLOATS);
      for (int i = lane; i < GROUP; i += Quantizer.ERROR_LANES) {
        FloatVector steps = FloatVector.fromArray(FLOATS, values, at + i).mul(inverse);
        FloatVector code = steps.add(Quantizer.ROUNDER).sub(Quantizer.ROUNDER).max(-8).min(7);
        FloatVector rest = steps.sub(code);
        sum = rest.fma(rest, sum);
      }
      sum.intoArray(errors, lane);
    }
  }
}
