package io.gatun.attention.code;

import static io.gatun.attention.code.Assembler.R10;
import static io.gatun.attention.code.Assembler.R11;
import static io.gatun.attention.code.Assembler.R12;
import static io.gatun.attention.code.Assembler.R13;
import static io.gatun.attention.code.Assembler.R14;
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

import io.gatun.attention.code.Assembler.Address;
import io.gatun.attention.code.Assembler.Condition;
import io.gatun.attention.code.Assembler.Label;
import io.gatun.attention.code.Call.Field;
import io.gatun.cache.KvType;

/**
 * Writes the loop of the weighted sums: some vectors of the sums of all rows, 1 to 8, stay in
 * registers while the tokens go by.
 *
 * <pre>
 *   rdi   values                      rsi   the token's row
 *   rdx   scales                      rbx   the token's scales
 *   rcx   weights [token / 4][4][4]   rax   the token's weights
 *   r9    sums [rows][stride]         r10   tokens of the batch to come
 *   r13   tokens of the batch         r14   tokens from the batch on
 *   r12   lines to ask for            r11   their end
 *   rsp   weights times scales of 4 tokens [block][row][token]
 *   zmm0  to 15  sums [row][vector]   zmm16 to 23  values   zmm25  a weight
 * </pre>
 */
final class ValueCode {
  private static final int BLOCK_ROWS = 4;

  /** Tokens of a round; their weights stand in one vector {@code [row][token]}. */
  private static final int TOKENS = 4;

  /**
   * Tokens that are taken in part of the row by part: enough to be worth bringing the sums to and
   * from the registers, few enough for what comes next to be asked for evenly, since the processor
   * brings in lines by pairs and the first part of a row would wait for the whole of it.
   */
  private static final int BATCH = 32;

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

  /** Bytes from one row to the next where they are read. */
  private final int rowBytes;

  private final int rows;
  private final int sharers;
  private final boolean fresh;
  private final int sumsAt;

  /** From the weights of a block of 4 rows to those of the next, if there are two. */
  private int blockWeightBytes;

  /**
   * Will write the code for values of this format.
   *
   * @param rows sums that count, 1 to 4
   * @param sharers how many calls for the same values share the asking for those to come
   * @param fresh whether the tokens are summed up by themselves and then added to what there is;
   *     otherwise each token is added to it
   * @param sumsAt where in the scratch, if they are, their sums are to lie
   */
  ValueCode(Assembler a, RowCode values, int rows, int sharers, boolean fresh, int sumsAt) {
    this(a, values, values, rows, sharers, fresh, sumsAt);
  }

  private ValueCode(
      Assembler a, RowCode values, RowCode read, int rows, int sharers, boolean fresh, int sumsAt) {
    this.a = a;
    this.decoder = new Decoder(read);
    this.values = values;
    this.rowBytes = read.rowBytes();
    this.rows = rows;
    this.sharers = sharers;
    this.fresh = fresh;
    this.sumsAt = sumsAt;
  }

  /**
   * Will write {@link #writeParts} for values that were made floats, in the order in which they are
   * met, and 4 rows of sums.
   *
   * @param values as they are stored
   * @param widened as they are read
   */
  static ValueCode ofWidened(Assembler a, RowCode values, RowCode widened) {
    return new ValueCode(a, values, widened, 4, 1, true, 0);
  }

  /**
   * Will write the code for whole groups of 4 tokens and two blocks of rows of sums, as {@code fresh}
   * ones.
   *
   * @param rows sums that count, 5 to 8
   * @param blockWeightBytes from the weights of the first block to those of the second
   */
  static ValueCode ofTwo(Assembler a, RowCode values, int rows, int sumsAt, int blockWeightBytes) {
    ValueCode code = new ValueCode(a, values, rows, 1, true, sumsAt);
    code.blockWeightBytes = blockWeightBytes;
    return code;
  }

  /** Bytes of scratch it needs at rsp, and at {@code sumsAt}. */
  static int scratch() {
    return 2 * Decoder.BYTES;
  }

  int sumsScratch() {
    return fresh ? rows * decoder.vectors() * Decoder.BYTES : 0;
  }

