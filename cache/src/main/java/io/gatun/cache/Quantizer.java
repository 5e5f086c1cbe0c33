package io.gatun.cache;

/**
 * How a group of {@link KvType#GROUP} values becomes codes and a scale. This arithmetic defines the
 * stored bits; {@link RowMath} does it.
 *
 * <p><b>8 bits.</b> scale = largest magnitude / 127, code = value x (1 / scale) rounded to nearest,
 * ties to even; each operation in f32. The error of a value is at most half a scale, but for the
 * rounding of these few operations.
 *
 * <p><b>4 bits.</b> The value of the largest magnitude, m, settles the scale's sign: codes reach one
 * step further down than up, so m goes down. Of the scales -m/8, -m/8.5 and -m/9 that with the least
 * squared error of the group is taken (the first of equals); the last two cut m itself off a little
 * to have finer steps for the others. On gaussian values the root mean square error is 9.10 % of
 * theirs; -m/8 alone, as in llama.cpp's Q4_0, leaves 9.50 %, |m|/7 leaves 10.77 %, and eleven
 * candidates from 7.25 to 10 leave 9.01 % ({@code QuantizedRowsTest} holds the first three).
 *
 * <p>A scale below 2^-126 becomes 0, and so do the values: they are smaller than 1.5e-36, and numbers
 * that short of bits help nobody.
 */
final class Quantizer {
  static final float LARGEST_8_BIT_CODE = 127;

  /** Divisors of the 4-bit scales to choose from. */
  static final float[] DIVISORS = {8f, 8.5f, 9f};

  /** Lanes in which the squared errors of a group are summed, whatever the machine's vectors are. */
  static final int ERROR_LANES = 16;

  /** Adding it to a value below 2^22 leaves the value, rounded to even, in the low bits. */
  static final float ROUNDER = 0x1.8p23f;

  static final int ROUNDER_BITS = Float.floatToRawIntBits(ROUNDER);

  private Quantizer() {}

  /** The 8-bit scale of a group. No value times its inverse rounds past 127, so codes need no clamp. */
  static float scale8(float largest) {
    float scale = largest / LARGEST_8_BIT_CODE;
    return scale < Float.MIN_NORMAL ? 0 : scale;
  }

  /**
   * Minus the value of the largest magnitude, the negative one of two equals; 0 if its scales would
   * be too small.
   */
  static float extreme4(float least, float most) {
    float extreme = -least >= most ? -least : -most;
    return Math.abs(extreme) / DIVISORS[DIVISORS.length - 1] < Float.MIN_NORMAL ? 0 : extreme;
  }

  /** The sum of the lanes, halves added until one is left. Changes them. */
  static float sum(float[] lanes) {
    for (int half = ERROR_LANES / 2; half > 0; half /= 2) {
      for (int i = 0; i < half; i++) {
        lanes[i] += lanes[i + half];
      }
    }
    return lanes[0];
  }
}
