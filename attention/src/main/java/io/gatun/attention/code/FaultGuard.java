package io.gatun.attention.code;

import static io.gatun.attention.code.Assembler.RAX;
import static io.gatun.attention.code.Assembler.RCX;
import static io.gatun.attention.code.Assembler.RDX;
import static io.gatun.attention.code.Assembler.at;
import static java.lang.foreign.ValueLayout.ADDRESS;
import static java.lang.foreign.ValueLayout.JAVA_INT;
import static java.lang.foreign.ValueLayout.JAVA_LONG;

import io.gatun.attention.code.Assembler.Condition;
import io.gatun.attention.code.Assembler.Label;
import java.lang.foreign.Arena;
import java.lang.foreign.FunctionDescriptor;
import java.lang.foreign.Linker;
import java.lang.foreign.MemorySegment;
import java.lang.invoke.MethodHandle;

/**
 * Turns a bus error in a kernel into a return value. The system sends one where a mapped file was cut
 * short, or its disk cannot be read. In compiled Java code the JVM turns it into an InternalError;
 * in code that it did not compile it would end the process.
 *
 * <p>So a handler of our own comes first. If the instruction lies in our code it goes on at the
 * common end of all kernels ({@link Frame}); in all other cases the handler jumps to the JVM's,
 * which finds everything as if it had been called by the system:
 *
 * <pre>
 *   rdi   signal      rsi   its description      rdx   registers of the interrupted code
 *
 *         mov rax, [rdx + 168]     where it was (ucontext_t, gregs[REG_RIP])
 *         mov rcx, begin of our code
 *         sub rax, rcx
 *         cmp rax, its length
 *         jae other
 *         mov rax, end of all kernels
 *         mov [rdx + 168], rax
 *         ret
 *  other: mov rax, the handler before
 *         jmp rax
 * </pre>
 */
@SuppressWarnings("restricted") // native calls are what this class is for
final class FaultGuard {
  private static final int SIGBUS = 7;

  // struct sigaction of the C library: handler, mask of 128 bytes, flags, restorer.
  private static final long SIGACTION_BYTES = 152;
  private static final long FLAGS = 136;
  private static final int SA_SIGINFO = 4;

  /** Where a ucontext_t keeps the instruction pointer. */
  private static final int INSTRUCTION = 168;

  /** Handlers with these numbers are none: the default action, and to ignore. */
  private static final long LAST_NUMBER = 1;

  private FaultGuard() {}

  /**
   * Sets the handler, for good.
   *
   * @throws IllegalStateException if it cannot be set
   */
  static void install(CodeMemory memory) {
    try (Arena arena = Arena.ofConfined()) {
      Linker linker = Linker.nativeLinker();
      MethodHandle sigaction =
          linker.downcallHandle(
              linker.defaultLookup().findOrThrow("sigaction"),
              FunctionDescriptor.of(JAVA_INT, JAVA_INT, ADDRESS, ADDRESS));
      MemorySegment action = arena.allocate(SIGACTION_BYTES, Long.BYTES);
      int asked = (int) sigaction.invokeExact(SIGBUS, MemorySegment.NULL, action);
      long before = action.get(JAVA_LONG, 0);
      if (asked != 0
          || before >= 0 && before <= LAST_NUMBER
          || (action.get(JAVA_INT, FLAGS) & SA_SIGINFO) == 0) {
        throw new IllegalStateException(
            "no handler for bus errors that another could stand before");
      }
      MemorySegment handler = memory.place(handler(memory, memory.place(end()), before));
      action.set(JAVA_LONG, 0, handler.address());
      if ((int) sigaction.invokeExact(SIGBUS, action, MemorySegment.NULL) != 0) {
        throw new IllegalStateException("sigaction refused a handler for bus errors");
      }
    } catch (RuntimeException | Error e) {
      throw e;
    } catch (Throwable e) {
      throw new IllegalStateException("the native call of sigaction", e);
    }
  }

  private static byte[] end() {
    Assembler a = new Assembler();
    Frame.leave(a, Frame.FAULT);
    return a.code();
  }

  private static byte[] handler(CodeMemory memory, MemorySegment end, long before) {
    Assembler a = new Assembler();
    Label other = new Label();
    a.load(RAX, at(RDX, INSTRUCTION));
    a.movImmediate(RCX, memory.addresses().address());
    a.sub(RAX, RCX);
    a.cmpImmediate(RAX, (int) memory.addresses().byteSize());
    a.jump(Condition.ABOVE_OR_EQUAL, other);
    a.movImmediate(RAX, end.address());
    a.store(at(RDX, INSTRUCTION), RAX);
    a.ret();
    a.bind(other);
    a.movImmediate(RAX, before);
    a.jumpTo(RAX);
    return a.code();
  }
}
