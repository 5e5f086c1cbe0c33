package io.gatun.cache;

import static java.lang.foreign.ValueLayout.JAVA_BYTE;
import static java.lang.foreign.ValueLayout.JAVA_INT;
import static java.lang.foreign.ValueLayout.JAVA_LONG;
import static java.lang.foreign.ValueLayout.JAVA_SHORT;

import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemoryLayout;
import java.lang.foreign.MemoryLayout.PathElement;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.StructLayout;
import java.nio.file.AccessDeniedException;
import java.nio.file.FileSystemException;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;

/**
 * An open file, by its descriptor, with locks that belong to it and not to the process: closing
 * another descriptor of the same file, by whatever class loader, leaves them alone, and two open
 * files of one process exclude each other as those of two processes do. They exclude the older
 * kind, {@code F_SETLK}, too. An interrupt disturbs nothing. Where {@link Posix#AVAILABLE} only.
 *
 * <p>Thread rules: any thread, until it is closed.
 */
public final class PosixFile implements AutoCloseable {
  private static final int O_RDONLY = 0;
  private static final int O_NONBLOCK = 0x800;
  private static final int F_OFD_GETLK = 36;
  private static final int F_OFD_SETLK = 37;
  private static final short F_RDLCK = 0;
  private static final short F_WRLCK = 1;
  private static final short F_UNLCK = 2;
  private static final int ENOENT = 2;
  private static final int EAGAIN = 11;
  private static final int EACCES = 13;
  private static final int EINVAL = 22;

  private static final StructLayout FLOCK =
      MemoryLayout.structLayout(
          JAVA_SHORT.withName("l_type"),
          JAVA_SHORT.withName("l_whence"),
          MemoryLayout.paddingLayout(4),
          JAVA_LONG.withName("l_start"),
          JAVA_LONG.withName("l_len"),
          JAVA_INT.withName("l_pid"),
          MemoryLayout.paddingLayout(4));

  private static final long L_TYPE = FLOCK.byteOffset(PathElement.groupElement("l_type"));
  private static final long L_START = FLOCK.byteOffset(PathElement.groupElement("l_start"));
  private static final long L_LEN = FLOCK.byteOffset(PathElement.groupElement("l_len"));
  private static final long L_PID = FLOCK.byteOffset(PathElement.groupElement("l_pid"));

  private final Path file;
  private final int fd;

  private PosixFile(Path file, int fd) {
    this.file = file;
    this.fd = fd;
  }

  /** Who holds a byte of a file. */
  public enum Holder {
    /** Nobody. */
    NONE,
    /** An open file, of this process or another one: the system does not say which. */
    OPEN_FILE,
    /** A process, by a lock of the older kind. */
    PROCESS
  }

  /**
   * What the system says about a byte.
   *
   * @param pid the process, or 0 if that is not known
   */
  public record Lock(Holder holder, long pid) {}

  /** Opens an existing file. No link is followed, no FIFO waited for; no child process gets it. */
  public static PosixFile open(Path file, boolean write) throws IOException {
    try (Arena arena = Arena.ofConfined()) {
      MemorySegment state = arena.allocate(Posix.CAPTURE);
      MemorySegment name = arena.allocateFrom(file.toString());
      int flags =
          (write ? Posix.O_RDWR : O_RDONLY) | Posix.O_CLOEXEC | Posix.O_NOFOLLOW | O_NONBLOCK;
      while (true) {
        int fd = (int) Posix.OPEN.invokeExact(state, name, flags, 0);
        if (fd >= 0) {
          return new PosixFile(file, fd);
        }
        int error = errno(state);
        if (error != Posix.EINTR) {
          throw failure("open", file, error);
        }
      }
    } catch (IOException e) {
      throw e;
    } catch (Throwable e) {
      throw Posix.wrapped("open", e);
    }
  }

  /**
   * Locks one byte, without waiting.
   *
   * @return false if somebody else holds it
   * @throws UnsupportedOperationException if the system has no locks that belong to open files
   */
  public boolean tryLock(long at, boolean shared) throws IOException {
    try (Arena arena = Arena.ofConfined()) {
      MemorySegment state = arena.allocate(Posix.CAPTURE);
      int error = fcntl(state, F_OFD_SETLK, flock(arena, shared ? F_RDLCK : F_WRLCK, at));
      return switch (error) {
        case 0 -> true;
        case EAGAIN, EACCES -> false;
        default -> throw lockFailure(error);
      };
    }
  }

