package io.gatun.attention.code;

import static io.gatun.attention.code.Assembler.R10;
import static io.gatun.attention.code.Assembler.R11;
import static io.gatun.attention.code.Assembler.R12;
import static io.gatun.attention.code.Assembler.R13;
import static io.gatun.attention.code.Assembler.R14;
import static io.gatun.attention.code.Assembler.R8;
import static io.gatun.attention.code.Assembler.R9;
import static io.gatun.attention.code.Assembler.RAX;
import static io.gatun.attention.code.Assembler.RCX;
import static io.gatun.attention.code.Assembler.RDI;
import static io.gatun.attention.code.Assembler.RDX;
import static io.gatun.attention.code.Assembler.RSI;
import static io.gatun.attention.code.Assembler.at;

import io.gatun.attention.code.Assembler.Address;
import io.gatun.attention.code.Assembler.Condition;
import io.gatun.attention.code.Assembler.Label;
import io.gatun.attention.code.Call.Field;
import java.util.function.IntFunction;

/**
 * Writes what takes one tile into many blocks of 4 rows, as in prefill: the same operations in the
 * same order for each row as {@link KeyCode}, {@link SoftmaxCode} and {@link ValueCode} have, but
 * arranged so that arithmetic bounds it and not the second cache.
 *
 * <p>32 keys at a time become floats, in scratch that stays in the first cache, and meet the query
 * rows of all blocks; then comes the softmax of each block; then 32 values at a time.
 *
 * <pre>
 *   scratch   rows as floats [32][vectors][16]
 *             query rows [block][4][vectors][16], at whole cache lines
 *             sums of the tile [block][4][vectors][16], at its end
 *
 *   r12   rows in the scratch     r14   blocks to come     rcx, r9   what each block has
 *   r8    lines to ask for        r11   their end          r13       scores of the keys before
 * </pre>
 */
final class BlocksCode {
  /** Rows that are made floats at a time. */
  static final int ROWS = 32;

  /** Blocks that there are at least. */
  static final int LEAST_BLOCKS = 4;

  private static final int BLOCK_ROWS = 4;
  private static final int TO = 29;
  private static final int RAW = 28;
  private static final int SCALED_LEVELS = 27;

  private final Assembler a;
  private final RowCode keys;
  private final RowCode values;
  private final SoftmaxCode softmax;
  private final int tileTokens;

  /**
   * Will write the code.
   *
   * @param tileTokens tokens that a block's scores have room for
   */
  BlocksCode(
      Assembler a, RowCode keys, RowCode values, float weightScale, Power2 power, int tileTokens) {
    this.a = a;
    this.keys = keys;
    this.values = values;
    this.tileTokens = tileTokens;
    int vectors = new Decoder(values).vectors();
    softmax = new SoftmaxCode(a, power, vectors, BLOCK_ROWS, weightScale, false, false);
  }

  /** Bytes of scratch it needs at rsp. */
  static int scratch() {
    return Decoder.BYTES;
  }

  private static Address field(Field field) {
    return Call.at(Frame.CALL, field);
  }

  /** Writes it. */
  void write() {
    copyQueries();
    inPieces(this::keys);
    restart(Field.SCORES, Field.TOKENS, scoreBytes(1));
    overBlocks(() -> {
      softmax.write();
      a.addImmediate(field(Field.SCORES), scoreBytes(tileTokens));
      a.addImmediate(field(Field.STATE), 3 * Decoder.BYTES);
      a.addImmediate(field(Field.SUMS), BLOCK_ROWS * values.widened().rowBytes());
    });
    restart(Field.SCORES, Field.BLOCKS, scoreBytes(tileTokens));
    restart(Field.SUMS, Field.BLOCKS, BLOCK_ROWS * values.widened().rowBytes());
    inPieces(this::values);
    addSums();
  }

  /** Bytes of the scores of so many tokens against 4 rows. */
  private static int scoreBytes(int tokens) {
    return tokens * BLOCK_ROWS * Float.BYTES;
  }

