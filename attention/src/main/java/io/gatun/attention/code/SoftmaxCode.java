package io.gatun.attention.code;

import static io.gatun.attention.code.Assembler.R10;
import static io.gatun.attention.code.Assembler.R8;
import static io.gatun.attention.code.Assembler.R9;
import static io.gatun.attention.code.Assembler.RAX;
import static io.gatun.attention.code.Assembler.RCX;
import static io.gatun.attention.code.Assembler.RDI;
import static io.gatun.attention.code.Assembler.RSI;
import static io.gatun.attention.code.Assembler.RSP;
import static io.gatun.attention.code.Assembler.at;

import io.gatun.attention.code.Assembler.Condition;
import io.gatun.attention.code.Assembler.Label;
import io.gatun.attention.code.Call.Field;

/**
 * Writes the online softmax of 4 rows over whole vectors of scores {@code [row][token]}, operation by
 * operation as the Vector API's kernel has it (VectorSoftmax.step): scores become weights, maximum
 * and partial sums are brought up to date, and sums of values are scaled to the new maximum.
 *
 * <p>So that memory is not idle meanwhile, the first lines that the values' loop will ask for are
 * asked for here.
 *
 * <pre>
 *   rdi   scores             rcx   state [3][4][4]      r10   vectors to come
 *   rsi   their beginning    r9    sums [rows][stride]     r8    lines to ask for
 *   zmm0  a score            zmm1 to 3  on the way to its power
 *   zmm4  maximum            zmm5  maximum before        zmm6  what is subtracted
 *   zmm7  partial sums       zmm8  correction
 *   zmm16 and on             constants
 * </pre>
 */
final class SoftmaxCode {
  private static final int SCORE = 0;
  private static final int SHIFTED = 1;
  private static final int FRACTION = 2;
  private static final int POWER = 3;
  private static final int MAXIMUM = 4;
  private static final int BEFORE = 5;
  private static final int BASE = 6;
  private static final int SUM = 7;
  private static final int CORRECTION = 8;

  private static final int FACTOR = 16;
  private static final int GREATEST = 17;
  private static final int LOWEST = 18;
  private static final int ROUND = 19;
  private static final int LEAST = 20;
  private static final int ONE = 21;
  private static final int WEIGHT_SCALE = 22;
  private static final int POLYNOMIAL = 23;

  private static final int MASK = 1;
  private static final int EXPONENT_BITS = 23;

  /** Orders of the lanes of each 4: neighbours changed, halves changed. */
  private static final int NEIGHBOURS = 0xb1;

  private static final int HALVES = 0x4e;

  private final Assembler a;
  private final Power2 power;
  private final int vectors;
  private final int rows;
  private final float weightScale;
  private final boolean asks;
  private final boolean hidden;

  /**
   * Will write the code.
   *
   * @param vectors of a row of sums
   * @param rows sums that count, 1 to 4
   * @param weightScale what weights are multiplied with when they are stored
   * @param asks whether it asks for the first values to come
   * @param hidden whether scores may be minus infinity since their token is not seen, and those that
   *     overflowed are marked already
   */
  SoftmaxCode(
      Assembler a,
      Power2 power,
      int vectors,
      int rows,
      float weightScale,
      boolean asks,
      boolean hidden) {
    this.a = a;
    this.power = power;
    this.vectors = vectors;
    this.rows = rows;
    this.weightScale = weightScale;
    this.asks = asks;
    this.hidden = hidden;
  }

  /** Bytes of scratch it needs at rsp. */
  static int scratch() {
    return Decoder.BYTES;
  }

  /** Writes it. */
  void write() {
    constants();
    a.load(RSI, Frame.SCORES);
    a.add(RSI, Call.at(Frame.CALL, Field.SCORES));
    a.load(RCX, Frame.STATE);
    a.add(RCX, Call.at(Frame.CALL, Field.STATE));
    a.load(R9, Frame.SUMS);
    a.add(R9, Call.at(Frame.CALL, Field.SUMS));
    a.load(R8, Call.at(Frame.CALL, Field.VALUE_AHEAD));
    a.vload(BEFORE, at(RCX, 0));
    a.vmov(MAXIMUM, BEFORE);
    overScores(this::toMaximum);
    a.vpermuteInFours(SCORE, MAXIMUM, NEIGHBOURS);
    a.vmax(MAXIMUM, SCORE, MAXIMUM);
    a.vpermuteInFours(SCORE, MAXIMUM, HALVES);
    a.vmax(MAXIMUM, SCORE, MAXIMUM);
    a.vstore(at(RCX, 0), MAXIMUM);
    // Where nothing was seen yet the maximum is minus infinity; any finite one gives weights of 0.
    a.vnotLess(MASK, MAXIMUM, LOWEST);
    a.vkeep(BASE, MASK, MAXIMUM);
    a.vsub(SCORE, BEFORE, BASE);
    power2(CORRECTION);
    a.vmul(SUM, CORRECTION, at(RCX, Decoder.BYTES));
    overScores(this::toWeight);
    a.vstore(at(RCX, Decoder.BYTES), SUM);
    Label end = new Label();
    a.vnotEqual(MASK, CORRECTION, ONE);
    a.kortest(MASK);
    a.jump(Condition.EQUAL, end);
    rescale();
    a.bind(end);
  }

