package io.gatun.attention.code;

import static io.gatun.attention.code.Assembler.R10;
import static io.gatun.attention.code.Assembler.R11;
import static io.gatun.attention.code.Assembler.R12;
import static io.gatun.attention.code.Assembler.R9;
import static io.gatun.attention.code.Assembler.RAX;
import static io.gatun.attention.code.Assembler.RBX;
import static io.gatun.attention.code.Assembler.RCX;
import static io.gatun.attention.code.Assembler.RDI;
import static io.gatun.attention.code.Assembler.RDX;
import static io.gatun.attention.code.Assembler.RSI;
import static io.gatun.attention.code.Assembler.RSP;
import static io.gatun.attention.code.Assembler.at;

import io.gatun.attention.code.Assembler.Condition;
import io.gatun.attention.code.Assembler.Label;
import io.gatun.attention.code.Call.Field;
import io.gatun.cache.KvType;

/**
 * Writes the loop of the weighted sums: some vectors of 4 sums, or 1, stay in registers while the
 * tokens go by.
 *
 * <pre>
 *   rdi   values                      rsi   the token's row
 *   rdx   scales                      rbx   the token's scales
 *   rcx   weights [token / 4][4][4]   rax   the token's weights
 *   r9    sums [rows][stride]         r10   tokens to come
 *   r12   lines to ask for            r11   the last of this stretch
 *   rsp   weights times scales of 4 tokens [row][token]
 *   zmm0  to 15  sums [row][vector]   zmm16 to 19  values   zmm25  a weight
 * </pre>
 */
final class ValueCode {
  /** Tokens of a round; their weights stand in one vector {@code [row][token]}. */
  private static final int TOKENS = 4;

  /** Vectors of sums that the registers hold. */
  private static final int SUMS = 16;

  /** Vectors of one row's sums: enough for the chains of additions to keep both ports busy. */
  private static final int SUMS_OF_ONE = 8;

  private static final int VALUES = 16;
  private static final int SCALES = 24;
  private static final int WEIGHT = 25;
  private static final int RAW = 28;

  private final Assembler a;
  private final Decoder decoder;
  private final RowCode values;
  private final int rows;
  private final boolean fresh;

  /**
   * Will write the code for values of this format.
   *
   * @param rows sums that count, 1 or 4
   * @param fresh whether the tokens are summed up by themselves and then added to what there is;
   *     otherwise each token is added to it
   */
  ValueCode(Assembler a, RowCode values, int rows, boolean fresh) {
    this.a = a;
    this.decoder = new Decoder(values);
    this.values = values;
    this.rows = rows;
    this.fresh = fresh;
  }

  /** Bytes of scratch it needs at rsp. */
  static int scratch() {
    return Decoder.BYTES;
  }

  /** Writes it. */
  void write() {
    decoder.constants(a);
    if (values.type().quantized()) {
      // The lanes of tokens 1, 2 and 3 in a vector of [row][token].
      for (int token = 1; token < TOKENS; token++) {
        a.movImmediate(RAX, 0x1111L << token);
        a.kmov(token, RAX);
      }
    }
    a.load(RDI, Frame.VALUES);
    a.mov(RDX, RDI);
    a.add(RDI, Call.at(Frame.CALL, Field.VALUE));
    a.add(RDX, Call.at(Frame.CALL, Field.VALUE_SCALES));
    a.load(RCX, Frame.SCORES);
    a.add(RCX, Call.at(Frame.CALL, Field.SCORES));
    a.load(R9, Frame.SUMS);
    a.add(R9, Call.at(Frame.CALL, Field.SUMS));
    // A part is of one group of codes, which have a scale in common.
    int most =
        values.type().quantized()
            ? Decoder.vectorsOfGroup()
            : rows == 1 ? SUMS_OF_ONE : SUMS / rows;
    for (int first = 0; first < decoder.vectors(); first += most) {
      part(first, Math.min(most, decoder.vectors() - first));
    }
    a.store(Call.at(Frame.CALL, Field.VALUE_AHEAD), R12);
    a.store(Call.at(Frame.CALL, Field.VALUE_AHEAD_LAST), R11);
  }

