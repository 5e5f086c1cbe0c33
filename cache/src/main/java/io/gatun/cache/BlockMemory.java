package io.gatun.cache;

import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.channels.FileChannel.MapMode;
import java.nio.file.FileSystemException;
import java.nio.file.Files;
import java.nio.file.LinkOption;
import java.nio.file.OpenOption;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.nio.file.attribute.FileAttribute;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.List;
import java.util.Set;

/** The steps from a file, or a piece of memory, to a block. */
public final class BlockMemory {
  /** Read and write for the owner, nothing for others: a KV file is the conversation. */
  private static final FileAttribute<?>[] OWNER_ONLY = {
    PosixFilePermissions.asFileAttribute(PosixFilePermissions.fromString("rw-------"))
  };

  /** Whether {@link #reserve} costs nothing until the memory is touched. */
  public static final boolean CAN_RESERVE = Posix.AVAILABLE;

  private BlockMemory() {}

  /**
   * Zeroed memory outside the heap, at a page border, freed when the arena closes. Where {@link
   * #CAN_RESERVE}, only addresses are taken, and memory as it is touched.
   *
   * @throws GatunException if it is not to be had
   */
  public static MemorySegment reserve(long bytes, Arena arena) {
    return CAN_RESERVE ? Posix.reserve(bytes, arena) : arena.allocate(bytes, KvLayout.PAGE);
  }

  /** A block over {@code memory}: the keys at {@code offset}, the values behind them. */
  public static KvBlock block(
      long id, KvLayout layout, MemorySegment memory, long offset, BlockSource source) {
    KvBlock.Memory parts = parts(layout, memory, offset);
    return new KvBlock(id, parts.keys(), parts.values(), source);
  }

  /**
   * The keys at {@code offset} of {@code memory}, and the values behind them.
   *
   * <p>Design note: the JDK has a class of its own for segments that are mapped. A kernel that has
   * met both kinds calls through a table instead of being compiled into one piece, and then every
   * vector in it is an object: megabytes a step. So rows are of one class, wherever they lie.
   */
  public static KvBlock.Memory parts(KvLayout layout, MemorySegment whole, long offset) {
    MemorySegment memory = whole.isMapped() && Posix.AVAILABLE ? Posix.asNative(whole) : whole;
    MemorySegment keys = memory.asSlice(offset, layout.keysBytes());
    MemorySegment values =
        layout.shape().valuesInKeys()
            ? keys
            : memory.asSlice(offset + layout.keysBytes(), layout.valuesBytes());
    return new KvBlock.Memory(keys, values);
  }

  /**
   * Creates a file of {@code bytes} zero bytes that are all backed by disk, readable by its owner
   * only. On failure nothing is left.
   *
   * @throws DiskFullException if the disk has no room
   * @throws IOException if the file exists or cannot be made
   */
  public static void createPreallocated(Path file, long bytes) throws IOException {
    boolean posix = file.getFileSystem().supportedFileAttributeViews().contains("posix");
    FileChannel channel =
        FileChannel.open(
            file,
            Set.of(StandardOpenOption.CREATE_NEW, StandardOpenOption.WRITE),
            posix ? OWNER_ONLY : new FileAttribute<?>[0]);
    try (channel) {
      if (Posix.AVAILABLE) {
        int error = Posix.fallocate(file, bytes);
        if (error == Posix.ENOSPC || error == Posix.EDQUOT) {
          throw new DiskFullException(file, bytes, available(file));
        }
        if (error != 0) {
          throw refused(file, bytes, error);
        }
      } else {
        fillWithZeros(channel, file, bytes);
      }
    } catch (IOException | RuntimeException e) {
      Files.deleteIfExists(file);
      throw e;
    }
  }

  /**
   * Grows a file to {@code bytes} bytes that are all backed by disk; the new ones are zero. On
   * failure the file keeps its size.
   *
   * @throws DiskFullException if the disk has no room
   */
  public static void extendPreallocated(Path file, long bytes) throws IOException {
    long before = Files.size(file);
    try (FileChannel channel =
        FileChannel.open(file, LinkOption.NOFOLLOW_LINKS, StandardOpenOption.WRITE)) {
      try {
        if (Posix.AVAILABLE) {
          int error = Posix.fallocate(file, bytes);
          if (error == Posix.ENOSPC || error == Posix.EDQUOT) {
            throw new DiskFullException(file, bytes - before, available(file));
          }
          if (error != 0) {
            throw refused(file, bytes, error);
          }
        } else {
          channel.position(before);
          fillWithZeros(channel, file, bytes - before);
        }
      } catch (IOException | RuntimeException e) {
        channel.truncate(before);
        throw e;
      }
    }
  }