  /** Moves a field back by so many bytes for each of what another one counts. */
  private void restart(Field field, Field count, int bytes) {
    a.load(RAX, field(count));
    advance(field, RAX, -bytes);
  }

  /** Moves a field on by so many bytes for each of what a register counts; overwrites rax. */
  private void advance(Field field, int count, int bytes) {
    a.imul(RAX, count, bytes);
    a.add(RAX, field(field));
    a.store(field(field), RAX);
  }

  private void copyQueries() {
    a.load(RCX, Frame.QUERY);
    a.add(RCX, field(Field.QUERY));
    a.load(RDI, field(Field.QUERY_COPY));
    a.load(R10, field(Field.QUERY_VECTORS));
    Label next = new Label();
    Label end = new Label();
    a.test(R10, R10);
    a.jump(Condition.EQUAL, end);
    a.bind(next);
    a.vload(0, at(RCX, 0));
    a.vstore(at(RDI, 0), 0);
    a.addImmediate(RCX, Decoder.BYTES);
    a.addImmediate(RDI, Decoder.BYTES);
    a.subImmediate(R10, 1);
    a.jump(Condition.ABOVE, next);
    a.bind(end);
  }

  /** All tokens of the tile, as many at a time as the scratch holds. */
  private void inPieces(Runnable piece) {
    a.load(RAX, field(Field.TOKENS));
    a.store(field(Field.LEFT), RAX);
    Label next = new Label();
    a.bind(next);
    a.load(RAX, field(Field.LEFT));
    a.movImmediate(R12, ROWS);
    a.cmp(R12, RAX);
    a.cmov(Condition.ABOVE, R12, RAX);
    piece.run();
    a.load(RAX, field(Field.LEFT));
    a.sub(RAX, R12);
    a.store(field(Field.LEFT), RAX);
    a.jump(Condition.ABOVE, next);
  }

  private void overBlocks(Runnable block) {
    a.load(R14, field(Field.BLOCKS));
    Label next = new Label();
    a.bind(next);
    block.run();
    a.subImmediate(R14, 1);
    a.jump(Condition.ABOVE, next);
  }

  /** Scores of a piece's keys. */
  private void keys() {
    a.load(RDI, Frame.KEYS);
    a.mov(RDX, RDI);
    a.add(RDI, field(Field.KEY));
    a.add(RDX, field(Field.KEY_SCALES));
    widen(keys, true);
    advance(Field.KEY, R12, keys.rowBytes());
    advance(Field.KEY_SCALES, R12, keys.scaleBytes());
    RowCode widened = keys.widened();
    DotCode code = new DotCode(a, widened, keys.type(), R13);
    code.begin();
    a.load(RCX, field(Field.QUERY_COPY));
    a.load(R9, Frame.SCORES);
    a.add(R9, field(Field.SCORES));
    a.load(R8, field(Field.KEY_AHEAD));
    a.load(R11, field(Field.KEY_AHEAD_END));
    overBlocks(() -> {
      a.load(RDI, field(Field.WIDENED));
      a.mov(R10, R12);
      Label next = new Label();
      a.align();
      a.bind(next);
      IntFunction<Address> key = i -> at(RDI, i * widened.rowBytes());
      code.group(BLOCK_ROWS, BLOCK_ROWS, at(RCX, 0), key, i -> at(RDI, 0), at(R9, 0), 0, 0);
      ask(keys, 4, Field.KEY_AHEAD_NEXT, Field.KEY_AHEAD_NEXT_END);
      a.addImmediate(R9, Decoder.BYTES);
      a.addImmediate(RDI, 4 * widened.rowBytes());
      a.subImmediate(R10, 4);
      a.jump(Condition.ABOVE, next);
      a.imul(RAX, R12, scoreBytes(1));
      a.sub(R9, RAX);
      a.addImmediate(R9, scoreBytes(tileTokens));
      a.addImmediate(RCX, BLOCK_ROWS * widened.rowBytes());
    });
    code.end(BLOCK_ROWS);
    a.store(field(Field.KEY_AHEAD), R8);
    a.store(field(Field.KEY_AHEAD_END), R11);
    advance(Field.SCORES, R12, scoreBytes(1));
  }

