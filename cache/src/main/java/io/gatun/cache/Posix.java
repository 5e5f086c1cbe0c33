package io.gatun.cache;

import static java.lang.foreign.ValueLayout.ADDRESS;
import static java.lang.foreign.ValueLayout.JAVA_INT;
import static java.lang.foreign.ValueLayout.JAVA_LONG;

import java.lang.foreign.Arena;
import java.lang.foreign.FunctionDescriptor;
import java.lang.foreign.Linker;
import java.lang.foreign.MemoryLayout;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.StructLayout;
import java.lang.foreign.ValueLayout;
import java.lang.invoke.MethodHandle;
import java.lang.invoke.VarHandle;
import java.nio.file.Path;
import java.util.List;

/**
 * Every native call of Gatun but attention's prefetch; those on an open file are wrapped in {@link
 * PosixFile}. Linux only; {@link #AVAILABLE} says whether it can be used, and each user has a
 * pure-Java way for where it cannot.
 */
@SuppressWarnings("restricted") // native calls are what this class is for
public final class Posix {
  /** Whether the calls work here: Linux, with native access allowed. */
  public static final boolean AVAILABLE;

  static final int O_RDWR = 2;
  static final int O_CLOEXEC = 0x80000;
  static final int O_NOFOLLOW = System.getProperty("os.arch").equals("aarch64") ? 0x8000 : 0x20000;
  private static final int PROT_READ_WRITE = 3;
  private static final int MAP_PRIVATE_ANONYMOUS_NORESERVE = 0x2 | 0x20 | 0x4000;
  private static final int MADV_HUGEPAGE = 14;
  private static final int MADV_NORMAL = 0;
  private static final int MADV_RANDOM = 1;
  private static final int POSIX_FADV_WILLNEED = 3;
  static final int EINTR = 4;
  private static final int ENXIO = 6;
  private static final int SEEK_DATA = 3;
  private static final int O_NONBLOCK = 0x800;

  /** No space left on device. */
  public static final int ENOSPC = 28;

  /** Read-only file system. */
  static final int EROFS = 30;

  /** Disk quota exceeded. */
  public static final int EDQUOT = 122;

  static final StructLayout CAPTURE = Linker.Option.captureStateLayout();
  static final VarHandle ERRNO = CAPTURE.varHandle(MemoryLayout.PathElement.groupElement("errno"));

  static final MethodHandle OPEN;
  static final MethodHandle CLOSE;
  static final MethodHandle FCNTL;
  static final MethodHandle PREAD;
  static final MethodHandle PWRITE;
  private static final MethodHandle FALLOCATE;
  private static final MethodHandle MMAP;
  private static final MethodHandle MUNMAP;
  private static final MethodHandle MADVISE;
  private static final MethodHandle MINCORE;
  private static final MethodHandle FADVISE;
  private static final MethodHandle LSEEK;
  private static final MethodHandle STRERROR;

  static {
    MethodHandle open = null;
    MethodHandle close = null;
    MethodHandle fallocate = null;
    MethodHandle mmap = null;
    MethodHandle munmap = null;
    MethodHandle madvise = null;
    MethodHandle mincore = null;
    MethodHandle fadvise = null;
    MethodHandle lseek = null;
    MethodHandle fcntl = null;
    MethodHandle pread = null;
    MethodHandle pwrite = null;
    MethodHandle strerror = null;
    boolean available = false;
    if (System.getProperty("os.name").equals("Linux") && ADDRESS.byteSize() == 8) {
      try {
        Linker.Option errno = Linker.Option.captureCallState("errno");
        open =
            find(
                "open",
                FunctionDescriptor.of(JAVA_INT, ADDRESS, JAVA_INT, JAVA_INT),
                errno,
                Linker.Option.firstVariadicArg(2));
        close = find("close", FunctionDescriptor.of(JAVA_INT, JAVA_INT), errno);
        fallocate =
            find(
                "posix_fallocate",
                FunctionDescriptor.of(JAVA_INT, JAVA_INT, JAVA_LONG, JAVA_LONG),
                errno);
        mmap =
            find(
                "mmap",
                FunctionDescriptor.of(
                    ADDRESS, ADDRESS, JAVA_LONG, JAVA_INT, JAVA_INT, JAVA_INT, JAVA_LONG),
                errno);
        munmap = find("munmap", FunctionDescriptor.of(JAVA_INT, ADDRESS, JAVA_LONG), errno);
        madvise =
            find("madvise", FunctionDescriptor.of(JAVA_INT, ADDRESS, JAVA_LONG, JAVA_INT), errno);
        mincore =
            find("mincore", FunctionDescriptor.of(JAVA_INT, ADDRESS, JAVA_LONG, ADDRESS), errno);
        fadvise =
            find(
                "posix_fadvise",
                FunctionDescriptor.of(JAVA_INT, JAVA_INT, JAVA_LONG, JAVA_LONG, JAVA_INT),
                errno);
        lseek =
            find("lseek", FunctionDescriptor.of(JAVA_LONG, JAVA_INT, JAVA_LONG, JAVA_INT), errno);
        fcntl =
            find(
                "fcntl",
                FunctionDescriptor.of(JAVA_INT, JAVA_INT, JAVA_INT, ADDRESS),
                errno,
                Linker.Option.firstVariadicArg(2));
        FunctionDescriptor transfer =
            FunctionDescriptor.of(JAVA_LONG, JAVA_INT, ADDRESS, JAVA_LONG, JAVA_LONG);
        pread = find("pread", transfer, errno);
        pwrite = find("pwrite", transfer, errno);
        strerror = find("strerror", FunctionDescriptor.of(ADDRESS, JAVA_INT));
        available = true;
      } catch (IllegalCallerException | IllegalStateException | UnsupportedOperationException e) {
        // Native access is not allowed, or the C library lacks a call: the pure-Java ways serve.
        available = false;
      }
    }
    OPEN = open;
    CLOSE = close;
    FALLOCATE = fallocate;
    MMAP = mmap;
    MUNMAP = munmap;
    MADVISE = madvise;
    MINCORE = mincore;
    FADVISE = fadvise;
    LSEEK = lseek;
    FCNTL = fcntl;
    PREAD = pread;
    PWRITE = pwrite;
    STRERROR = strerror;
    AVAILABLE = available;
  }

