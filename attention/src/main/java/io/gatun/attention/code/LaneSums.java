package io.gatun.attention.code;

import static io.gatun.attention.code.Assembler.R10;
import static io.gatun.attention.code.Assembler.R9;
import static io.gatun.attention.code.Assembler.RDI;
import static io.gatun.attention.code.Assembler.at;

import io.gatun.attention.code.Assembler.Condition;
import io.gatun.attention.code.Assembler.Label;
import io.gatun.attention.code.Call.Field;
import java.lang.foreign.MemorySegment;

/**
 * Sums of the lanes of accumulators, 16 of them at a time: lanes 8 apart are added first, then those
 * 4, 2 and 1 apart.
 *
 * <p>Thread rules: immutable; any thread.
 */
public final class LaneSums {
  /** Accumulators that become a vector of sums. */
  private static final int COUNT = 16;

  private static final int FORMING = 16;
  private static final int OTHER = 17;

  private final MachineCode code;

  private record Key() {}

  private LaneSums(MachineCode code) {
    this.code = code;
  }

  /**
   * The code.
   *
   * @throws IllegalStateException if machine code is not to be had here; the message says why
   */
  public static LaneSums get() {
    return new LaneSums(MachineCode.made(new Key(), LaneSums::write));
  }

  /**
   * Makes accumulators {@code [groups][16][16]} their sums {@code [groups][16]}, in the same place. The
   * caller has seen to it that all lies within its memory.
   *
   * @param call scratch of the calling thread
   * @param groups of 16 accumulators, at least 1
   * @param sums an array's segment
   */
  public void run(Call call, int groups, MemorySegment sums) {
    call.set(Field.BLOCKS, groups);
    code.run(call, sums, sums, sums, sums, sums, sums);
  }

  private static void write(Assembler a) {
    Frame.enter(a, 0);
    a.load(RDI, Frame.SUMS);
    a.mov(R9, RDI);
    a.load(R10, Call.at(Frame.CALL, Field.BLOCKS));
    Label next = new Label();
    a.bind(next);
    for (int i = 0; i < COUNT; i++) {
      a.vload(i, at(RDI, i * Decoder.BYTES));
    }
    // Vector m gets the accumulators m, m + 4, m + 8, m + 12, whose sums are to lie 4 lanes apart.
    for (int m = 0; m < 4; m++) {
      blocks(a, m, m + 4, 0x44, 0xee);
      blocks(a, m + 8, m + 12, 0x44, 0xee);
      blocks(a, m, m + 8, 0x88, 0xdd);
    }
    inFours(a, 0, 1, 0x44, 0xee);
    inFours(a, 2, 3, 0x44, 0xee);
    inFours(a, 0, 2, 0x88, 0xdd);
    a.vstore(at(R9, 0), 0);
    a.addImmediate(RDI, COUNT * Decoder.BYTES);
    a.addImmediate(R9, Decoder.BYTES);
    a.subImmediate(R10, 1);
    a.jump(Condition.ABOVE, next);
  }

  /** Adds two choices of 4 lanes at a time. */
  private static void blocks(Assembler a, int to, int other, int some, int others) {
    a.vshuffleBlocks(FORMING, to, other, some);
    a.vshuffleBlocks(OTHER, to, other, others);
    a.vadd(to, FORMING, OTHER);
  }

  /** Adds two choices of lanes of each 4. */
  private static void inFours(Assembler a, int to, int other, int some, int others) {
    a.vshuffle(FORMING, to, other, some);
    a.vshuffle(OTHER, to, other, others);
    a.vadd(to, FORMING, OTHER);
  }
}
