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
import java.util.function.IntFunction;

/**
 * Writes the loop of the scores: 4 keys at a time against one block of query rows, up to 4, or
 * against two.
 *
 * <pre>
 *   rdi   the first of 4 keys         rax, rbx, rsi   from there to the last ones
 *   rdx   its scales                  r12, r13, r14   from there to the last ones'
 *   r9    scores [key / 4][4][4]      r10             keys to come
 *   r8    lines to ask for            r11             their end
 *   rcx   scores of the 4 keys before
 *   rsp   after scratch of others: query rows [rows][vectors][16], at whole cache lines
 * </pre>
 */
final class KeyCode {
  /** Keys that are taken in at a time. */
  private static final int KEYS = 4;

  private static final int BLOCK_ROWS = 4;

  /**
   * Where the query rows lie in the scratch: the values' loop, the softmax and the end of a split use
   * its beginning.
   */
  private static final int QUERY_AT = Math.max(ValueCode.scratch(), SplitEndCode.scratch());

  /** The first register for the copying of queries. */
  private static final int COPY = 16;

  private final Assembler a;
  private final Decoder decoder;
  private final RowCode keys;
  private final int rows;

  /** How many kernels share the asking for what comes next, each doing its part. */
  private final int sharers;

  /** From the scores of the first block of rows to those of the second, if there are two. */
  private final int blockScoreBytes;

  private final DotCode dots;

  private KeyCode(Assembler a, RowCode keys, int rows, int sharers, int blockScoreBytes) {
    this.a = a;
    this.decoder = new Decoder(keys);
    this.keys = keys;
    this.rows = rows;
    this.sharers = sharers;
    this.blockScoreBytes = blockScoreBytes;
    this.dots = new DotCode(a, keys, keys.type(), RCX);
  }

  /**
   * Will write the code for keys of this format.
   *
   * @param rows query rows that count, 1 to 4
   * @param sharers how many calls for the same keys share the asking for those to come
   */
  KeyCode(Assembler a, RowCode keys, int rows, int sharers) {
    this(a, keys, rows, sharers, 0);
  }

  /**
   * Will write the code for whole groups of 4 keys and two blocks of query rows, a whole one first.
   *
   * @param rows query rows that count, 5 to 8
   * @param blockScoreBytes from the scores of the first block to those of the second
   */
  static KeyCode ofTwo(Assembler a, RowCode keys, int rows, int blockScoreBytes) {
    return new KeyCode(a, keys, rows, 1, blockScoreBytes);
  }

  /** Bytes of scratch it needs at rsp. */
  int scratch() {
    return QUERY_AT + rows * decoder.vectors() * Decoder.BYTES;
  }

  /** Writes what the loop needs once: it may then be run several times. */
  void writeBeginning() {
    copyQuery();
  }

  /** Writes the loop. */
  void write() {
    decoder.constants(a);
    a.load(RDI, Frame.KEYS);
    a.mov(RDX, RDI);
    a.add(RDI, Call.at(Frame.CALL, Field.KEY));
    a.add(RDX, Call.at(Frame.CALL, Field.KEY_SCALES));
    a.load(R9, Frame.SCORES);
    a.add(R9, Call.at(Frame.CALL, Field.SCORES));
    a.load(R10, Call.at(Frame.CALL, Field.TOKENS));
    a.load(R8, Call.at(Frame.CALL, Field.KEY_AHEAD));
    a.load(R11, Call.at(Frame.CALL, Field.KEY_AHEAD_END));
    if (rows > 1) {
      dots.begin();
    }
    Label next = new Label();
    Label last = new Label();
    Label end = new Label();
    a.align();
    a.bind(next);
    a.subImmediate(R10, KEYS);
    a.jump(Condition.BELOW, last);
    group(false);
    a.addImmediate(RDI, KEYS * keys.rowBytes());
    a.addImmediate(RDX, KEYS * keys.scaleBytes());
    a.addImmediate(R9, Decoder.BYTES);
    RowCode.goOnAsking(
        a, R8, R11, lines() * Decoder.BYTES, Field.KEY_AHEAD_NEXT, Field.KEY_AHEAD_NEXT_END);
    a.jump(next);
    a.bind(last);
    if (rows <= BLOCK_ROWS) {
      a.addImmediate(R10, KEYS);
      a.jump(Condition.EQUAL, end);
      distances();
      group(true);
    }
    a.bind(end);
    if (rows > 1) {
      dots.end(lastRows());
    }
    a.store(Call.at(Frame.CALL, Field.KEY_AHEAD), R8);
    a.store(Call.at(Frame.CALL, Field.KEY_AHEAD_END), R11);
  }