  private void constants() {
    a.load(RAX, Call.at(Frame.CALL, Field.FACTOR));
    a.vbroadcastInt(FACTOR, RAX);
    constant(GREATEST, Float.MAX_VALUE);
    constant(LOWEST, -Float.MAX_VALUE);
    constant(ROUND, power.round());
    constant(LEAST, power.least());
    constant(ONE, 1);
    constant(WEIGHT_SCALE, weightScale);
    for (int i = 0; i < power.coefficients().length; i++) {
      constant(POLYNOMIAL + i, power.coefficients()[i]);
    }
  }

  private void constant(int to, float value) {
    a.movImmediate(RAX, Float.floatToRawIntBits(value) & 0xffff_ffffL);
    a.vbroadcastInt(to, RAX);
  }

  private void overScores(Runnable step) {
    a.mov(RDI, RSI);
    a.load(R10, Call.at(Frame.CALL, Field.TOKENS));
    Label next = new Label();
    a.bind(next);
    step.run();
    if (asks) {
      a.prefetch(at(R8, 0));
      a.addImmediate(R8, Decoder.BYTES);
    }
    a.addImmediate(RDI, Decoder.BYTES);
    a.subImmediate(R10, 4);
    a.jump(Condition.ABOVE, next);
  }

  private void toMaximum() {
    if (hidden) {
      a.vmul(SCORE, FACTOR, at(RDI, 0));
    } else {
      // A finite score less itself is 0; one that overflowed becomes NaN, and so does the result.
      a.vload(SCORE, at(RDI, 0));
      a.vsub(SHIFTED, SCORE, SCORE);
      a.vfmaTo(SCORE, FACTOR, SHIFTED);
    }
    a.vmin(SCORE, GREATEST, SCORE);
    a.vstore(at(RDI, 0), SCORE);
    a.vmax(MAXIMUM, SCORE, MAXIMUM);
  }

  private void toWeight() {
    a.vload(SCORE, at(RDI, 0));
    a.vsub(SCORE, SCORE, BASE);
    power2(POWER);
    if (weightScale == 1) {
      a.vstore(at(RDI, 0), POWER);
    } else {
      a.vmul(SCORE, POWER, WEIGHT_SCALE);
      a.vstore(at(RDI, 0), SCORE);
    }
    a.vadd(SUM, SUM, POWER);
  }

  /** 2 to the power of the score, as Exp2.of. */
  private void power2(int to) {
    a.vadd(SHIFTED, SCORE, ROUND);
    a.vsub(FRACTION, SHIFTED, ROUND);
    a.vsub(FRACTION, SCORE, FRACTION);
    a.vmov(POWER, POLYNOMIAL);
    for (int i = 1; i < power.coefficients().length; i++) {
      a.vfmaTo(POWER, FRACTION, POLYNOMIAL + i);
    }
    a.vfmaTo(POWER, FRACTION, ONE);
    a.vshiftLeft(SHIFTED, SHIFTED, EXPONENT_BITS);
    a.vaddInts(POWER, POWER, SHIFTED);
    a.vnotLess(MASK, SCORE, LEAST);
    a.vkeep(to, MASK, POWER);
  }

  /** Scales the sums to the new maximum. */
  private void rescale() {
    a.vstore(at(RSP, 0), CORRECTION);
    for (int row = 0; row < rows; row++) {
      a.vbroadcast(SCORE, at(RSP, row * 4 * Float.BYTES));
      for (int i = 0; i < vectors; i++) {
        int from = (row * vectors + i) * Decoder.BYTES;
        a.vmul(SHIFTED, SCORE, at(R9, from));
        a.vstore(at(R9, from), SHIFTED);
      }
    }
  }
}
