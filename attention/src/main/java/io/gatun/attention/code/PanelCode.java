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
import static io.gatun.attention.code.Assembler.at;

import io.gatun.attention.code.Assembler.Condition;
import io.gatun.attention.code.Assembler.Label;
import io.gatun.attention.code.Call.Field;
import java.lang.foreign.MemorySegment;

/**
 * Rows of weights times rows of activations, both floats: 16 sums of 16 lanes stay in registers while
 * the columns go by, of 2 weight rows and 8 activation rows, or of 4 and 4 for the last tile where
 * their number is odd. 8 activation rows are to fit the first cache, weights stream through it.
 *
 * <pre>
 *   weights       [group][4][rowBytes]        the columns of a block
 *   activations   [tile][4][rowBytes]
 *   sums          [tile][group][weight row 4][activation row 4][16]
 *
 *   rdi   weights, where their columns end       rbx, ...  the rows worked on     rcx   the next ones
 *   rdx   activations, the same, of the tile     rax   minus the bytes of columns to come
 *   r9    sums of the tile    r10   of the next tile       r14   bytes of columns
 *   r12   groups to come      r13   tiles to come
 * </pre>
 *
 * <p>Thread rules: immutable; any thread.
 */
public final class PanelCode {
  /** Rows of a group, and of a tile. */
  private static final int ROWS = 4;

  /** Bytes of the sums of a group and a tile. */
  private static final int GROUP_SUM_BYTES = ROWS * ROWS * Decoder.BYTES;

  private static final int WEIGHTS = 16;
  private static final int ACTIVATION = 20;
  private static final int[] WEIGHT_ROWS = {RBX, RSI, R8, R11};

  private final MachineCode code;

  private record Key(int weightRowBytes, int activationRowBytes) {}

  private PanelCode(MachineCode code) {
    this.code = code;
  }

  /** Whether machine code is to be had here. */
  public static boolean available() {
    try {
      MachineCode.check();
      return true;
    } catch (IllegalStateException e) {
      return false;
    }
  }

  /**
   * The code for rows that lie so many bytes apart.
   *
   * @throws IllegalStateException if machine code is not to be had here; the message says why
   */
  public static PanelCode of(int weightRowBytes, int activationRowBytes) {
    return new PanelCode(
        MachineCode.made(
            new Key(weightRowBytes, activationRowBytes),
            a -> write(a, weightRowBytes, activationRowBytes)));
  }

  /**
   * Adds products to the sums. The caller has seen to it that all lies within its memory.
   *
   * @param call scratch of the calling thread
   * @param weights an array's segment
   * @param groups of weight rows
   * @param activations memory, which stays open during the call
   * @param offset of the first activations in it
   * @param tiles of activation rows
   * @param columns a multiple of 16
   * @param sums an array's segment
   */
  public void run(
      Call call,
      MemorySegment weights,
      int groups,
      MemorySegment activations,
      long offset,
      int tiles,
      int columns,
      MemorySegment sums) {
    call.set(Field.TILES, tiles);
    call.set(Field.BLOCKS, groups);
    call.set(Field.KEY, offset);
    call.set(Field.TOKENS, (long) columns * Float.BYTES);
    code.run(call, activations, activations, weights, weights, sums, sums);
  }

  private static void write(Assembler a, int weightRowBytes, int activationRowBytes) {
    Frame.enter(a, Decoder.BYTES);
    a.load(RDI, Frame.QUERY);
    a.load(RDX, Frame.KEYS);
    a.add(RDX, Call.at(Frame.CALL, Field.KEY));
    a.load(R9, Frame.SUMS);
    a.load(R13, Call.at(Frame.CALL, Field.TILES));
    a.load(R14, Call.at(Frame.CALL, Field.TOKENS));
    a.add(RDI, R14);
    a.add(RDX, R14);
    Label pair = new Label();
    Label single = new Label();
    Label end = new Label();
    a.bind(pair);
    a.subImmediate(R13, 2);
    a.jump(Condition.BELOW, single);
    tiles(a, 2, weightRowBytes, activationRowBytes);
    a.jump(pair);
    a.bind(single);
    a.addImmediate(R13, 2);
    a.jump(Condition.EQUAL, end);
    tiles(a, 1, weightRowBytes, activationRowBytes);
    a.bind(end);
  }

  /** Writes what takes all groups of weights into one tile or two: 4 weight rows at a time, or 2. */
  private static void tiles(Assembler a, int tiles, int weightRowBytes, int activationRowBytes) {
    int rows = ROWS / tiles;
    a.load(R12, Call.at(Frame.CALL, Field.BLOCKS));
    a.imul(R10, R12, GROUP_SUM_BYTES);
    a.add(R10, R9);
    a.mov(RBX, RDI);
    Label group = new Label();
    a.bind(group);
    for (int first = 0; first < ROWS; first += rows) {
      sums(a, first, rows, tiles, false);
      for (int row = 1; row < rows; row++) {
        a.lea(WEIGHT_ROWS[row], at(RBX, row * weightRowBytes));
      }
      a.lea(RCX, at(RBX, rows * weightRowBytes));
      columns(a, rows, tiles, weightRowBytes, activationRowBytes);
      sums(a, first, rows, tiles, true);
      a.mov(RBX, RCX);
    }
    a.addImmediate(R9, GROUP_SUM_BYTES);
    a.addImmediate(R10, GROUP_SUM_BYTES);
    a.subImmediate(R12, 1);
    a.jump(Condition.ABOVE, group);
    if (tiles == 2) {
      a.mov(R9, R10);
    }
    a.addImmediate(RDX, tiles * ROWS * activationRowBytes);
  }

  /** Writes the loop over columns. */
  private static void columns(
      Assembler a, int rows, int tiles, int weightRowBytes, int activationRowBytes) {
    int tokens = tiles * ROWS;
    a.movImmediate(RAX, 0);
    a.sub(RAX, R14);
    Label next = new Label();
    a.align();
    a.bind(next);
    for (int row = 0; row < rows; row++) {
      a.vload(WEIGHTS + row, at(WEIGHT_ROWS[row], RAX, 0));
      // The rows to come wait in the second cache; behind the panel's end nothing is lost.
      a.prefetch(at(RCX, RAX, row * weightRowBytes));
    }
    for (int token = 0; token < tokens; token++) {
      a.vload(ACTIVATION + token % ROWS, at(RDX, RAX, token * activationRowBytes));
      for (int row = 0; row < rows; row++) {
        a.vfma(row * tokens + token, WEIGHTS + row, ACTIVATION + token % ROWS);
      }
    }
    a.addImmediate(RAX, Decoder.BYTES);
    // No carry as long as it is below 0.
    a.jump(Condition.ABOVE_OR_EQUAL, next);
  }

  private static void sums(Assembler a, int first, int rows, int tiles, boolean store) {
    int tokens = tiles * ROWS;
    for (int row = 0; row < rows; row++) {
      for (int token = 0; token < tokens; token++) {
        int from = ((first + row) * ROWS + token % ROWS) * Decoder.BYTES;
        Assembler.Address sum = at(token < ROWS ? R9 : R10, from);
        if (store) {
          a.vstore(sum, row * tokens + token);
        } else {
          a.vload(row * tokens + token, sum);
        }
      }
    }
  }
}