  private Posix() {}

  private static MethodHandle find(
      String name, FunctionDescriptor descriptor, Linker.Option... options) {
    Linker linker = Linker.nativeLinker();
    MemorySegment symbol =
        linker
            .defaultLookup()
            .find(name)
            .orElseThrow(() -> new IllegalStateException("no " + name + " in the C library"));
    return linker.downcallHandle(symbol, descriptor, options);
  }

  /** What an error number means, in the words of the system, with the number in brackets. */
  static String reason(int errno) {
    try {
      MemorySegment text = (MemorySegment) STRERROR.invokeExact(errno);
      return "%s (errno %d)".formatted(text.reinterpret(Long.MAX_VALUE).getString(0), errno);
    } catch (Throwable e) {
      throw wrapped("strerror", e);
    }
  }

  /**
   * Gives an existing file {@code bytes} bytes of disk, all zero and all backed.
   *
   * @return 0, or the error number: {@link #ENOSPC}, {@link #EDQUOT}, ...; what was allocated until
   *     then stays with the file
   */
  static int fallocate(Path file, long bytes) {
    try (Arena arena = Arena.ofConfined()) {
      MemorySegment state = arena.allocate(CAPTURE);
      MemorySegment name = arena.allocateFrom(file.toString());
      int fd = (int) OPEN.invokeExact(state, name, O_RDWR | O_CLOEXEC | O_NOFOLLOW, 0);
      if (fd < 0) {
        return (int) ERRNO.get(state, 0L);
      }
      try {
        int error;
        do {
          error = (int) FALLOCATE.invokeExact(state, fd, 0L, bytes);
        } while (error == EINTR);
        return error;
      } finally {
        int ignored = (int) CLOSE.invokeExact(state, fd);
      }
    } catch (Throwable e) {
      throw wrapped("posix_fallocate", e);
    }
  }

  /**
   * Reserves zeroed anonymous memory, backed by large pages where the system offers them. It costs
   * nothing until it is touched, and is freed when the arena closes.
   *
   * @throws GatunException if the address space is not to be had
   */
  static MemorySegment reserve(long bytes, Arena arena) {
    try (Arena call = Arena.ofConfined()) {
      MemorySegment state = call.allocate(CAPTURE);
      MemorySegment at =
          (MemorySegment)
              MMAP.invokeExact(
                  state,
                  MemorySegment.NULL,
                  bytes,
                  PROT_READ_WRITE,
                  MAP_PRIVATE_ANONYMOUS_NORESERVE,
                  -1,
                  0L);
      if (at.address() == -1L) {
        throw new GatunException(
            "the system refused %,d bytes of memory (mmap): %s"
                .formatted(bytes, reason((int) ERRNO.get(state, 0L))));
      }
      // Only advice: without large pages the memory works as well, more slowly.
      int ignored = (int) MADVISE.invokeExact(state, at, bytes, MADV_HUGEPAGE);
      return at.reinterpret(bytes, arena, segment -> unmap(segment, bytes));
    } catch (Throwable e) {
      throw wrapped("mmap", e);
    }
  }

