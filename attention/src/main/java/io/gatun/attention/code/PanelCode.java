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
import static io.gatun.attention.code.Assembler.at;

import io.gatun.attention.code.Assembler.Condition;
import io.gatun.attention.code.Assembler.Label;
import io.gatun.attention.code.Call.Field;
import java.lang.foreign.MemorySegment;

/**
 * A panel of 32 weight rows times tiles of up to 12 activation rows, both floats, for the columns of
 * one lane: those that one lane of a dot product's accumulator takes. A register holds the sums of 16
 * weight rows and one activation row; a column of weights, two registers, meets each of the tile's
 * activations, which come from memory to all lanes. So every sum is formed as a dot product's lane is,
 * without one register being loaded for each multiply-add or two, and no lanes are left to be added.
 * What lane 0 summed is then added to what lane 8 did, and so on, vector by vector.
 *
 * <pre>
 *   weights       [step][32]                          the columns l, l + 16, ...
 *   activations   [tile][...][step][row of the tile]  tileBytes from tile to tile
 *   sums          [part][row of all tiles][32]        partBytes from part to part
 *
 *   rdi  weights     rax  a step's             r12  steps to come    rbx  bytes from tile to tile
 *   rdx  tile        rcx  a step's             r13  tiles to come    r14  bytes from part to part
 *   r8   its sums    r9   its sums of part 0   r10  of another part  r11  parts to merge
 * </pre>
 *
 * <p>Thread rules: immutable; any thread.
 */
public final class PanelCode {
  /** Weight rows of a panel. */
  public static final int ROWS = 2 * Decoder.LANES;

  /** Activation rows of a tile, at most: their sums and the weights fit the 32 registers. */
  public static final int MOST_TOKENS = 12;

  /** Bytes of a panel's column, and of a token's sums. */
  private static final int ROW_BYTES = ROWS * Float.BYTES;

  private static final int WEIGHTS = 2 * MOST_TOKENS;
  private static final int ACTIVATION = WEIGHTS + 4;

  /**
   * Activations of a step that are loaded once for both registers of weights: more instructions, fewer
   * loads. The others come with each multiply-add. So neither instructions nor loads hold up the rest.
   */
  private static final int LOADED_ALONE = 8;

  /** Steps of a call, at most, that leave the weights in the first cache for the next tile: 16 KB. */
  public static final int MOST_STEPS = 128;

  /** Steps of a round of the loop. */
  private static final int UNROLLED = 4;

  private static final int LINE = 64;

  private final MachineCode code;

  private record Key(int tokens) {}

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
   * The code for tiles of so many activation rows.
   *
   * @throws IllegalStateException if machine code is not to be had here; the message says why
   */
  public static PanelCode of(int tokens) {
    if (tokens < 1 || tokens > MOST_TOKENS) {
      throw new IllegalArgumentException(tokens + " activation rows of a tile");
    }
    return new PanelCode(MachineCode.made(new Key(tokens), a -> write(a, tokens)));
  }

  /**
   * Multiplies columns of one lane with tiles of activations, adds parts to the products, and writes
   * what comes of it to a part. The caller has seen to it that all lies within its memory.
   *
   * @param call scratch of the calling thread
   * @param weights memory, which stays open during the call, as do the others
   * @param weightsAt offset of the first column
   * @param steps so many columns
   * @param activations as {@link TransposeCode} orders them
   * @param activationsAt offset of the first step in the first tile
   * @param tiles at least 1
   * @param goesOn whether products of columns before these stand in the part already
   * @param sums at a multiple of 64 bytes
   * @param sumsAt offset of the first tile's sums of part 0
   * @param part to write to
   * @param merged so many parts, from part 0 on, are added
   */
  public void run(
      Call call,
      MemorySegment weights,
      long weightsAt,
      int steps,
      MemorySegment activations,
      long activationsAt,
      int tiles,
      long tileBytes,
      boolean goesOn,
      MemorySegment sums,
      long sumsAt,
      int part,
      int merged,
      long partBytes) {
    call.set(Field.VALUE, weightsAt);
    call.set(Field.TOKENS, steps);
    call.set(Field.KEY, activationsAt);
    call.set(Field.TILES, tiles);
    call.set(Field.TILE_BYTES, tileBytes);
    call.set(Field.LEFT, goesOn ? 1 : 0);
    call.set(Field.SUMS, sumsAt + part * partBytes);
    call.set(Field.STATE, sumsAt);
    call.set(Field.PARTS, merged);
    call.set(Field.PART_BYTES, partBytes);
    code.run(call, activations, weights, weights, weights, sums, sums);
  }

