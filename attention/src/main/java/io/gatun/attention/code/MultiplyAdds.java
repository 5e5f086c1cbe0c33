package io.gatun.attention.code;

import static io.gatun.attention.code.Assembler.RAX;
import static io.gatun.attention.code.Assembler.RDI;
import static java.lang.foreign.ValueLayout.JAVA_LONG;

import io.gatun.attention.code.Assembler.Condition;
import io.gatun.attention.code.Assembler.Label;
import java.lang.foreign.FunctionDescriptor;
import java.lang.foreign.Linker;
import java.lang.foreign.MemorySegment;
import java.lang.invoke.MethodHandle;

/**
 * Nothing but fused multiply-adds of 16 floats, out of registers, in chains enough to hide the latency
 * of each: the yardstick of everything that computes. In machine code, because in some places C2
 * copies a register for each of them, which on some processors takes the same ports.
 *
 * <p>Thread rules: immutable; any thread.
 */
@SuppressWarnings("restricted") // native calls are what this class is for
public final class MultiplyAdds {
  /** Multiply-adds that are under way at once: two ports with a latency of four or five cycles. */
  private static final int CHAINS = 16;

  private static final int FACTOR = 30;
  private static final int OTHER_FACTOR = 31;

  /** Made when it is first run: {@link #available} has seen that native calls are allowed. */
  private static final class Native {
    private static final MethodHandle RUN =
        Linker.nativeLinker()
            .downcallHandle(
                place(), FunctionDescriptor.ofVoid(JAVA_LONG), Linker.Option.critical(false));

    private Native() {}
  }

  private MultiplyAdds() {}

  /** Whether it can be used: vectors of 512 bits, and machine code. */
  public static boolean available(int lanes) {
    if (lanes != MachineCode.LANES) {
      return false;
    }
    try {
      CodeMemory.ofProcess();
      return true;
    } catch (IllegalStateException e) {
      return false;
    }
  }

  /** Floating-point operations of so many turns, a multiply-add counting as two. */
  public static double operations(long turns) {
    return 2.0 * CHAINS * MachineCode.LANES * turns;
  }

  /** Computes. One turn takes some 8 cycles; a call should be short, as it holds up the JVM. */
  public static void run(long turns) {
    try {
      Native.RUN.invokeExact(turns);
    } catch (RuntimeException | Error e) {
      throw e;
    } catch (Throwable e) {
      throw new IllegalStateException("the native call of multiply-adds", e);
    }
  }

  private static MemorySegment place() {
    Assembler a = new Assembler();
    for (int chain = 0; chain < CHAINS; chain++) {
      a.vzero(chain);
    }
    // Small sums: no chain gets near what a float can hold.
    a.movImmediate(RAX, Float.floatToRawIntBits(0.03f));
    a.vbroadcastInt(FACTOR, RAX);
    a.vbroadcastInt(OTHER_FACTOR, RAX);
    Label next = new Label();
    a.bind(next);
    for (int chain = 0; chain < CHAINS; chain++) {
      a.vfma(chain, FACTOR, OTHER_FACTOR);
    }
    a.subImmediate(RDI, 1);
    a.jump(Condition.ABOVE, next);
    a.vzeroupper();
    a.ret();
    return CodeMemory.ofProcess().place(a.code());
  }
}