  /** Writes it. */
  void write() {
    decoder.constants(a);
    masks();
    a.load(RDI, Frame.VALUES);
    a.mov(RDX, RDI);
    a.add(RDI, Call.at(Frame.CALL, Field.VALUE));
    a.add(RDX, Call.at(Frame.CALL, Field.VALUE_SCALES));
    a.load(RCX, Frame.SCORES);
    a.add(RCX, Call.at(Frame.CALL, Field.SCORES));
    a.load(R12, Call.at(Frame.CALL, Field.VALUE_AHEAD));
    a.load(R11, Call.at(Frame.CALL, Field.VALUE_AHEAD_END));
    a.load(R14, Call.at(Frame.CALL, Field.TOKENS));
    if (fresh) {
      a.lea(R9, at(RSP, sumsAt));
      a.vzero(0);
      for (int i = 0; i < rows * decoder.vectors(); i++) {
        a.vstore(at(R9, i * Decoder.BYTES), 0);
      }
    } else {
      a.load(R9, Frame.SUMS);
      a.add(R9, Call.at(Frame.CALL, Field.SUMS));
    }
    batches();
    a.store(Call.at(Frame.CALL, Field.VALUE_AHEAD), R12);
    a.store(Call.at(Frame.CALL, Field.VALUE_AHEAD_END), R11);
    if (fresh) {
      addSums();
    }
  }

  /** The lanes of tokens 1, 2 and 3 in a vector of {@code [row][token]}. */
  void masks() {
    if (values.type().quantized()) {
      for (int token = 1; token < TOKENS; token++) {
        a.movImmediate(RAX, 0x1111L << token);
        a.kmov(token, RAX);
      }
    }
  }

  /**
   * Writes the loops over whole groups of 4 tokens for one block of rows, part of the row by part.
   *
   * @param tokens the register that says how many
   * @param from where the address of the first row lies
   * @param left where the tokens that are left lie, and {@code all} all of them: the sums begin at
   *     zero if they are the same, and elsewhere at what is in their memory
   * @param blocks of rows that there are at least: asking for what comes next, from r8 to r11, is
   *     shared out among them
   */
  void writeParts(int tokens, Address from, Address left, Address all, int blocks) {
    int most = values.type().quantized() ? Decoder.vectorsOfGroup() : SUMS / rows;
    int parts = Math.ceilDiv(decoder.vectors(), most);
    int lines = Math.ceilDiv(TOKENS * values.rowBytes(), Decoder.BYTES * parts * blocks);
    for (int i = 0; i < decoder.vectors(); i += most) {
      int count = Math.min(most, decoder.vectors() - i);
      Label zero = new Label();
      Label begun = new Label();
      a.load(R10, left);
      a.load(RAX, all);
      a.cmp(R10, RAX);
      a.jump(Condition.EQUAL, zero);
      sums(i, count, false);
      a.jump(begun);
      a.bind(zero);
      for (int sum = 0; sum < rows * count; sum++) {
        a.vzero(sum);
      }
      a.bind(begun);
      a.load(RSI, from);
      a.mov(RAX, RCX);
      a.mov(RBX, RDX);
      a.mov(R10, tokens);
      Label next = new Label();
      a.align();
      a.bind(next);
      if (values.type().quantized()) {
        scaleWeights(i);
      }
      for (int token = 0; token < TOKENS; token++) {
        token(i, count, token, false);
      }
      for (int line = 0; line < lines; line++) {
        a.prefetch(at(R8, line * Decoder.BYTES));
      }
      RowCode.goOnAsking(
          a, R8, R11, lines * Decoder.BYTES, Field.VALUE_AHEAD_NEXT, Field.VALUE_AHEAD_NEXT_END);
      advance(TOKENS, Decoder.BYTES);
      a.jump(Condition.ABOVE, next);
      sums(i, count, true);
    }
  }

