package io.gatun.attention.code;

import static io.gatun.attention.code.Assembler.R10;
import static io.gatun.attention.code.Assembler.RCX;
import static io.gatun.attention.code.Assembler.RDI;
import static io.gatun.attention.code.Assembler.RDX;
import static io.gatun.attention.code.Assembler.RSI;
import static io.gatun.attention.code.Assembler.at;

import io.gatun.attention.code.Assembler.Condition;
import io.gatun.attention.code.Assembler.Label;
import io.gatun.attention.code.Call.Field;
import java.lang.foreign.MemorySegment;

/**
 * Puts 16 rows of floats in the order that {@link PanelCode} reads them in: the columns of a lane,
 * which are 16 apart, follow each other, and of each column the 16 rows lie side by side.
 *
 * <pre>
 *   from   row r:     column 0 1 2 3 ...               rowBytes to the next row
 *   to     lane l:    step 0: column l, rows 0 to 15   stepBytes to the next step
 *                     step 1: column l + 16 ...        laneBytes to the next lane
 * </pre>
 *
 * <p>Steps are written in ascending order. Where they are less than 64 bytes apart, the last rows of
 * each are overwritten by the next, and behind the last step of a lane 64 bytes are to be there.
 *
 * <p>Thread rules: immutable; any thread.
 */
public final class TransposeCode {
  private final MachineCode code;

  private record Key(int rowBytes) {}

  private TransposeCode(MachineCode code) {
    this.code = code;
  }

  /**
   * The code for rows that lie so many bytes apart.
   *
   * @throws IllegalStateException if machine code is not to be had here; the message says why
   */
  public static TransposeCode of(int rowBytes) {
    return new TransposeCode(MachineCode.made(new Key(rowBytes), a -> write(a, rowBytes)));
  }

  /**
   * Writes some steps of all lanes. The caller has seen to it that all lies within its memory.
   *
   * @param call scratch of the calling thread
   * @param from where the rows are, an array's segment or memory that stays open during the call
   * @param fromAt offset of the first row's first column
   * @param steps so many times 16 columns, at least 1
   * @param to memory, which stays open during the call
   * @param toAt offset of the first step's place in lane 0
   */
  public void run(
      Call call,
      MemorySegment from,
      long fromAt,
      int steps,
      MemorySegment to,
      long toAt,
      long stepBytes,
      long laneBytes) {
    call.set(Field.KEY, fromAt);
    call.set(Field.TOKENS, steps);
    call.set(Field.SUMS, toAt);
    call.set(Field.TILE_BYTES, stepBytes);
    call.set(Field.PART_BYTES, laneBytes);
    code.run(call, from, from, from, from, to, to);
  }

  private static void write(Assembler a, int rowBytes) {
    Frame.enter(a, 0);
    a.load(RSI, Frame.KEYS);
    a.add(RSI, Call.at(Frame.CALL, Field.KEY));
    a.load(RDI, Frame.SUMS);
    a.add(RDI, Call.at(Frame.CALL, Field.SUMS));
    a.load(RDX, Call.at(Frame.CALL, Field.TILE_BYTES));
    a.load(RCX, Call.at(Frame.CALL, Field.PART_BYTES));
    a.load(R10, Call.at(Frame.CALL, Field.TOKENS));
    Label next = new Label();
    a.bind(next);
    for (int row = 0; row < LaneStore.ROWS; row++) {
      a.vload(row, at(RSI, row * rowBytes));
    }
    LaneStore.write(a);
    a.addImmediate(RSI, Decoder.BYTES);
    a.subImmediate(R10, 1);
    a.jump(Condition.ABOVE, next);
  }
}
