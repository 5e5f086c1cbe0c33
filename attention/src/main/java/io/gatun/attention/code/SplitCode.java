package io.gatun.attention.code;

import static io.gatun.attention.code.Assembler.R10;
import static io.gatun.attention.code.Assembler.R11;
import static io.gatun.attention.code.Assembler.R8;
import static io.gatun.attention.code.Assembler.R9;
import static io.gatun.attention.code.Assembler.RAX;
import static io.gatun.attention.code.Assembler.RBX;
import static io.gatun.attention.code.Assembler.RCX;
import static io.gatun.attention.code.Assembler.RDI;
import static io.gatun.attention.code.Assembler.RSI;
import static io.gatun.attention.code.Assembler.at;

import io.gatun.attention.code.Assembler.Condition;
import io.gatun.attention.code.Assembler.Label;
import io.gatun.attention.code.Call.Field;

/**
 * What a split needs beside its whole tiles: the softmax and the sum of a tile that is worked on in
 * parts, and the merge of splits that are done. The operations are those of VectorSoftmax and
 * RowBlock, one for one.
 *
 * <p>Design note: these take little of the time of code that C2 has compiled. But until it has, each
 * of their vectors on the Vector API is an object, made by interpreted code, and a new process spends
 * much of attention's first second there (attention/KERNEL.md, section 12).
 *
 * <p>Thread rules: keeps nothing; any thread.
 */
public final class SplitCode {
  /** Widest rows: their loops are written out. */
  private static final int MOST_VECTORS = 64;

  /** Rows that a step is for. */
  private static final int STEP_ROWS = 4;

  // Registers of the merge.
  private static final int MAXIMUM = 0;
  private static final int TOTAL = 1;
  private static final int PART_MAXIMUM = 2;
  private static final int PART_TOTAL = 3;
  private static final int JOINT = 4;
  private static final int OLD = 5;
  private static final int ADDED = 6;
  private static final int X = 7;
  private static final int SHIFTED = 8;
  private static final int FRACTION = 9;
  private static final int POWER = 10;
  private static final int SUM = 11;
  private static final int ZERO = 16;
  private static final int ROUND = 17;
  private static final int LEAST = 18;
  private static final int ONE = 19;
  private static final int POLYNOMIAL = 20;

  private static final int MASK = 1;
  private static final int FIRST_LANE = 2;
  private static final int EXPONENT_BITS = 23;

  private final Assembler a;
  private final Power2 power;
  private final int vectors;

  private SplitCode(Assembler a, Power2 power, int vectors) {
    this.a = a;
    this.power = power;
    this.vectors = vectors;
  }

  private record Step(int vectors, float weightScale) {}

  private record Add() {}

  private record Merge(int vectors) {}

  /** Whether sums of so many floats can be worked on. */
  public static boolean fits(int stride) {
    return stride % Decoder.LANES == 0 && stride <= MOST_VECTORS * Decoder.LANES;
  }

  /**
   * The online softmax of 4 rows over scores {@code [ceil(tokens / 4)][4][4]}: those become weights,
   * state and sums are brought up to date. Uses {@code TOKENS}, {@code SCORES}, {@code STATE}, {@code
   * SUMS} and {@code FACTOR} of its call.
   *
   * @param stride floats of a row of sums
   * @param weightScale what weights are multiplied with when they are stored
   * @throws IllegalStateException if machine code is not to be had here; the message says why
   */
  public static MachineCode step(int stride, float weightScale, Power2 power) {
    int vectors = stride / Decoder.LANES;
    return MachineCode.made(
        new Step(vectors, weightScale),
        a -> {
          Frame.enter(a, SoftmaxCode.scratch());
          new SoftmaxCode(a, power, vectors, STEP_ROWS, weightScale, false, true).write();
        });
  }

  /**
   * Adds the {@code COUNT} vectors of the array of queries, from {@code QUERY} on, to those of the
   * sums, from {@code SUMS} on; as {@link #step}.
   */
  public static MachineCode add() {
    return MachineCode.made(
        new Add(),
        a -> {
          Frame.enter(a, 0);
          a.load(RSI, Frame.QUERY);
          a.add(RSI, Call.at(Frame.CALL, Field.QUERY));
          a.load(RDI, Frame.SUMS);
          a.add(RDI, Call.at(Frame.CALL, Field.SUMS));
          a.load(R10, Call.at(Frame.CALL, Field.COUNT));
          Label next = new Label();
          a.bind(next);
          a.vload(SUM, at(RDI, 0));
          a.vadd(SUM, SUM, at(RSI, 0));
          a.vstore(at(RDI, 0), SUM);
          a.addImmediate(RSI, Decoder.BYTES);
          a.addImmediate(RDI, Decoder.BYTES);
          a.subImmediate(R10, 1);
          a.jump(Condition.ABOVE, next);
        });
  }