  /**
   * The same memory, with the same lifetime, as a segment of the class that memory without a file
   * has.
   */
  static MemorySegment asNative(MemorySegment mapped) {
    return mapped.reinterpret(mapped.byteSize());
  }

  /** Tells whether pages of mapped memory are to be brought in one at a time. Only advice. */
  static void singlePages(MemorySegment mapped, boolean single) {
    advise(mapped, single ? MADV_RANDOM : MADV_NORMAL);
  }

  /** Asks for large pages behind memory that is mapped, of a file too. Only advice. */
  static void largePages(MemorySegment mapped) {
    advise(mapped, MADV_HUGEPAGE);
  }

  private static void advise(MemorySegment mapped, int advice) {
    try (Arena arena = Arena.ofConfined()) {
      MemorySegment state = arena.allocate(CAPTURE);
      int ignored = (int) MADVISE.invokeExact(state, mapped, mapped.byteSize(), advice);
    } catch (Throwable e) {
      throw wrapped("madvise", e);
    }
  }

  /** Begins to read ranges {offset, bytes} of a file into memory. Only advice. */
  static void willNeed(Path file, List<long[]> ranges) {
    try (Arena arena = Arena.ofConfined()) {
      MemorySegment state = arena.allocate(CAPTURE);
      MemorySegment name = arena.allocateFrom(file.toString());
      int fd = (int) OPEN.invokeExact(state, name, O_RDWR | O_CLOEXEC | O_NOFOLLOW, 0);
      if (fd < 0) {
        return;
      }
      try {
        for (long[] range : ranges) {
          int ignored =
              (int) FADVISE.invokeExact(state, fd, range[0], range[1], POSIX_FADV_WILLNEED);
        }
      } finally {
        int ignored = (int) CLOSE.invokeExact(state, fd);
      }
    } catch (Throwable e) {
      throw wrapped("posix_fadvise", e);
    }
  }

  /** Where data follows in a file; -1 if only a hole does; {@code from} if the call fails. */
  static long nextData(Path file, long from) {
    try (Arena arena = Arena.ofConfined()) {
      MemorySegment state = arena.allocate(CAPTURE);
      MemorySegment name = arena.allocateFrom(file.toString());
      int fd = (int) OPEN.invokeExact(state, name, O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK, 0);
      if (fd < 0) {
        return from;
      }
      try {
        long data = (long) LSEEK.invokeExact(state, fd, from, SEEK_DATA);
        if (data >= 0) {
          return data;
        }
        return (int) ERRNO.get(state, 0L) == ENXIO ? -1 : from;
      } finally {
        int ignored = (int) CLOSE.invokeExact(state, fd);
      }
    } catch (Throwable e) {
      throw wrapped("lseek", e);
    }
  }

  /** Bytes of mapped memory whose pages are in memory now; -1 if the system does not tell. */
  static long residentBytes(MemorySegment mapped) {
    long chunk = 16L << 20;
    long page = KvLayout.PAGE;
    try (Arena arena = Arena.ofConfined()) {
      MemorySegment state = arena.allocate(CAPTURE);
      MemorySegment pages = arena.allocate(chunk / page);
      long resident = 0;
      for (long at = 0; at < mapped.byteSize(); at += chunk) {
        long bytes = Math.min(chunk, mapped.byteSize() - at);
        int result = (int) MINCORE.invokeExact(state, mapped.asSlice(at, bytes), bytes, pages);
        if (result != 0) {
          return -1;
        }
        for (long i = 0; i < Math.ceilDiv(bytes, page); i++) {
          resident += (pages.get(ValueLayout.JAVA_BYTE, i) & 1) * page;
        }
      }
      return Math.min(resident, mapped.byteSize());
    } catch (Throwable e) {
      throw wrapped("mincore", e);
    }
  }

  private static void unmap(MemorySegment segment, long bytes) {
    try (Arena call = Arena.ofConfined()) {
      MemorySegment state = call.allocate(CAPTURE);
      int result = (int) MUNMAP.invokeExact(state, segment, bytes);
      if (result != 0) {
        throw new IllegalStateException(
            "munmap of %,d bytes at 0x%x failed: %s"
                .formatted(bytes, segment.address(), reason((int) ERRNO.get(state, 0L))));
      }
    } catch (Throwable e) {
      throw wrapped("munmap", e);
    }
  }

  static RuntimeException wrapped(String call, Throwable e) {
    if (e instanceof RuntimeException runtime) {
      return runtime;
    }
    if (e instanceof Error error) {
      throw error;
    }
    return new IllegalStateException(call + " could not be called", e);
  }
}
