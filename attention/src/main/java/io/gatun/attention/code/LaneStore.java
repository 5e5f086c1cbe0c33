package io.gatun.attention.code;

import static io.gatun.attention.code.Assembler.R9;
import static io.gatun.attention.code.Assembler.RCX;
import static io.gatun.attention.code.Assembler.RDI;
import static io.gatun.attention.code.Assembler.RDX;
import static io.gatun.attention.code.Assembler.at;

/**
 * Writes what puts 16 columns of 16 rows, which are in registers, in the order of lanes.
 *
 * <pre>
 *   zmm0 to 15   rows, and then columns [column]     zmm16 to 19  scratch
 *   rdi          the step's place in lane 0; then that of the next step
 *   rdx          bytes from step to step             rcx          bytes from lane to lane
 *   r9           the step's place in another lane
 * </pre>
 */
final class LaneStore {
  /** Rows, and lanes. */
  static final int ROWS = 16;

  private static final int FREE = 16;

  private LaneStore() {}

  static void write(Assembler a) {
    // Register 4 g + c then has columns c, 4 + c, 8 + c, 12 + c of the rows 4 g to 4 g + 3, ...
    for (int g = 0; g < 4; g++) {
      fours(4 * g, 1, a::vshuffle);
    }
    // ... and register 4 b + c has column 4 b + c of all rows.
    for (int c = 0; c < 4; c++) {
      fours(c, 4, a::vshuffleBlocks);
    }
    a.mov(R9, RDI);
    for (int lane = 0; lane < ROWS; lane++) {
      a.vstore(at(R9, 0), lane);
      a.add(R9, RCX);
    }
    a.add(RDI, RDX);
  }

  /** An instruction that takes two pieces of one register and two of another. */
  private interface Shuffle {
    void write(int to, int a, int b, int pieces);
  }

  /** Transposes 4 registers of 4 pieces, in place. */
  private static void fours(int first, int apart, Shuffle shuffle) {
    int second = first + apart;
    int third = second + apart;
    int fourth = third + apart;
    shuffle.write(FREE, first, second, 0x44);
    shuffle.write(FREE + 1, first, second, 0xee);
    shuffle.write(FREE + 2, third, fourth, 0x44);
    shuffle.write(FREE + 3, third, fourth, 0xee);
    shuffle.write(first, FREE, FREE + 2, 0x88);
    shuffle.write(second, FREE, FREE + 2, 0xdd);
    shuffle.write(third, FREE + 1, FREE + 3, 0x88);
    shuffle.write(fourth, FREE + 1, FREE + 3, 0xdd);
  }
}
