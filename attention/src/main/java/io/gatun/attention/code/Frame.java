package io.gatun.attention.code;

import static io.gatun.attention.code.Assembler.R12;
import static io.gatun.attention.code.Assembler.R13;
import static io.gatun.attention.code.Assembler.R14;
import static io.gatun.attention.code.Assembler.R15;
import static io.gatun.attention.code.Assembler.R8;
import static io.gatun.attention.code.Assembler.R9;
import static io.gatun.attention.code.Assembler.RAX;
import static io.gatun.attention.code.Assembler.RBP;
import static io.gatun.attention.code.Assembler.RBX;
import static io.gatun.attention.code.Assembler.RCX;
import static io.gatun.attention.code.Assembler.RDI;
import static io.gatun.attention.code.Assembler.RDX;
import static io.gatun.attention.code.Assembler.RSI;
import static io.gatun.attention.code.Assembler.RSP;
import static io.gatun.attention.code.Assembler.at;

import io.gatun.attention.code.Assembler.Address;

/**
 * How every kernel begins and ends, so that {@link FaultGuard} can end any of them from any place.
 * Its arguments are those of {@link MachineCode#run}, in rdi, rsi, rdx, rcx, r8, r9 and on the stack.
 *
 * <pre>
 *   rbp + 16          state
 *   rbp + 8           where to return to
 *   rbp               the caller's rbp
 *   rbp - 8 to - 40   the caller's rbx, r12, r13, r14, r15
 *   rbp - 48 to - 80  keys, values, query rows, scores, sums
 *   rsp               scratch, at a multiple of 64
 *
 *   r15               the call
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

  /** The register that keeps the address of the {@link Call}. */
  static final int CALL = R15;

  /** Addresses that the kernel was called with. */
  static final Address KEYS = at(RBP, -48);

  static final Address VALUES = at(RBP, -56);
  static final Address QUERY = at(RBP, -64);
  static final Address SCORES = at(RBP, -72);
  static final Address SUMS = at(RBP, -80);
  static final Address STATE = at(RBP, 16);

  private static final int[] SAVED = {RBX, R12, R13, R14, R15};
  private static final int ADDRESSES = 5;

  private Frame() {}

  /** The beginning, with so many bytes of scratch. */
  static void enter(Assembler a, int scratch) {
    a.push(RBP);
    a.mov(RBP, RSP);
    for (int register : SAVED) {
      a.push(register);
    }
    a.mov(CALL, RDI);
    a.subImmediate(RSP, scratch + ADDRESSES * Long.BYTES);
    a.andImmediate(RSP, -64);
    a.store(KEYS, RSI);
    a.store(VALUES, RDX);
    a.store(QUERY, RCX);
    a.store(SCORES, R8);
    a.store(SUMS, R9);
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
}
