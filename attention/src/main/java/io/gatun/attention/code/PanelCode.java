package io.gatun.attention.code;

import static io.gatun.attention.code.Assembler.R10;
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
 * Rows of weights times rows of activations, both floats, 4 by 4 at a time: 16 sums of 16 lanes stay
 * in registers while the columns go by.
 *
 * <pre>
 *   weights       [group][4][rowBytes]        the columns of a block
 *   activations   [tile][4][rowBytes]
 *   sums          [tile][group][weight row 4][activation row 4][16]
 *
 *   rdi   weights     rbx   those of the group      rax   columns done, in bytes
 *   rdx   activations of the tile                   r14   columns, in bytes
 *   r9    sums        r12   groups to come          r13   tiles to come
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
    int[] weightRows = {RBX, RSI, R8, R10};
    Label tile = new Label();
    a.bind(tile);
    a.load(R12, Call.at(Frame.CALL, Field.BLOCKS));
    a.mov(RBX, RDI);
    Label group = new Label();
    a.bind(group);
    for (int row = 1; row < ROWS; row++) {
      a.lea(weightRows[row], at(RBX, row * weightRowBytes));
    }
    for (int i = 0; i < ROWS * ROWS; i++) {
      a.vload(i, at(R9, i * Decoder.BYTES));
    }
    a.movImmediate(RAX, 0);
    Label columns = new Label();
    a.align();
    a.bind(columns);
    a.lea(RCX, at(RDX, RAX, 0));
    for (int row = 0; row < ROWS; row++) {
      a.vload(WEIGHTS + row, at(weightRows[row], RAX, 0));
    }
    for (int token = 0; token < ROWS; token++) {
      a.vload(ACTIVATION + token, at(RCX, token * activationRowBytes));
      for (int row = 0; row < ROWS; row++) {
        a.vfma(row * ROWS + token, WEIGHTS + row, ACTIVATION + token);
      }
    }
    a.addImmediate(RAX, Decoder.BYTES);
    a.cmp(RAX, R14);
    a.jump(Condition.BELOW, columns);
    for (int i = 0; i < ROWS * ROWS; i++) {
      a.vstore(at(R9, i * Decoder.BYTES), i);
    }
    a.addImmediate(R9, GROUP_SUM_BYTES);
    a.addImmediate(RBX, ROWS * weightRowBytes);
    a.subImmediate(R12, 1);
    a.jump(Condition.ABOVE, group);
    a.addImmediate(RDX, ROWS * activationRowBytes);
    a.subImmediate(R13, 1);
    a.jump(Condition.ABOVE, tile);
  }
}