  /** Scores of 4 keys, or with {@code last} of the last ones, fewer than 4. */
  private void group(boolean last) {
    keys.askForScales(a, RDX);
    IntFunction<Address> key = i -> key(i, last);
    IntFunction<Address> scale = i -> scale(i, last);
    Address query = at(RSP, QUERY_AT);
    if (rows == 1) {
      new OneRowCode(a, keys, query).write(key, scale, lines());
      a.vstore(at(R9, 0), 0);
    } else if (rows <= BLOCK_ROWS) {
      dots.group(rows, rows, query, key, scale, at(R9, 0), 0, lines());
    } else {
      // The second block makes the keys floats once more: that is a part of their loads for most
      // types, and takes less time than 8 rows without anything between their multiply-adds.
      Address second = query.plus(BLOCK_ROWS * decoder.vectors() * Decoder.BYTES);
      int lines = lines();
      int most = BLOCK_ROWS;
      dots.group(most, lastRows(), query, key, scale, at(R9, 0), 0, lines / 2);
      dots.group(lastRows(), most, second, key, scale, at(R9, blockScoreBytes), lines / 2, lines);
    }
  }

  /** Rows of the last block. */
  private int lastRows() {
    return rows <= BLOCK_ROWS ? rows : rows - BLOCK_ROWS;
  }

  /** Query rows are read for every 4 keys; in a heap array each vector lies in two cache lines. */
  private void copyQuery() {
    a.load(RCX, Frame.QUERY);
    a.add(RCX, Call.at(Frame.CALL, Field.QUERY));
    for (int i = 0; i < rows * decoder.vectors(); i++) {
      a.vload(COPY + i % 8, at(RCX, i * Decoder.BYTES));
      a.vstore(at(RSP, QUERY_AT + i * Decoder.BYTES), COPY + i % 8);
    }
  }

  /** From the first of the last keys to the others; the last one stands for those missing of 4. */
  private void distances() {
    distances(keys.rowBytes(), RAX, RBX, RSI);
    if (keys.scaleBytes() != 0) {
      distances(keys.scaleBytes(), R12, R13, R14);
    }
  }

  /** With 3 keys or fewer the fourth is the last one. */
  private void distances(int bytes, int second, int third, int fourth) {
    a.lea(fourth, at(R10, -1));
    a.imul(fourth, fourth, bytes);
    a.movImmediate(second, bytes);
    a.cmp(second, fourth);
    a.cmov(Condition.ABOVE, second, fourth);
    a.movImmediate(third, 2L * bytes);
    a.cmp(third, fourth);
    a.cmov(Condition.ABOVE, third, fourth);
  }

  private Address key(int i, boolean last) {
    if (!last) {
      return at(RDI, i * keys.rowBytes());
    }
    return switch (i) {
      case 0 -> at(RDI, 0);
      case 1 -> at(RDI, RAX, 0);
      case 2 -> at(RDI, RBX, 0);
      default -> at(RDI, RSI, 0);
    };
  }

  private Address scale(int i, boolean last) {
    if (!last) {
      return at(RDX, i * keys.scaleBytes());
    }
    return switch (i) {
      case 0 -> at(RDX, 0);
      case 1 -> at(RDX, R12, 0);
      case 2 -> at(RDX, R13, 0);
      default -> at(RDX, R14, 0);
    };
  }

  /** Cache lines to ask for with every 4 keys. */
  private int lines() {
    return Math.ceilDiv(KEYS * keys.rowBytes(), Decoder.BYTES * sharers);
  }
}