  /** All tokens, a batch at a time. */
  private void batches() {
    Label next = new Label();
    a.bind(next);
    a.movImmediate(R13, BATCH);
    a.cmp(R13, R14);
    a.cmov(Condition.ABOVE, R13, R14);
    // Even, since some types are read by pairs of vectors.
    int most = rows == 1 ? SUMS_OF_ONE : SUMS / rows & -2;
    if (values.type().quantized()) {
      // A part is of one group of codes, which have a scale in common, or of half of one.
      most = Math.min(most, Decoder.vectorsOfGroup());
    }
    int parts = Math.ceilDiv(decoder.vectors(), most);
    int lines = Math.ceilDiv(TOKENS * values.rowBytes(), Decoder.BYTES * parts * sharers);
    for (int first = 0; first < decoder.vectors(); first += most) {
      part(first, Math.min(most, decoder.vectors() - first), lines);
    }
    a.mov(RDI, RSI);
    a.mov(RCX, RAX);
    a.mov(RDX, RBX);
    a.sub(R14, R13);
    a.jump(Condition.ABOVE, next);
  }

  /**
   * The vectors {@code [first, first + count)} of a batch's rows.
   *
   * @param lines that are asked for in a round
   */
  private void part(int first, int count, int lines) {
    sums(first, count, false);
    a.mov(RSI, RDI);
    a.mov(RAX, RCX);
    a.mov(RBX, RDX);
    a.mov(R10, R13);
    Label next = new Label();
    Label rest = new Label();
    Label end = new Label();
    a.align();
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
      for (int line = lines * token / TOKENS; line < lines * (token + 1) / TOKENS; line++) {
        a.prefetch(at(R12, line * Decoder.BYTES));
      }
    }
    advance(TOKENS, Decoder.BYTES);
    RowCode.goOnAsking(
        a, R12, R11, lines * Decoder.BYTES, Field.VALUE_AHEAD_NEXT, Field.VALUE_AHEAD_NEXT_END);
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

  /** Adds the tile's sums to those there are. */
  private void addSums() {
    a.load(RDI, Frame.SUMS);
    a.add(RDI, Call.at(Frame.CALL, Field.SUMS));
    for (int i = 0; i < rows * decoder.vectors(); i++) {
      int sum = i % SUMS;
      a.vload(sum, at(R9, i * Decoder.BYTES));
      a.vadd(sum, sum, at(RDI, i * Decoder.BYTES));
      a.vstore(at(RDI, i * Decoder.BYTES), sum);
    }
  }

  private void advance(int tokens, int weightBytes) {
    a.addImmediate(RSI, tokens * rowBytes);
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
          a.vstore(at(R9, from), sum);
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
    for (int block = 0; block < Math.ceilDiv(rows, BLOCK_ROWS); block++) {
      a.vmul(WEIGHT, SCALES, at(RAX, block * blockWeightBytes));
      a.vstore(at(RSP, block * Decoder.BYTES), WEIGHT);
    }
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
        decoder.load(a, first + i, at(RSI, token * rowBytes), VALUES, RAW, Decoder.LEVELS);
        a.vfma(i, VALUES, WEIGHT);
      }
      return;
    }
    for (int i = 0; i < count; i++) {
      decoder.load(a, first + i, at(RSI, token * rowBytes), VALUES + i, RAW, Decoder.LEVELS);
    }
    for (int row = 0; row < rows; row++) {
      // With codes there is more to compute, and room for more loads: see DotCode.
      boolean folded = values.type().quantized() && !alone && row % 2 == 1;
      if (!folded) {
        weight(first, token, row, alone);
      }
      for (int i = 0; i < count; i++) {
        if (folded) {
          a.vfmaBroadcast(row * count + i, VALUES + i, weight(token, row, true));
        } else {
          a.vfma(row * count + i, VALUES + i, WEIGHT);
        }
      }
    }
  }

  /** Where a weight lies. */
  private Address weight(int token, int row, boolean scaled) {
    int place = (row % BLOCK_ROWS * TOKENS + token) * Float.BYTES;
    int block = row / BLOCK_ROWS;
    return scaled
        ? at(RSP, block * Decoder.BYTES + place)
        : at(RAX, block * blockWeightBytes + place);
  }

  private void weight(int first, int token, int row, boolean alone) {
    a.vbroadcast(WEIGHT, weight(token, row, values.type().quantized() && !alone));
    if (values.type().quantized() && alone) {
      int group = first / Decoder.vectorsOfGroup() * KvType.SCALE_BYTES;
      a.vmulBroadcast(WEIGHT, WEIGHT, at(RBX, group));
    }
  }
}