  /** Lets go of a byte, at once even if a child process has a copy of the descriptor still. */
  public void unlock(long at) throws IOException {
    try (Arena arena = Arena.ofConfined()) {
      MemorySegment state = arena.allocate(Posix.CAPTURE);
      int error = fcntl(state, F_OFD_SETLK, flock(arena, F_UNLCK, at));
      if (error != 0) {
        throw lockFailure(error);
      }
    }
  }

  /**
   * Says who would keep this open file from locking a byte exclusively. Takes no lock.
   *
   * @throws UnsupportedOperationException if the system has no locks that belong to open files
   */
  public Lock locked(long at) throws IOException {
    try (Arena arena = Arena.ofConfined()) {
      MemorySegment state = arena.allocate(Posix.CAPTURE);
      MemorySegment lock = flock(arena, F_WRLCK, at);
      int error = fcntl(state, F_OFD_GETLK, lock);
      if (error != 0) {
        throw lockFailure(error);
      }
      if (lock.get(JAVA_SHORT, L_TYPE) == F_UNLCK) {
        return new Lock(Holder.NONE, 0);
      }
      int pid = lock.get(JAVA_INT, L_PID);
      return pid > 0 ? new Lock(Holder.PROCESS, pid) : new Lock(Holder.OPEN_FILE, 0);
    }
  }

  private static MemorySegment flock(Arena arena, short type, long at) {
    MemorySegment lock = arena.allocate(FLOCK);
    lock.set(JAVA_SHORT, L_TYPE, type);
    lock.set(JAVA_LONG, L_START, at);
    lock.set(JAVA_LONG, L_LEN, 1);
    return lock;
  }

  private int fcntl(MemorySegment state, int command, MemorySegment lock) {
    try {
      while ((int) Posix.FCNTL.invokeExact(state, fd, command, lock) < 0) {
        int error = errno(state);
        if (error != Posix.EINTR) {
          return error;
        }
      }
      return 0;
    } catch (Throwable e) {
      throw Posix.wrapped("fcntl", e);
    }
  }

  private IOException lockFailure(int error) {
    if (error == EINVAL) {
      throw new UnsupportedOperationException(
          "%s: the system has no locks that belong to open files".formatted(file));
    }
    return failure("fcntl", file, error);
  }

  /** Reads bytes; returns how many there were. */
  public int read(byte[] into, long at) throws IOException {
    try (Arena arena = Arena.ofConfined()) {
      MemorySegment state = arena.allocate(Posix.CAPTURE);
      MemorySegment bytes = arena.allocate(into.length);
      long count = (long) Posix.PREAD.invokeExact(state, fd, bytes, (long) into.length, at);
      if (count < 0) {
        throw failure("pread", file, errno(state));
      }
      MemorySegment.copy(bytes, JAVA_BYTE, 0, into, 0, (int) count);
      return (int) count;
    } catch (IOException e) {
      throw e;
    } catch (Throwable e) {
      throw Posix.wrapped("pread", e);
    }
  }

  /** Writes bytes; returns how many were written. */
  public int write(byte[] from, long at) throws IOException {
    try (Arena arena = Arena.ofConfined()) {
      MemorySegment state = arena.allocate(Posix.CAPTURE);
      MemorySegment bytes = arena.allocateFrom(JAVA_BYTE, from);
      long count = (long) Posix.PWRITE.invokeExact(state, fd, bytes, (long) from.length, at);
      if (count < 0) {
        throw failure("pwrite", file, errno(state));
      }
      return (int) count;
    } catch (IOException e) {
      throw e;
    } catch (Throwable e) {
      throw Posix.wrapped("pwrite", e);
    }
  }

  /** Closes the file; its locks are gone then. */
  @Override
  public void close() {
    try (Arena arena = Arena.ofConfined()) {
      // Linux lets go of the descriptor whatever it returns.
      int ignored = (int) Posix.CLOSE.invokeExact(arena.allocate(Posix.CAPTURE), fd);
    } catch (Throwable e) {
      throw Posix.wrapped("close", e);
    }
  }

  private static int errno(MemorySegment state) {
    return (int) Posix.ERRNO.get(state, 0L);
  }

  private static IOException failure(String call, Path file, int error) {
    return switch (error) {
      case ENOENT -> new NoSuchFileException(file.toString());
      case EACCES -> new AccessDeniedException(file.toString());
      default ->
          new FileSystemException(
              file.toString(), null, "%s failed: %s".formatted(call, Posix.reason(error)));
    };
  }
}