  /**
   * Merges {@code COUNT} rows of {@code PARTS} splits, one after the other, into what the rows have so
   * far. A row of a part is {@code [stride]} sums, its maximum and its total; rows follow each other,
   * the first at {@code KEY} in the memory of keys, and the next part's lies {@code PART_BYTES}
   * further. The rows' maxima are the array of queries, from {@code QUERY} on, their totals that of
   * state, from {@code STATE} on, their sums {@code [rows][stride]} from {@code SUMS} on; as {@link
   * #step}.
   */
  public static MachineCode merge(int stride, Power2 power) {
    int vectors = stride / Decoder.LANES;
    return MachineCode.made(
        new Merge(vectors),
        a -> {
          Frame.enter(a, 0);
          new SplitCode(a, power, vectors).writeMerge();
        });
  }

  /**
   * Writes it.
   *
   * <pre>
   *   rbx   the row in the first part     rcx   its maximum      r10   parts to come
   *   rsi   the row in a part             r8    its total        r11   rows to come
   *   rdi   its sums                      r9    bytes of a part
   * </pre>
   */
  private void writeMerge() {
    a.movImmediate(RAX, 1);
    a.kmov(FIRST_LANE, RAX);
    a.vzero(ZERO);
    constant(ROUND, power.round());
    constant(LEAST, power.least());
    constant(ONE, 1);
    for (int i = 0; i < power.coefficients().length; i++) {
      constant(POLYNOMIAL + i, power.coefficients()[i]);
    }
    a.load(RBX, Frame.KEYS);
    a.add(RBX, Call.at(Frame.CALL, Field.KEY));
    a.load(RDI, Frame.SUMS);
    a.add(RDI, Call.at(Frame.CALL, Field.SUMS));
    a.load(RCX, Frame.QUERY);
    a.add(RCX, Call.at(Frame.CALL, Field.QUERY));
    a.load(R8, Frame.STATE);
    a.add(R8, Call.at(Frame.CALL, Field.STATE));
    a.load(R9, Call.at(Frame.CALL, Field.PART_BYTES));
    a.load(R11, Call.at(Frame.CALL, Field.COUNT));
    Label row = new Label();
    a.bind(row);
    a.mov(RSI, RBX);
    a.vbroadcast(MAXIMUM, at(RCX, 0));
    a.vbroadcast(TOTAL, at(R8, 0));
    a.load(R10, Call.at(Frame.CALL, Field.PARTS));
    Label part = new Label();
    a.bind(part);
    writePart();
    a.add(RSI, R9);
    a.subImmediate(R10, 1);
    a.jump(Condition.ABOVE, part);
    a.vstoreMasked(at(RCX, 0), FIRST_LANE, MAXIMUM);
    a.vstoreMasked(at(R8, 0), FIRST_LANE, TOTAL);
    a.addImmediate(RBX, vectors * Decoder.BYTES + 2 * Float.BYTES);
    a.addImmediate(RDI, vectors * Decoder.BYTES);
    a.addImmediate(RCX, Float.BYTES);
    a.addImmediate(R8, Float.BYTES);
    a.subImmediate(R11, 1);
    a.jump(Condition.ABOVE, row);
  }

  private void writePart() {
    a.vbroadcast(PART_MAXIMUM, at(RSI, vectors * Decoder.BYTES));
    a.vbroadcast(PART_TOTAL, at(RSI, vectors * Decoder.BYTES + Float.BYTES));
    Label end = new Label();
    a.vnotEqual(MASK, PART_TOTAL, ZERO);
    a.kortest(MASK);
    a.jump(Condition.EQUAL, end);
    a.vmax(JOINT, PART_MAXIMUM, MAXIMUM);
    a.vsub(X, MAXIMUM, JOINT);
    power2(OLD);
    a.vsub(X, PART_MAXIMUM, JOINT);
    power2(ADDED);
    a.vmov(MAXIMUM, JOINT);
    a.vmul(PART_TOTAL, PART_TOTAL, ADDED);
    a.vfmaTo(TOTAL, OLD, PART_TOTAL);
    for (int i = 0; i < vectors; i++) {
      a.vmul(X, ADDED, at(RSI, i * Decoder.BYTES));
      a.vload(SUM, at(RDI, i * Decoder.BYTES));
      a.vfmaTo(SUM, OLD, X);
      a.vstore(at(RDI, i * Decoder.BYTES), SUM);
    }
    a.bind(end);
  }

  /** 2 to the power of X, as Exp2.of: 0 if it is no number. */
  private void power2(int to) {
    a.vadd(SHIFTED, X, ROUND);
    a.vsub(FRACTION, SHIFTED, ROUND);
    a.vsub(FRACTION, X, FRACTION);
    a.vmov(POWER, POLYNOMIAL);
    for (int i = 1; i < power.coefficients().length; i++) {
      a.vfmaTo(POWER, FRACTION, POLYNOMIAL + i);
    }
    a.vfmaTo(POWER, FRACTION, ONE);
    a.vshiftLeft(SHIFTED, SHIFTED, EXPONENT_BITS);
    a.vaddInts(POWER, POWER, SHIFTED);
    a.vatLeast(MASK, X, LEAST);
    a.vkeep(to, MASK, POWER);
  }

  private void constant(int to, float value) {
    a.movImmediate(RAX, Float.floatToRawIntBits(value) & 0xffff_ffffL);
    a.vbroadcastInt(to, RAX);
  }
}