  private static void write(Assembler a, int tokens) {
    Frame.enter(a, 0);
    a.load(RDI, Frame.VALUES);
    a.add(RDI, Call.at(Frame.CALL, Field.VALUE));
    a.load(RDX, Frame.KEYS);
    a.add(RDX, Call.at(Frame.CALL, Field.KEY));
    a.load(R8, Frame.SUMS);
    a.mov(R9, R8);
    a.add(R8, Call.at(Frame.CALL, Field.SUMS));
    a.add(R9, Call.at(Frame.CALL, Field.STATE));
    a.load(RBX, Call.at(Frame.CALL, Field.TILE_BYTES));
    a.load(R13, Call.at(Frame.CALL, Field.TILES));
    a.load(R14, Call.at(Frame.CALL, Field.PART_BYTES));
    Label tile = new Label();
    a.bind(tile);
    begin(a, tokens);
    a.mov(RAX, RDI);
    a.mov(RCX, RDX);
    a.load(R12, Call.at(Frame.CALL, Field.TOKENS));
    steps(a, tokens);
    merge(a, tokens);
    for (int sum = 0; sum < 2 * tokens; sum++) {
      a.vstore(at(R8, sum * Decoder.BYTES), sum);
    }
    a.add(RDX, RBX);
    a.addImmediate(R8, tokens * ROW_BYTES);
    a.addImmediate(R9, tokens * ROW_BYTES);
    a.subImmediate(R13, 1);
    a.jump(Condition.ABOVE, tile);
  }

  /** Writes what sets the sums to 0, or to what stands there. */
  private static void begin(Assembler a, int tokens) {
    Label fromStore = new Label();
    Label end = new Label();
    a.load(R11, Call.at(Frame.CALL, Field.LEFT));
    a.test(R11, R11);
    a.jump(Condition.NOT_EQUAL, fromStore);
    for (int sum = 0; sum < 2 * tokens; sum++) {
      a.vzero(sum);
    }
    a.jump(end);
    a.bind(fromStore);
    for (int sum = 0; sum < 2 * tokens; sum++) {
      a.vload(sum, at(R8, sum * Decoder.BYTES));
    }
    a.bind(end);
  }

  /** Writes the loop over steps, some at a time, and that over those left. */
  private static void steps(Assembler a, int tokens) {
    Label some = new Label();
    Label left = new Label();
    Label one = new Label();
    Label end = new Label();
    a.subImmediate(R12, UNROLLED);
    a.jump(Condition.BELOW, left);
    a.align();
    a.bind(some);
    round(a, tokens, UNROLLED);
    a.subImmediate(R12, UNROLLED);
    a.jump(Condition.ABOVE_OR_EQUAL, some);
    a.bind(left);
    a.addImmediate(R12, UNROLLED);
    a.jump(Condition.EQUAL, end);
    a.bind(one);
    round(a, tokens, 1);
    a.subImmediate(R12, 1);
    a.jump(Condition.ABOVE, one);
    a.bind(end);
  }

  private static void round(Assembler a, int tokens, int steps) {
    int activations = steps * tokens * Float.BYTES;
    // The next tile's activations come from the second cache or from farther away.
    for (int line = 0; line < activations; line += LINE) {
      a.prefetch(at(RCX, RBX, line));
    }
    for (int step = 0; step < steps; step++) {
      int low = WEIGHTS + 2 * (step % 2);
      int high = low + 1;
      a.vload(low, at(RAX, step * ROW_BYTES));
      a.vload(high, at(RAX, step * ROW_BYTES + Decoder.BYTES));
      for (int token = 0; token < tokens; token++) {
        Assembler.Address from = at(RCX, (step * tokens + token) * Float.BYTES);
        if (token < LOADED_ALONE) {
          int activation = ACTIVATION + token % 4;
          a.vbroadcast(activation, from);
          a.vfma(2 * token, low, activation);
          a.vfma(2 * token + 1, high, activation);
        } else {
          a.vfmaBroadcast(2 * token, low, from);
          a.vfmaBroadcast(2 * token + 1, high, from);
        }
      }
    }
    a.addImmediate(RAX, steps * ROW_BYTES);
    a.addImmediate(RCX, activations);
  }

  /** Writes the adding of parts that are there. */
  private static void merge(Assembler a, int tokens) {
    a.mov(R10, R9);
    a.load(R11, Call.at(Frame.CALL, Field.PARTS));
    Label part = new Label();
    Label end = new Label();
    a.bind(part);
    a.subImmediate(R11, 1);
    a.jump(Condition.BELOW, end);
    for (int sum = 0; sum < 2 * tokens; sum++) {
      a.vadd(sum, sum, at(R10, sum * Decoder.BYTES));
    }
    a.add(R10, R14);
    a.jump(part);
    a.bind(end);
  }
}
