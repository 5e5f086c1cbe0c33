package io.gatun.attention.code;

import static io.gatun.attention.code.Assembler.R10;
import static io.gatun.attention.code.Assembler.R12;
import static io.gatun.attention.code.Assembler.R13;
import static io.gatun.attention.code.Assembler.R8;
import static io.gatun.attention.code.Assembler.RAX;
import static io.gatun.attention.code.Assembler.RBX;
import static io.gatun.attention.code.Assembler.RCX;
import static io.gatun.attention.code.Assembler.RDI;
import static io.gatun.attention.code.Assembler.RDX;
import static io.gatun.attention.code.Assembler.RSI;
import static io.gatun.attention.code.Assembler.at;
import static io.gatun.attention.code.StoredRows.TURN;
import static io.gatun.attention.code.StoredRows.TURN_VECTORS;

import io.gatun.attention.code.Assembler.Condition;
import io.gatun.attention.code.Assembler.Label;
import io.gatun.attention.code.Call.Field;
import java.lang.foreign.MemorySegment;

/**
 * Decodes 16 rows of stored weights and puts them in the order that {@link PanelCode} reads them in,
 * which {@link TransposeCode} shows. Weights are read front to back, along 16 rows at once, and asked
 * for some way ahead.
 *
 * <pre>
 *   rsi  the first row        rdi  a step's place in lane 0    r12  turns to come
 *   rax  its scales           rdx  bytes from step to step     r13  single steps to come, behind these
 *   r8   lines to ask for     rcx  bytes from lane to lane     r9   as LaneStore has it
 *   rbx  where these end      r10  where asking goes on then
 * </pre>
 *
 * <p>Thread rules: immutable; any thread.
 */
public final class StoredLanesCode {
  /** Rows that are taken in at a time. */
  public static final int ROWS = LaneStore.ROWS;

  /** Bytes that are asked for ahead of their use, along a row. */
  private static final int AHEAD = 512;

  /** Turns of a call, at most: 16 rows of 4096 columns. No garbage collection can begin meanwhile. */
  private static final int MOST_TURNS = 4096 / TURN;

  private final MachineCode code;
  private final StoredRows format;

  private record Key(StoredRows format) {}

  private StoredLanesCode(MachineCode code, StoredRows format) {
    this.code = code;
    this.format = format;
  }

  /**
   * The code for rows that lie so.
   *
   * @throws IllegalStateException if machine code is not to be had here; the message says why
   */
  public static StoredLanesCode of(StoredRows format) {
    return new StoredLanesCode(
        MachineCode.made(new Key(format), a -> new Writer(a, format).write()), format);
  }

  /**
   * Writes all steps of all lanes of 16 rows that follow each other. The caller has seen to it that
   * all lies within its memory. Nothing is read behind the last row.
   *
   * @param call scratch of the calling thread
   * @param weights memory, which stays open during the call
   * @param offset of the first row in it
   * @param goesOn whether the 16 rows behind these are wanted next: then their beginnings are asked for
   * @param to memory, which stays open during the call
   * @param toAt offset of the first step's place in lane 0
   * @throws InternalError if the weights were not there: a mapped file was cut short, or its disk fails
   */
  public void run(
      Call call,
      MemorySegment weights,
      long offset,
      boolean goesOn,
      MemorySegment to,
      long toAt,
      long stepBytes,
      long laneBytes) {
    int turnBytes = format.bytesOf(TURN);
    int turns = format.cols() / TURN;
    int single = format.cols() % TURN / Decoder.LANES;
    int ahead = Math.min(turns, AHEAD / turnBytes);
    long first = weights.address() + offset;
    long askedEnd = first + (long) turns * turnBytes;
    // Where nothing is wanted next, what is at hand already is asked for once more.
    long next =
        goesOn ? first + (long) ROWS * format.rowBytes() : askedEnd - (long) ahead * turnBytes;
    call.set(Field.TILE_BYTES, stepBytes);
    call.set(Field.PART_BYTES, laneBytes);
    int turn = 0;
    do {
      int count = Math.min(MOST_TURNS, turns - turn);
      boolean last = turn + count == turns;
      long asked = first + (long) (turn + ahead) * turnBytes;
      call.set(Field.KEY, offset + (long) turn * turnBytes);
      call.set(Field.KEY_SCALES, offset + format.scales() + (long) Float.BYTES * turn);
      call.set(Field.KEY_AHEAD, asked <= askedEnd ? asked : next + (asked - askedEnd));
      call.set(Field.KEY_AHEAD_END, askedEnd);
      call.set(Field.KEY_AHEAD_NEXT, next);
      call.set(Field.TILES, count);
      call.set(Field.TOKENS, last ? single : 0);
      call.set(Field.SUMS, toAt + turn * TURN_VECTORS * stepBytes);
      code.run(call, weights, weights, weights, weights, to, to);
      turn += count;
    } while (turn < turns);
  }

