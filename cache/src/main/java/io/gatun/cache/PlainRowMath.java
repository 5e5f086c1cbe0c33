package io.gatun.cache;

import static io.gatun.cache.KvType.GROUP;

import java.util.Arrays;

/** Encoding in plain Java: what the bits are, and what runs where the Vector API module is missing. */
final class PlainRowMath implements RowMath {
  @Override
  public void rotate(float[] values, int at, int count, int block) {
    for (int from = at; from < at + count; from += block) {
      rotateBlock(values, from, block);
    }
  }

  private static void rotateBlock(float[] values, int at, int block) {
    for (int apart = 1; apart < block; apart *= 2) {
      for (int pair = at; pair < at + block; pair += 2 * apart) {
        for (int i = pair; i < pair + apart; i++) {
          float a = values[i];
          float b = values[i + apart];
          values[i] = a + b;
          values[i + apart] = a - b;
        }
      }
    }
    float factor = Hadamard.factor(block);
    for (int i = at; i < at + block; i++) {
      values[i] *= factor;
    }
  }

  @Override
  public void bfloat16(float[] values, int count, short[] to) {
    for (int i = 0; i < count; i++) {
      int bits = Float.floatToRawIntBits(values[i]);
      // Half of the last kept bit, less one where that bit is 0: ties go to even.
      to[i] = (short) ((bits + 0x7fff + ((bits >>> 16) & 1)) >>> 16);
    }
  }

  @Override
  public float group8(float[] values, int at, byte[] to, int toAt) {
    float largest = 0;
    for (int i = 0; i < GROUP; i++) {
      largest = Math.max(largest, Math.abs(values[at + i]));
    }
    float scale = Quantizer.scale8(largest);
    float inverse = scale == 0 ? 0 : 1 / scale;
    for (int i = 0; i < GROUP; i++) {
      to[toAt + i] = (byte) round(values[at + i] * inverse);
    }
    return scale;
  }

  @Override
  public float group4(float[] values, int at, byte[] to, int toAt, int bytes, float[] errors) {
    float least = 0;
    float most = 0;
    for (int i = 0; i < GROUP; i++) {
      least = Math.min(least, values[at + i]);
      most = Math.max(most, values[at + i]);
    }
    float extreme = Quantizer.extreme4(least, most);
    if (extreme == 0) {
      Arrays.fill(to, toAt, toAt + bytes, (byte) 0x88);
      return 0;
    }
    float best = 0;
    float bestError = Float.POSITIVE_INFINITY;
    for (float divisor : Quantizer.DIVISORS) {
      float scale = extreme / divisor;
      float inverse = 1 / scale;
      Arrays.fill(errors, 0f);
      for (int i = 0; i < GROUP; i++) {
        float steps = values[at + i] * inverse;
        float rest = steps - round4(steps);
        int lane = i % Quantizer.ERROR_LANES;
        errors[lane] = Math.fma(rest, rest, errors[lane]);
      }
      float error = Quantizer.sum(errors) / (divisor * divisor);
      if (error < bestError) {
        bestError = error;
        best = scale;
      }
    }
    float inverse = 1 / best;
    for (int j = 0; j < bytes; j++) {
      int low = round4(values[at + j] * inverse) + 8;
      int high = round4(values[at + bytes + j] * inverse) + 8;
      to[toAt + j] = (byte) (low | high << 4);
    }
    return best;
  }

  private static int round4(float steps) {
    return Math.clamp(round(steps), -8, 7);
  }

  /** To the nearest integer, ties to even. */
  private static int round(float value) {
    return Float.floatToRawIntBits(value + Quantizer.ROUNDER) - Quantizer.ROUNDER_BITS;
  }
}