  /** The vectors {@code [first, first + count)} of all rows. */
  private void part(int first, int count) {
    sums(first, count, false);
    a.mov(RSI, RDI);
    a.mov(RAX, RCX);
    a.mov(RBX, RDX);
    a.load(R12, Call.at(Frame.CALL, Field.VALUE_AHEAD));
    a.load(R11, Call.at(Frame.CALL, Field.VALUE_AHEAD_LAST));
    a.load(R10, Call.at(Frame.CALL, Field.TOKENS));
    Label next = new Label();
    Label rest = new Label();
    Label end = new Label();
    a.bind(next);
    a.cmpImmediate(R10, TOKENS);
    a.jump(Condition.BELOW, rest);
    if (values.type().quantized()) {
      scaleWeights(first);
      if (first == 0) {
        values.askForScales(a, RBX);
      }
    }
    for (int token = 0; token < TOKENS; token++) {
      token(first, count, token, false);
      ask(first, count, token);
    }
    advance(TOKENS, Decoder.BYTES);
    values.goOnAsking(a, R12, R11, TOKENS, Field.VALUE_AHEAD_NEXT, Field.VALUE_AHEAD_NEXT_LAST);
    a.jump(next);
    a.bind(rest);
    a.test(R10, R10);
    a.jump(Condition.EQUAL, end);
    token(first, count, 0, true);
    advance(1, Float.BYTES);
    a.jump(rest);
    a.bind(end);
    sums(first, count, true);
  }

  private void advance(int tokens, int weightBytes) {
    a.addImmediate(RSI, tokens * values.rowBytes());
    a.addImmediate(RAX, weightBytes);
    if (values.scaleBytes() != 0) {
      a.addImmediate(RBX, tokens * values.scaleBytes());
    }
    a.subImmediate(R10, tokens);
  }

  private void sums(int first, int count, boolean store) {
    for (int row = 0; row < rows; row++) {
      for (int i = 0; i < count; i++) {
        int from = (row * decoder.vectors() + first + i) * Decoder.BYTES;
        int sum = row * count + i;
        if (store) {
          if (fresh) {
            a.vadd(sum, sum, at(R9, from));
          }
          a.vstore(at(R9, from), sum);
        } else if (fresh) {
          a.vzero(sum);
        } else {
          a.vload(sum, at(R9, from));
        }
      }
    }
  }

  /** Weights times the scales of a group, of 4 tokens, to the scratch. */
  private void scaleWeights(int first) {
    int group = first / Decoder.vectorsOfGroup() * KvType.SCALE_BYTES;
    a.vbroadcast(SCALES, at(RBX, group));
    for (int token = 1; token < TOKENS; token++) {
      a.vbroadcastMasked(SCALES, token, at(RBX, token * values.scaleBytes() + group));
    }
    a.vload(WEIGHT, at(RAX, 0));
    a.vmul(SCALES, SCALES, WEIGHT);
    a.vstore(at(RSP, 0), SCALES);
  }

  /**
   * Takes one token in.
   *
   * @param alone whether it is none of a round: its weights are not scaled yet
   */
  private void token(int first, int count, int token, boolean alone) {
    if (rows == 1) {
      weight(first, token, 0, alone);
      for (int i = 0; i < count; i++) {
        decoder.load(a, first + i, at(RSI, token * values.rowBytes()), VALUES, RAW, Decoder.LEVELS);
        a.vfma(i, VALUES, WEIGHT);
      }
      return;
    }
    for (int i = 0; i < count; i++) {
      decoder.load(
          a, first + i, at(RSI, token * values.rowBytes()), VALUES + i, RAW, Decoder.LEVELS);
    }
    for (int row = 0; row < rows; row++) {
      weight(first, token, row, alone);
      for (int i = 0; i < count; i++) {
        a.vfma(row * count + i, VALUES + i, WEIGHT);
      }
    }
  }

  private void weight(int first, int token, int row, boolean alone) {
    int from = (row * TOKENS + token) * Float.BYTES;
    boolean scaled = values.type().quantized() && !alone;
    a.vbroadcast(WEIGHT, at(scaled ? RSP : RAX, from));
    if (values.type().quantized() && alone) {
      int group = first / Decoder.vectorsOfGroup() * KvType.SCALE_BYTES;
      a.vmulBroadcast(WEIGHT, WEIGHT, at(RBX, group));
    }
  }

  /** Asks for the lines that this part will want of a later token, those that no part before did. */
  private void ask(int first, int count, int token) {
    int last = first + count;
    int from = Math.ceilDiv(decoder.from(first), Decoder.BYTES);
    int to =
        last == decoder.vectors()
            ? Math.ceilDiv(decoder.bytes(), Decoder.BYTES)
            : Math.ceilDiv(decoder.from(last), Decoder.BYTES);
    for (int line = from; line < to; line++) {
      a.prefetch(at(R12, token * values.rowBytes() + line * Decoder.BYTES));
    }
  }
}