  /** Writes the code of one format. */
  private static final class Writer {
    private final Assembler a;
    private final StoredRows format;

    /** Lines of 16 rows that a turn asks for. */
    private final int lines;

    Writer(Assembler a, StoredRows format) {
      this.a = a;
      this.format = format;
      this.lines = ROWS * format.bytesOf(TURN) / Decoder.BYTES;
    }

    void write() {
      Frame.enter(a, 0);
      a.load(RSI, Frame.KEYS);
      a.mov(RAX, RSI);
      a.add(RSI, Call.at(Frame.CALL, Field.KEY));
      a.add(RAX, Call.at(Frame.CALL, Field.KEY_SCALES));
      a.load(R8, Call.at(Frame.CALL, Field.KEY_AHEAD));
      a.load(RBX, Call.at(Frame.CALL, Field.KEY_AHEAD_END));
      a.load(R10, Call.at(Frame.CALL, Field.KEY_AHEAD_NEXT));
      a.load(RDI, Frame.SUMS);
      a.add(RDI, Call.at(Frame.CALL, Field.SUMS));
      a.load(RDX, Call.at(Frame.CALL, Field.TILE_BYTES));
      a.load(RCX, Call.at(Frame.CALL, Field.PART_BYTES));
      a.load(R12, Call.at(Frame.CALL, Field.TILES));
      a.load(R13, Call.at(Frame.CALL, Field.TOKENS));
      turns();
      singleSteps();
    }

    private void turns() {
      Label turn = new Label();
      Label end = new Label();
      a.test(R12, R12);
      a.jump(Condition.EQUAL, end);
      a.align();
      a.bind(turn);
      a.cmp(R8, RBX);
      a.cmov(Condition.EQUAL, R8, R10);
      for (int step = 0; step < TURN_VECTORS; step++) {
        for (int row = 0; row < ROWS; row++) {
          decode(row, step);
          ask(step * ROWS + row);
        }
        LaneStore.write(a);
      }
      a.addImmediate(RSI, format.bytesOf(TURN));
      a.addImmediate(R8, format.bytesOf(TURN));
      a.addImmediate(RAX, Float.BYTES);
      a.subImmediate(R12, 1);
      a.jump(Condition.ABOVE, turn);
      a.bind(end);
    }

    /** The columns behind the last whole turn. */
    private void singleSteps() {
      Label step = new Label();
      Label end = new Label();
      a.test(R13, R13);
      a.jump(Condition.EQUAL, end);
      a.bind(step);
      for (int row = 0; row < ROWS; row++) {
        decode(row, 0);
      }
      LaneStore.write(a);
      a.addImmediate(RSI, format.bytesOf(Decoder.LANES));
      a.subImmediate(R13, 1);
      a.jump(Condition.ABOVE, step);
      a.bind(end);
    }

    private void decode(int row, int step) {
      int fromRow = row * format.rowBytes();
      int column = format.bytesOf(step * Decoder.LANES);
      format.decode(a, row, at(RSI, fromRow + column), at(RAX, fromRow));
    }

    /** Asks for lines as evenly as can be, the rows' first ones before their second ones. */
    private void ask(int place) {
      int places = TURN_VECTORS * ROWS;
      for (int line = lines * place / places; line < lines * (place + 1) / places; line++) {
        int fromRow = line % ROWS * format.rowBytes();
        a.prefetch(at(R8, fromRow + line / ROWS * Decoder.BYTES));
        if (format.scaled()) {
          // Each line of scales many times, since it is not known where lines begin.
          a.prefetch(at(RAX, fromRow + Decoder.BYTES));
        }
      }
    }
  }
}