  /**
   * Asks for what so many tokens of a block of rows stand for, if there are {@link #LEAST_BLOCKS};
   * with more of them asking ends early.
   */
  private void ask(RowCode rows, int tokens, Field next, Field nextEnd) {
    int lines = Math.ceilDiv(tokens * rows.rowBytes(), Decoder.BYTES * LEAST_BLOCKS);
    for (int line = 0; line < lines; line++) {
      a.prefetch(at(R8, line * Decoder.BYTES));
    }
    RowCode.goOnAsking(a, R8, R11, lines * Decoder.BYTES, next, nextEnd);
  }

  /** Weighted sums of a piece's values, in the sums of the tile. */
  private void values() {
    a.load(RDI, Frame.VALUES);
    a.add(RDI, field(Field.VALUE));
    widen(values, false);
    advance(Field.VALUE, R12, values.rowBytes());
    RowCode widened = values.widened();
    ValueCode code = ValueCode.ofWidened(a, values, widened);
    code.masks();
    a.load(RCX, Frame.SCORES);
    a.add(RCX, field(Field.SCORES));
    a.load(R9, field(Field.TILE_SUMS));
    a.load(RDX, Frame.VALUES);
    a.add(RDX, field(Field.VALUE_SCALES));
    a.load(R8, field(Field.VALUE_AHEAD));
    a.load(R11, field(Field.VALUE_AHEAD_END));
    overBlocks(() -> {
      code.writeParts(
          R12, field(Field.WIDENED), field(Field.LEFT), field(Field.TOKENS), LEAST_BLOCKS);
      a.addImmediate(RCX, scoreBytes(tileTokens));
      a.addImmediate(R9, BLOCK_ROWS * widened.rowBytes());
    });
    a.store(field(Field.VALUE_AHEAD), R8);
    a.store(field(Field.VALUE_AHEAD_END), R11);
    advance(Field.SCORES, R12, scoreBytes(1));
    advance(Field.VALUE_SCALES, R12, values.scaleBytes());
  }

  /**
   * Makes rows floats, from rdi on, in the scratch.
   *
   * @param scaled whether codes are multiplied with their scales, from rdx on
   */
  private void widen(RowCode rows, boolean scaled) {
    Decoder decoder = new Decoder(rows);
    decoder.constants(a);
    a.load(RSI, field(Field.WIDENED));
    a.mov(R10, R12);
    Label token = new Label();
    a.bind(token);
    for (int v = 0; v < decoder.vectors(); v++) {
      if (scaled) {
        decoder.loadScaled(a, v, at(RDI, 0), at(RDX, 0), TO, RAW, SCALED_LEVELS);
      } else {
        decoder.load(a, v, at(RDI, 0), TO, RAW, Decoder.LEVELS);
      }
      a.vstore(at(RSI, v * Decoder.BYTES), TO);
    }
    a.addImmediate(RDI, rows.rowBytes());
    if (scaled) {
      a.addImmediate(RDX, rows.scaleBytes());
    }
    a.addImmediate(RSI, rows.widened().rowBytes());
    a.subImmediate(R10, 1);
    a.jump(Condition.ABOVE, token);
  }

  /** Adds the tile's sums to those there are. */
  private void addSums() {
    a.load(RDI, Frame.SUMS);
    a.add(RDI, field(Field.SUMS));
    a.load(R9, field(Field.TILE_SUMS));
    a.load(R10, field(Field.BLOCKS));
    a.imul(R10, R10, BLOCK_ROWS * new Decoder(values).vectors());
    Label next = new Label();
    a.bind(next);
    a.vload(0, at(RDI, 0));
    a.vadd(0, 0, at(R9, 0));
    a.vstore(at(RDI, 0), 0);
    a.addImmediate(RDI, Decoder.BYTES);
    a.addImmediate(R9, Decoder.BYTES);
    a.subImmediate(R10, 1);
    a.jump(Condition.ABOVE, next);
  }
}
