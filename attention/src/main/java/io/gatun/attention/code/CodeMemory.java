package io.gatun.attention.code;

import static java.lang.foreign.ValueLayout.JAVA_BYTE;
import static java.lang.foreign.ValueLayout.JAVA_INT;
import static java.lang.foreign.ValueLayout.JAVA_LONG;

import java.lang.foreign.FunctionDescriptor;
import java.lang.foreign.Linker;
import java.lang.foreign.MemorySegment;
import java.lang.invoke.MethodHandle;

/**
 * Memory for machine code, in one stretch of addresses that lives as long as the process. A page is
 * written first and then made executable, never both at once.
 *
 * <p>Thread rules: any thread.
 */
@SuppressWarnings("restricted") // native calls are what this class is for
public final class CodeMemory {
  private static final long PAGE = 4096;

  /** Addresses that are set aside: some hundred kernels. */
  private static final long RESERVED = 16L << 20;

  private static final int NO_ACCESS = 0;
  private static final int READ_WRITE = 3;
  private static final int READ_EXECUTE = 5;
  private static final int PRIVATE_ANONYMOUS = 0x22;

  private final MethodHandle mprotect;
  private final MemorySegment pages;
  private long used;

  private CodeMemory(MethodHandle mprotect, MemorySegment pages) {
    this.mprotect = mprotect;
    this.pages = pages;
  }

  /**
   * That of this process.
   *
   * @throws IllegalStateException if the processor, the system or its rules do not allow it; the
   *     message says which
   */
  public static CodeMemory ofProcess() {
    if (Holder.MEMORY == null) {
      throw new IllegalStateException(Holder.wrong);
    }
    return Holder.MEMORY;
  }

  /** Made when it is first asked for. */
  private static final class Holder {
    private static String wrong;
    private static final CodeMemory MEMORY = make();

    private Holder() {}

    private static CodeMemory make() {
      try {
        return reserve();
      } catch (Throwable e) {
        wrong = e.getMessage();
        return null;
      }
    }
  }

  private static CodeMemory reserve() throws Throwable {
    if (!System.getProperty("os.name").equals("Linux")
        || !System.getProperty("os.arch").equals("amd64")) {
      throw new IllegalStateException("machine code is made for Linux on x86-64 only");
    }
    Linker linker = Linker.nativeLinker();
    MethodHandle mmap =
        linker.downcallHandle(
            linker.defaultLookup().findOrThrow("mmap"),
            FunctionDescriptor.of(
                JAVA_LONG, JAVA_LONG, JAVA_LONG, JAVA_INT, JAVA_INT, JAVA_INT, JAVA_LONG));
    MethodHandle mprotect =
        linker.downcallHandle(
            linker.defaultLookup().findOrThrow("mprotect"),
            FunctionDescriptor.of(JAVA_INT, JAVA_LONG, JAVA_LONG, JAVA_INT));
    long address = (long) mmap.invokeExact(0L, RESERVED, NO_ACCESS, PRIVATE_ANONYMOUS, -1, 0L);
    if (address == -1) {
      throw new IllegalStateException("mmap gave no addresses for machine code");
    }
    return new CodeMemory(mprotect, MemorySegment.ofAddress(address).reinterpret(RESERVED));
  }

  /** All addresses that code may have. */
  MemorySegment addresses() {
    return pages;
  }

  /**
   * Places code in pages of its own.
   *
   * @return where it begins
   * @throws IllegalStateException if there is no room left, or the system refuses executable pages
   */
  public synchronized MemorySegment place(byte[] code) {
    long size = Math.ceilDiv(code.length, PAGE) * PAGE;
    if (used + size > pages.byteSize()) {
      throw new IllegalStateException("the memory for machine code is full");
    }
    MemorySegment place = pages.asSlice(used, size);
    protect(place, READ_WRITE, "writable");
    MemorySegment.copy(code, 0, place, JAVA_BYTE, 0, code.length);
    protect(place, READ_EXECUTE, "executable");
    used += size;
    return place;
  }

  private void protect(MemorySegment place, int access, String what) {
    int result;
    try {
      result = (int) mprotect.invokeExact(place.address(), place.byteSize(), access);
    } catch (Throwable e) {
      throw new IllegalStateException("the native call of mprotect", e);
    }
    if (result != 0) {
      throw new IllegalStateException("mprotect refused to make a page " + what);
    }
  }
}
