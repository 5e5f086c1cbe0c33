package io.gatun.attention.code;

import static io.gatun.attention.code.Assembler.R9;
import static io.gatun.attention.code.Assembler.RAX;
import static io.gatun.attention.code.Assembler.RCX;
import static io.gatun.attention.code.Assembler.RDI;
import static io.gatun.attention.code.Assembler.RSP;
import static io.gatun.attention.code.Assembler.at;

import io.gatun.attention.code.Assembler.Condition;
import io.gatun.attention.code.Assembler.Label;
import io.gatun.attention.code.Call.Field;

/**
 * Writes the end of a split, for calls that work through several: the rows' sums, maxima and totals go
 * to their place in the store, sums and state begin anew, and so do the tiles.
 *
 * <pre>
 *   rdi   store [row][vectors * 16 sums, maximum, total]
 *   r9    sums [row][vectors][16]        rcx   state [block][3][4][4]
 *   rsp   maxima, then totals, of a block [row][4]
 * </pre>
 */
final class SplitEndCode {
  private static final int ROWS = 4;
  private static final int STATE_BYTES = 3 * Decoder.BYTES;

  private static final int NUMBER = 0;
  private static final int OTHER = 1;
  private static final int ZERO = 2;
  private static final int NOTHING_SEEN = 3;

  private static final int FIRST_LANE = 7;

  /** Orders of the lanes of each 4: neighbours changed, halves changed. */
  private static final int NEIGHBOURS = 0xb1;

  private static final int HALVES = 0x4e;

  private final Assembler a;
  private final int rows;
  private final int vectors;

  /**
   * Will write the code.
   *
   * @param rows that count, 1 to 8
   * @param vectors of a row of sums
   */
  SplitEndCode(Assembler a, int rows, int vectors) {
    this.a = a;
    this.rows = rows;
    this.vectors = vectors;
  }

  /** Bytes of scratch it needs at rsp. */
  static int scratch() {
    return 2 * Decoder.BYTES;
  }

  /**
   * Writes it.
   *
   * @param tiles of a split
   * @param next where a split begins
   */
  void write(int tiles, Label next) {
    Label end = new Label();
    a.load(RAX, Call.at(Frame.CALL, Field.SPLITS));
    a.test(RAX, RAX);
    a.jump(Condition.EQUAL, end);
    a.load(RDI, Call.at(Frame.CALL, Field.STORE));
    a.load(R9, Frame.SUMS);
    a.add(R9, Call.at(Frame.CALL, Field.SUMS));
    a.load(RCX, Frame.STATE);
    a.add(RCX, Call.at(Frame.CALL, Field.STATE));
    a.movImmediate(RAX, 1);
    a.kmov(FIRST_LANE, RAX);
    a.movImmediate(RAX, Float.floatToRawIntBits(Float.NEGATIVE_INFINITY) & 0xffff_ffffL);
    a.vbroadcastInt(NOTHING_SEEN, RAX);
    a.vzero(ZERO);
    for (int row = 0; row < rows; row++) {
      if (row % ROWS == 0) {
        block(row / ROWS * STATE_BYTES);
      }
      row(row);
    }
    a.movImmediate(RAX, tiles);
    a.store(Call.at(Frame.CALL, Field.TILES), RAX);
    a.add(RDI, Call.at(Frame.CALL, Field.PART_BYTES));
    a.store(Call.at(Frame.CALL, Field.STORE), RDI);
    a.subImmediate(Call.at(Frame.CALL, Field.SPLITS), 1);
    a.jump(Condition.ABOVE, next);
    a.bind(end);
  }

  /** A block's maxima and totals to the scratch; then its state begins anew. */
  private void block(int state) {
    a.vload(NUMBER, at(RCX, state));
    a.vstore(at(RSP, 0), NUMBER);
    a.vload(NUMBER, at(RCX, state + Decoder.BYTES));
    a.vpermuteInFours(OTHER, NUMBER, NEIGHBOURS);
    a.vadd(NUMBER, NUMBER, OTHER);
    a.vpermuteInFours(OTHER, NUMBER, HALVES);
    a.vadd(NUMBER, NUMBER, OTHER);
    a.vstore(at(RSP, Decoder.BYTES), NUMBER);
    a.vstore(at(RCX, state), NOTHING_SEEN);
    a.vstore(at(RCX, state + Decoder.BYTES), ZERO);
  }

  private void row(int row) {
    int to = row * (vectors * Decoder.BYTES + 2 * Float.BYTES);
    for (int i = 0; i < vectors; i++) {
      int from = (row * vectors + i) * Decoder.BYTES;
      a.vload(NUMBER, at(R9, from));
      a.vstore(at(RDI, to + i * Decoder.BYTES), NUMBER);
      a.vstore(at(R9, from), ZERO);
    }
    to += vectors * Decoder.BYTES;
    int inBlock = row % ROWS * ROWS * Float.BYTES;
    a.vbroadcast(NUMBER, at(RSP, inBlock));
    a.vstoreMasked(at(RDI, to), FIRST_LANE, NUMBER);
    a.vbroadcast(NUMBER, at(RSP, Decoder.BYTES + inBlock));
    a.vstoreMasked(at(RDI, to + Float.BYTES), FIRST_LANE, NUMBER);
  }
}