  private static IOException refused(Path file, long bytes, int error) {
    return new FileSystemException(
        file.toString(),
        null,
        "it cannot have %,d bytes (posix_fallocate): %s".formatted(bytes, Posix.reason(error)));
  }

  private static void fillWithZeros(FileChannel channel, Path file, long bytes) throws IOException {
    ByteBuffer zeros = ByteBuffer.allocateDirect(1 << 20);
    for (long written = 0; written < bytes; ) {
      zeros.clear().limit((int) Math.min(zeros.capacity(), bytes - written));
      try {
        written += channel.write(zeros);
      } catch (IOException e) {
        if (available(file) < bytes - written) {
          throw new DiskFullException(file, bytes, available(file));
        }
        throw e;
      }
    }
  }

  private static long available(Path file) throws IOException {
    return Files.getFileStore(file.toAbsolutePath().getParent()).getUsableSpace();
  }

  /**
   * Says that mapped memory will be written a few rows here and there. The system then keeps its
   * pages apart: where it would bring in large ones, a row written makes all of a large page dirty,
   * and a commit of 4 MiB writes 80. {@code false} takes that back, for memory that is only read.
   */
  public static void writtenSparsely(MemorySegment mapped, boolean sparsely) {
    if (Posix.AVAILABLE) {
      Posix.singlePages(mapped, sparsely);
    }
  }

  /**
   * Asks the system to keep a mapped file in large pages from its first use on, so that reading it is
   * as fast as reading memory without a file. What is written then goes to disk by large pages, too:
   * a row written here and there makes as much dirty as the whole block has. That is borne by scratch
   * files, which the system writes when it sees fit; not by files that are made durable often.
   */
  static void inLargePages(MemorySegment mapped) {
    if (Posix.AVAILABLE) {
      Posix.largePages(mapped);
    }
  }

  /**
   * Where the next bytes of a file are that were ever written, from an offset on; -1 if the rest is a
   * hole. Where the system does not tell, the offset itself.
   */
  public static long nextData(Path file, long from) {
    return Posix.AVAILABLE ? Posix.nextData(file, from) : from;
  }

  /** Whether this is what the system says of a read-only file system, in its words for errors. */
  public static boolean meansReadOnly(String reason) {
    return reason.equals("Read-only file system")
        || Posix.AVAILABLE && Posix.reason(Posix.EROFS).startsWith(reason + " (");
  }

  /** Begins to read ranges {offset, bytes} of a file, in small pages, without waiting for them. */
  public static void readAhead(Path file, List<long[]> ranges) {
    if (Posix.AVAILABLE) {
      Posix.willNeed(file, ranges);
    }
  }

  /** Bytes of mapped memory that need no read from disk now; -1 where the system does not tell. */
  public static long residentBytes(MemorySegment mapped) {
    return Posix.AVAILABLE ? Posix.residentBytes(mapped) : -1;
  }

  /**
   * Maps a whole file.
   *
   * @param bytes its size; another size is an error, since mapping past the end would extend it
   */
  public static MemorySegment map(Path file, long bytes, boolean writable, Arena arena)
      throws IOException {
    Set<OpenOption> options =
        writable
            ? Set.of(LinkOption.NOFOLLOW_LINKS, StandardOpenOption.READ, StandardOpenOption.WRITE)
            : Set.of(LinkOption.NOFOLLOW_LINKS, StandardOpenOption.READ);
    try (FileChannel channel = FileChannel.open(file, options)) {
      if (channel.size() != bytes) {
        throw new GatunException(
            "%s has %,d bytes, not %,d: it was cut off or is not what it is taken for"
                .formatted(file, channel.size(), bytes));
      }
      return channel.map(writable ? MapMode.READ_WRITE : MapMode.READ_ONLY, 0, bytes, arena);
    } catch (IOException e) {
      if (e.getCause() instanceof OutOfMemoryError) {
        throw new IOException(
            "%s could not be mapped: this process has as many maps as the system allows (sysctl vm.max_map_count), or no room for %,d bytes (ulimit -v)"
                .formatted(file, bytes),
            e);
      }
      throw e;
    }
  }
}
