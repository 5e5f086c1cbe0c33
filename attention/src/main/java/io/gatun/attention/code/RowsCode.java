package io.gatun.attention.code;

import static io.gatun.attention.code.Assembler.R10;
import static io.gatun.attention.code.Assembler.R12;
import static io.gatun.attention.code.Assembler.R13;
import static io.gatun.attention.code.Assembler.R8;
import static io.gatun.attention.code.Assembler.R9;
import static io.gatun.attention.code.Assembler.RAX;
import static io.gatun.attention.code.Assembler.RDI;
import static io.gatun.attention.code.Assembler.RDX;
import static io.gatun.attention.code.Assembler.RSI;
import static io.gatun.attention.code.Assembler.at;
import static io.gatun.attention.code.StoredRows.TURN;
import static io.gatun.attention.code.StoredRows.TURN_VECTORS;

import io.gatun.attention.code.Assembler.Address;
import io.gatun.attention.code.Assembler.Condition;
import io.gatun.attention.code.Assembler.Label;
import io.gatun.attention.code.Call.Field;
import io.gatun.cache.KvType;
import java.lang.foreign.MemorySegment;

/**
 * Rows of stored weights times one vector of activations: dot products of 4 rows at a time, each in
 * one accumulator of 16 lanes, and their sums over lanes formed together. The rows left at the end are
 * taken one by one.
 *
 * <pre>
 *   rdi   the first of 4 rows      rdx   activations     rax   turns to come
 *   rsi   its scales               r9    dot products    r12   groups of 4 rows to come
 *   r8    lines to ask for         r10   end of rows     r13   single rows to come, behind these
 *   zmm0 to 3  sums [row]          zmm4, 5  scratch      zmm16  activations      zmm20  weights
 *   k1    lanes 0, 4, 8, 12        k2    lanes 0 to 3    k3     lane 0
 * </pre>
 *
 * <p>Lane l has the columns l, l + 16, ..., added by FMA; then lanes l and l ^ 8 are added, l ^ 4,
 * l ^ 2 and l ^ 1. A weight with a scale is multiplied with it before it meets an activation.
 *
 * <p>Thread rules: immutable; any thread.
 */
public final class RowsCode {
  /** Rows that are taken in at a time. */
  public static final int ROWS = 4;

  /** Bytes that are asked for ahead of their use, along a row. */
  private static final int AHEAD = 1024;

  /** Most lines that are asked for at once, between 4 rows and the next. */
  private static final int MOST_AT_ONCE = 64;

  private static final int ACTIVATIONS = 16;
  private static final int WEIGHTS = 20;
  private static final int SCRATCH = 4;
  private static final int OTHER_SCRATCH = 5;

  private static final int FIRSTS_OF_FOURS = 1;
  private static final int FIRST_FOUR = 2;
  private static final int FIRST = 3;

  private final MachineCode code;

  private record Key(StoredRows format) {}

  private RowsCode(MachineCode code) {
    this.code = code;
  }

  /**
   * The code for rows that lie so.
   *
   * @throws IllegalStateException if machine code is not to be had here; the message says why
   */
  public static RowsCode of(StoredRows format) {
    return new RowsCode(MachineCode.made(new Key(format), a -> new Writer(a, format).write()));
  }

  /**
   * Computes dot products of rows that follow each other. The caller has seen to it that all lies
   * within its memory. To be called for some 100 microseconds at most: no garbage collection can
   * begin meanwhile.
   *
   * @param call scratch of the calling thread
   * @param weights memory, which stays open during the call
   * @param offset of the first row in it
   * @param rows to take in, at least 1
   * @param end offset behind the rows that are wanted next, by this call or later ones: what lies
   *     behind it is not asked for
   * @param x activations, from byte {@code xAt} on
   * @param y gets one float for each row, from byte {@code yAt} on
   * @throws InternalError if the memory was not there: a mapped file was cut short, or its disk fails
   */
  public void run(
      Call call,
      MemorySegment weights,
      long offset,
      int rows,
      long end,
      MemorySegment x,
      long xAt,
      MemorySegment y,
      long yAt) {
    call.set(Field.KEY, offset);
    call.set(Field.VALUE, end);
    call.set(Field.BLOCKS, rows / ROWS);
    call.set(Field.LEFT, rows % ROWS);
    call.set(Field.QUERY, xAt);
    call.set(Field.SUMS, yAt);
    code.run(call, weights, weights, x, x, y, y);
  }

