package io.gatun.attention;

import io.gatun.attention.code.Power2;

/**
 * 2^x in f32, the same bits in scalar and in vector code: the integer part goes into the exponent,
 * a polynomial of degree 6 gives the rest, fitted to 2^f on [-0.5, 0.5] for the least greatest
 * relative error (2e-8 with the coefficients rounded to f32) with 2^0 = 1 exactly.
 */
final class Exp2 {
  /** 1.5 * 2^23: adding it leaves the nearest integer in the low bits of the sum. */
  static final float ROUND = 0x1.8p23f;

  /** Below this the result is 0: it would be subnormal. */
  static final float LEAST = -126f;

  static final float C1 = 0x1.62e43p-1f;
  static final float C2 = 0x1.ebfbdcp-3f;
  static final float C3 = 0x1.c6aee8p-5f;
  static final float C4 = 0x1.3b2d4cp-7f;
  static final float C5 = 0x1.5f3e54p-10f;
  static final float C6 = 0x1.41fbbcp-13f;

  /** log2(e), which turns a natural exponent into one of 2. */
  static final float LOG2_E = 1.44269504f;

  /** What machine code computes it with. */
  static final Power2 IN_CODE = new Power2(ROUND, LEAST, C6, C5, C4, C3, C2, C1);

  private Exp2() {}

  /** 2^x for x at most 127; 0 below {@link #LEAST}. */
  static float of(float x) {
    if (!(x >= LEAST)) {
      return 0;
    }
    float shifted = x + ROUND;
    float f = x - (shifted - ROUND);
    float p = polynomial(f);
    return Float.intBitsToFloat(
        Float.floatToRawIntBits(p) + (Float.floatToRawIntBits(shifted) << 23));
  }

  /** 2^f for f in [-0.5, 0.5]. */
  private static float polynomial(float f) {
    return Math.fma(f, rise(f), 1f);
  }

  /** (2^f - 1) / f. */
  private static float rise(float f) {
    float p = C6;
    p = Math.fma(p, f, C5);
    p = Math.fma(p, f, C4);
    p = Math.fma(p, f, C3);
    p = Math.fma(p, f, C2);
    return Math.fma(p, f, C1);
  }

  /** tanh(x) = e / (e + 2) with e = e^2x - 1, which keeps its relative accuracy near 0. */
  static float tanh(float x) {
    float y = Math.clamp(2 * LOG2_E * x, -30f, 30f);
    float shifted = y + ROUND;
    float f = y - (shifted - ROUND);
    float power = Float.intBitsToFloat((Float.floatToRawIntBits(shifted) << 23) + 0x3f80_0000);
    float e = Math.fma(power, f * rise(f), power - 1);
    return e / (e + 2);
  }
}
