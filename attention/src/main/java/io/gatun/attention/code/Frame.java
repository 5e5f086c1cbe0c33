package io.gatun.attention.code;

import static io.gatun.attention.code.Assembler.R12;
import static io.gatun.attention.code.Assembler.R13;
import static io.gatun.attention.code.Assembler.R14;
import static io.gatun.attention.code.Assembler.R15;
import static io.gatun.attention.code.Assembler.RAX;
import static io.gatun.attention.code.Assembler.RBP;
import static io.gatun.attention.code.Assembler.RBX;
import static io.gatun.attention.code.Assembler.RSP;
import static io.gatun.attention.code.Assembler.at;

import io.gatun.attention.code.Assembler.Address;

/**
 * How every kernel begins and ends, so that {@link FaultGuard} can end any of them from any place.
 *
 * <pre>
 *   stack     rbp + 16 + 8 i   argument 6 + i; the first six are in rdi, rsi, rdx, rcx, r8, r9
 *             rbp + 8          where to return to
 *             rbp              the caller's rbp
 *             rbp - 8 to - 40  the caller's rbx, r12, r13, r14, r15
 *             rsp              scratch, at a multiple of 64
 * </pre>
 *
 * (System V Application Binary Interface, AMD64 supplement, section 3.2; all vector registers are the
 * callee's to use.)
 */
final class Frame {
  /** What a kernel returns when it has done its work. */
  static final int DONE = 0;

  /** What it returns when memory it read was not there. */
  static final int FAULT = -1;

  private static final int[] SAVED = {RBX, R12, R13, R14, R15};
  private static final int FIRST_ON_STACK = 6;

  private Frame() {}

  /** The beginning, with so many bytes of scratch. */
  static void enter(Assembler a, int scratch) {
    a.push(RBP);
    a.mov(RBP, RSP);
    for (int register : SAVED) {
      a.push(register);
    }
    a.subImmediate(RSP, scratch);
    a.andImmediate(RSP, -64);
  }

  /** The end. */
  static void leave(Assembler a, int result) {
    a.movImmediate(RAX, result & 0xffff_ffffL);
    a.lea(RSP, at(RBP, -Long.BYTES * SAVED.length));
    for (int i = SAVED.length - 1; i >= 0; i--) {
      a.pop(SAVED[i]);
    }
    a.pop(RBP);
    a.vzeroupper();
    a.ret();
  }

  /** Where an argument from the seventh on lies, counted from 0. */
  static Address argument(int index) {
    return at(RBP, 2 * Long.BYTES + (index - FIRST_ON_STACK) * Long.BYTES);
  }
}