  /** Which lines a turn of the loop asks for. */
  private enum Asking {
    NOTHING,

    /** Of the same rows, some way ahead. */
    SAME_ROWS,

    /** The beginnings of the next 4 rows: towards the end of a row, where there is no way ahead. */
    NEXT_ROWS,

    /**
     * The next 4 rows from front to back, as a plain read would take them. With scales at the end of
     * each row there are twice as many streams, and what comes in is used slowly enough.
     */
    IN_ORDER
  }

  /** Writes the code for rows of one format. */
  private static final class Writer {
    private final Assembler a;
    private final StoredRows format;
    private final int turns;

    Writer(Assembler a, StoredRows format) {
      this.a = a;
      this.format = format;
      this.turns = format.cols() / TURN;
    }

    void write() {
      Frame.enter(a, 0);
      a.load(RDI, Frame.KEYS);
      a.mov(R10, RDI);
      a.add(RDI, Call.at(Frame.CALL, Field.KEY));
      a.add(R10, Call.at(Frame.CALL, Field.VALUE));
      a.load(RDX, Frame.QUERY);
      a.add(RDX, Call.at(Frame.CALL, Field.QUERY));
      a.load(R9, Frame.SUMS);
      a.add(R9, Call.at(Frame.CALL, Field.SUMS));
      a.load(R12, Call.at(Frame.CALL, Field.BLOCKS));
      a.load(R13, Call.at(Frame.CALL, Field.LEFT));
      mask(FIRSTS_OF_FOURS, 0x1111);
      mask(FIRST_FOUR, 0xf);
      mask(FIRST, 1);
      Label single = new Label();
      Label end = new Label();
      a.test(R12, R12);
      a.jump(Condition.EQUAL, single);
      Label group = new Label();
      a.bind(group);
      dotsOfFour();
      sums();
      a.addImmediate(R9, ROWS * Float.BYTES);
      a.subImmediate(R12, 1);
      a.jump(Condition.ABOVE, group);
      a.bind(single);
      a.test(R13, R13);
      a.jump(Condition.EQUAL, end);
      Label row = new Label();
      a.bind(row);
      begin(1);
      loop(1, turns, Asking.NOTHING);
      end(1);
      sumOfOne();
      a.addImmediate(R9, Float.BYTES);
      a.subImmediate(R13, 1);
      a.jump(Condition.ABOVE, row);
      a.bind(end);
    }

    private void mask(int mask, int lanes) {
      a.movImmediate(RAX, lanes);
      a.kmov(mask, RAX);
    }

    private void dotsOfFour() {
      begin(ROWS);
      if (format.scaled()) {
        toNextRows(0);
        loop(ROWS, turns, Asking.IN_ORDER);
        int asked = turns * lines(Asking.IN_ORDER);
        int left = Math.ceilDiv(ROWS * format.rowBytes(), Decoder.BYTES) - asked;
        for (int line = 0; line < Math.min(left, MOST_AT_ONCE); line++) {
          a.prefetch(line(Asking.IN_ORDER, line));
        }
      } else {
        int last = turnsAhead();
        loop(ROWS, turns - last, Asking.SAME_ROWS);
        toNextRows(turns - last);
        loop(ROWS, last, Asking.NEXT_ROWS);
      }
      end(ROWS);
    }

    /** Sets r8 to the rows behind these, so many turns of which are done. */
    private void toNextRows(int done) {
      a.lea(R8, at(RDI, ROWS * format.rowBytes() - done * format.bytesOf(TURN)));
      a.cmp(R8, R10);
      // Behind the last rows there is nothing to ask for but what is here already.
      a.cmov(Condition.ABOVE_OR_EQUAL, R8, RDI);
    }

    /** What comes before the columns of so many rows. */
    private void begin(int rows) {
      if (format.scaled()) {
        a.lea(RSI, at(RDI, format.scales()));
      }
      for (int row = 0; row < rows; row++) {
        a.vzero(row);
      }
    }

    /** The columns behind the last whole turn; then rdi is at the rows behind these. */
    private void end(int rows) {
      columns(rows, format.cols() % TURN / Decoder.LANES, Asking.NOTHING);
      a.addImmediate(RDI, rows * format.rowBytes() - turns * format.bytesOf(TURN));
      a.subImmediate(RDX, turns * TURN * Float.BYTES);
    }

