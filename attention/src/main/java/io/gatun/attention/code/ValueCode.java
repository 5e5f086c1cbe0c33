package io.gatun.attention.code;

import static io.gatun.attention.code.Assembler.R10;
import static io.gatun.attention.code.Assembler.R11;
import static io.gatun.attention.code.Assembler.R12;
import static io.gatun.attention.code.Assembler.R8;
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
import io.gatun.cache.KvType;

/**
 * Writes the loop of the weighted sums: some vectors of 4 sums, or 1, stay in registers while the
 * tokens go by.
 *
 * <p>Its arguments are those of {@link MachineCode#run}: rows are values, the first floats the
 * weights {@code [ceil(tokens / 4)][4][4]}, the second the sums {@code [rows][stride]}.
 *
 * <pre>
 *   rdi   values                      rsi   the token's row
 *   rdx   scales                      rbx   the token's scales
 *   rcx   weights                     rax   the token's weights
 *   r9    sums                        r10   tokens to come
 *   r8    lines to ask for            r11   where asking ends       r12   the next of them
 *   rsp   weights times scales of 4 tokens [row][token]
 *   zmm0  to 15  sums [row][vector]   zmm16 to 19  values           zmm20  a weight
 * </pre>
 */
final class ValueCode {
  /** Tokens of a round; their weights stand in one vector {@code [row][token]}. */
  private static final int TOKENS = 4;

  /** Vectors of sums that the registers hold. */
  private static final int SUMS = 16;

  private static final int VALUE = 16;

  /** With one row there are as many values as sums, so they are brought in one by one. */
  private static final int SCALES = 24;

  private static final int WEIGHT = 25;
  private static final int RAW = 28;
  private static final int ONE_VALUE = 29;

  private final Assembler a = new Assembler();
  private final Decoder decoder;
  private final KvType type;
  private final int rows;
  private final int rowBytes;
  private final int scaleBytes;

  private ValueCode(KvType type, int dim, int rowBytes, int scaleBytes, int rows) {
    this.decoder = new Decoder(type, dim);
    this.type = type;
    this.rows = rows;
    this.rowBytes = rowBytes;
    this.scaleBytes = scaleBytes;
  }

  /**
   * The code for rows of this format.
   *
   * @param rows sums that count, 1 or 4
   */
  static byte[] of(KvType type, int dim, int rowBytes, int scaleBytes, int rows) {
    return new ValueCode(type, dim, rowBytes, scaleBytes, rows).write();
  }

  private byte[] write() {
    Frame.enter(a, Decoder.BYTES);
    a.add(RDX, RDI);
    a.add(RDI, RSI);
    a.add(RCX, R8);
    decoder.constants(a);
    if (type.quantized()) {
      // The lanes of tokens 1, 2 and 3 in a vector of [row][token].
      for (int token = 1; token < TOKENS; token++) {
        a.movImmediate(RAX, 0x1111L << token);
        a.kmov(token, RAX);
      }
    }
    a.load(RAX, Frame.argument(6));
    a.add(R9, RAX);
    a.load(R8, Frame.argument(8));
    a.load(R11, Frame.argument(9));
    // A round is of one group of codes, whose scale they share.
    int most = type.quantized() ? Decoder.vectorsOfGroup() : rows == 1 ? 8 : SUMS / rows;
    for (int first = 0; first < decoder.vectors(); first += most) {
      part(first, Math.min(most, decoder.vectors() - first));
    }
    Frame.leave(a, Frame.DONE);
    return a.code();
  }

  /** The vectors {@code [first, first + count)} of all rows. */
  private void part(int first, int count) {
    sums(first, count, false);
    a.mov(RSI, RDI);
    a.mov(RAX, RCX);
    a.mov(RBX, RDX);
    a.mov(R12, R8);
    a.load(R10, Frame.argument(7));
    Label next = new Label();
    Label rest = new Label();
    Label end = new Label();
    a.bind(next);
    a.cmpImmediate(R10, TOKENS);
    a.jump(Condition.BELOW, rest);
    if (type.quantized()) {
      scaleWeights(first);
    }
    for (int token = 0; token < TOKENS; token++) {
      token(first, count, token, false);
      ask(first, count, token);
    }
    advance(TOKENS, Decoder.BYTES);
    a.addImmediate(R12, TOKENS * rowBytes);
    a.cmp(R12, R11);
    a.cmov(Condition.ABOVE, R12, R11);
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
    a.addImmediate(RSI, tokens * rowBytes);
    a.addImmediate(RAX, weightBytes);
    if (scaleBytes != 0) {
      a.addImmediate(RBX, tokens * scaleBytes);
    }
    a.subImmediate(R10, tokens);
  }

  private void sums(int first, int count, boolean store) {
    for (int row = 0; row < rows; row++) {
      for (int i = 0; i < count; i++) {
        int from = (row * decoder.vectors() + first + i) * Decoder.BYTES;
        if (store) {
          a.vstore(at(R9, from), row * count + i);
        } else {
          a.vload(row * count + i, at(R9, from));
        }
      }
    }
  }

  /** Weights times the scales of a group, of 4 tokens, to the scratch. */
  private void scaleWeights(int first) {
    int group = first / Decoder.vectorsOfGroup() * KvType.SCALE_BYTES;
    a.vbroadcast(SCALES, at(RBX, group));
    for (int token = 1; token < TOKENS; token++) {
      a.vbroadcastMasked(SCALES, token, at(RBX, token * scaleBytes + group));
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
        decoder.load(a, first + i, at(RSI, token * rowBytes), ONE_VALUE, RAW, Decoder.LEVELS);
        a.vfma(i, ONE_VALUE, WEIGHT);
      }
      return;
    }
    for (int i = 0; i < count; i++) {
      decoder.load(a, first + i, at(RSI, token * rowBytes), VALUE + i, RAW, Decoder.LEVELS);
    }
    for (int row = 0; row < rows; row++) {
      weight(first, token, row, alone);
      for (int i = 0; i < count; i++) {
        a.vfma(row * count + i, VALUE + i, WEIGHT);
      }
    }
  }

  private void weight(int first, int token, int row, boolean alone) {
    int from = (row * TOKENS + token) * Float.BYTES;
    boolean scaled = type.quantized() && !alone;
    a.vbroadcast(WEIGHT, at(scaled ? RSP : RAX, from));
    if (type.quantized() && alone) {
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
      a.prefetch(at(R12, token * rowBytes + line * Decoder.BYTES));
    }
  }
}