    private void loop(int rows, int turns, Asking asking) {
      if (turns == 0) {
        return;
      }
      a.movImmediate(RAX, turns);
      Label turn = new Label();
      a.align();
      a.bind(turn);
      columns(rows, TURN_VECTORS, asking);
      a.addImmediate(RDI, format.bytesOf(TURN));
      a.addImmediate(RDX, TURN * Float.BYTES);
      if (format.scaled()) {
        a.addImmediate(RSI, Float.BYTES);
      }
      switch (asking) {
        case NEXT_ROWS -> a.addImmediate(R8, format.bytesOf(TURN));
        case IN_ORDER -> a.addImmediate(R8, lines(asking) * Decoder.BYTES);
        case NOTHING, SAME_ROWS -> {}
      }
      a.subImmediate(RAX, 1);
      a.jump(Condition.ABOVE, turn);
    }

    /** Takes so many vectors of columns in, and asks for lines as evenly as can be meanwhile. */
    private void columns(int rows, int vectors, Asking asking) {
      int lines = lines(asking);
      int asked = 0;
      for (int vector = 0; vector < vectors; vector++) {
        a.vload(ACTIVATIONS, at(RDX, vector * Decoder.BYTES));
        for (int row = 0; row < rows; row++) {
          multiply(row, vector);
          int place = vector * rows + row + 1;
          for (; asked < lines * place / (vectors * rows); asked++) {
            a.prefetch(line(asking, asked));
          }
        }
      }
    }

    /** Turns of {@link #AHEAD}. */
    private int turnsAhead() {
      return Math.min(turns, AHEAD / format.bytesOf(TURN));
    }

    /** Lines that a turn asks for. */
    private int lines(Asking asking) {
      return switch (asking) {
        case NOTHING -> 0;
        case SAME_ROWS, NEXT_ROWS -> ROWS * format.bytesOf(TURN) / Decoder.BYTES;
        case IN_ORDER -> turns == 0 ? 0 : ROWS * format.rowBytes() / Decoder.BYTES / turns;
      };
    }

    private Address line(Asking asking, int line) {
      int inRows = line % ROWS * format.rowBytes() + line / ROWS * Decoder.BYTES;
      return switch (asking) {
        case SAME_ROWS -> at(RDI, inRows + turnsAhead() * format.bytesOf(TURN));
        case NEXT_ROWS -> at(R8, inRows);
        case NOTHING, IN_ORDER -> at(R8, line * Decoder.BYTES);
      };
    }

    private void multiply(int row, int vector) {
      int fromRow = row * format.rowBytes();
      Address weights = at(RDI, fromRow + format.bytesOf(vector * Decoder.LANES));
      if (format.type() == KvType.F32) {
        a.vfma(row, ACTIVATIONS, weights);
      } else {
        format.decode(a, WEIGHTS, weights, at(RSI, fromRow));
        a.vfma(row, ACTIVATIONS, WEIGHTS);
      }
    }

    /** Sums of 4 accumulators over their lanes, to memory. */
    private void sums() {
      halves(0, 1);
      halves(2, 3);
      a.vshuffleBlocks(SCRATCH, 0, 2, 0x88);
      a.vshuffleBlocks(OTHER_SCRATCH, 0, 2, 0xdd);
      a.vadd(0, SCRATCH, OTHER_SCRATCH);
      inFours();
      a.vcompress(0, FIRSTS_OF_FOURS, 0);
      a.vstoreMasked(at(R9, 0), FIRST_FOUR, 0);
    }

    /** The upper 8 lanes onto the lower ones: of {@code to}, and behind it of {@code other}. */
    private void halves(int to, int other) {
      a.vshuffleBlocks(SCRATCH, to, other, 0x44);
      a.vshuffleBlocks(OTHER_SCRATCH, to, other, 0xee);
      a.vadd(to, SCRATCH, OTHER_SCRATCH);
    }

    /** The sum of one accumulator, to memory. */
    private void sumOfOne() {
      a.vshuffleBlocks(SCRATCH, 0, 0, 0x4e);
      a.vadd(0, 0, SCRATCH);
      a.vshuffleBlocks(SCRATCH, 0, 0, 0xb1);
      a.vadd(0, 0, SCRATCH);
      inFours();
      a.vstoreMasked(at(R9, 0), FIRST, 0);
    }

    /** Each 4 lanes become their sum. */
    private void inFours() {
      a.vpermuteInFours(SCRATCH, 0, 0x4e);
      a.vadd(0, 0, SCRATCH);
      a.vpermuteInFours(SCRATCH, 0, 0xb1);
      a.vadd(0, 0, SCRATCH);
    }
  }
}
