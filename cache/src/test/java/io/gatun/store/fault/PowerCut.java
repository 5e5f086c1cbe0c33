package io.gatun.store.fault;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.io.RandomAccessFile;
import java.lang.foreign.Arena;
import java.lang.foreign.FunctionDescriptor;
import java.lang.foreign.Linker;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.lang.invoke.MethodHandle;
import java.nio.channels.FileChannel.MapMode;
import java.nio.file.Files;
import java.nio.file.Path;

/** Takes the power from a mounted ext4, and a control that must lose data by it. */
final class PowerCut {
  private static final int FS_IOC_SHUTDOWN = 0x8004587D;
  private static final int NO_LOG_FLUSH = 2;
  private static final int SIGSTOP = 19;

  private PowerCut() {}

  /** A store that forces its log and not its rows. */
  static final class Control implements AutoCloseable {
    private static final int ROWS = 512;
    private static final int ROW_BYTES = 4096;
    private final Arena arena = Arena.ofShared();
    private final RandomAccessFile log;
    private final MemorySegment rows;

    Control(Path folder, int life) throws IOException {
      log = new RandomAccessFile(folder.resolve("control.log" + life).toFile(), "rw");
      try (RandomAccessFile file =
          new RandomAccessFile(folder.resolve("control.rows" + life).toFile(), "rw")) {
        file.setLength((long) ROWS * ROW_BYTES);
        file.getFD().sync();
        rows = file.getChannel().map(MapMode.READ_WRITE, 0, file.length(), arena);
      }
    }

    long write() throws IOException {
      rows.fill((byte) 0x55);
      log.writeInt(ROWS);
      log.getFD().sync();
      return ROWS;
    }

    static long found(Path folder, int life) throws IOException {
      byte[] bytes = Files.readAllBytes(folder.resolve("control.rows" + life));
      long sound = 0;
      for (int row = 0; row < bytes.length / ROW_BYTES; row++) {
        sound += bytes[row * ROW_BYTES] == 0x55 ? 1 : 0;
      }
      return sound;
    }

    @Override
    public void close() throws IOException {
      arena.close();
      log.close();
    }
  }

  /**
   * The power goes for a process and its disk. The process stops first, and never goes on: a sync that
   * is under way while ext4 is shut down may report success all the same, when the conversion of what
   * was preallocated fails without a word. No power cut tells that to anybody.
   */
  @SuppressWarnings("restricted") // stopping a process is a native call
  static void now(Path mount, Process child) throws Throwable {
    Linker linker = Linker.nativeLinker();
    MethodHandle kill =
        linker.downcallHandle(
            linker.defaultLookup().findOrThrow("kill"),
            FunctionDescriptor.of(
                ValueLayout.JAVA_INT, ValueLayout.JAVA_INT, ValueLayout.JAVA_INT));
    int stopped = (int) kill.invokeExact((int) child.pid(), SIGSTOP);
    now(mount);
    assertThat(stopped).isZero();
  }

  /** Shuts the file system down as it is: what was not forced is gone. */
  @SuppressWarnings("restricted") // the shutdown is a native call
  static void now(Path mount) throws Throwable {
    Linker linker = Linker.nativeLinker();
    MethodHandle open =
        linker.downcallHandle(
            linker.defaultLookup().findOrThrow("open"),
            FunctionDescriptor.of(ValueLayout.JAVA_INT, ValueLayout.ADDRESS, ValueLayout.JAVA_INT));
    MethodHandle close =
        linker.downcallHandle(
            linker.defaultLookup().findOrThrow("close"),
            FunctionDescriptor.of(ValueLayout.JAVA_INT, ValueLayout.JAVA_INT));
    MethodHandle ioctl =
        linker.downcallHandle(
            linker.defaultLookup().findOrThrow("ioctl"),
            FunctionDescriptor.of(
                ValueLayout.JAVA_INT,
                ValueLayout.JAVA_INT,
                ValueLayout.JAVA_LONG,
                ValueLayout.ADDRESS),
            Linker.Option.firstVariadicArg(2));
    try (Arena arena = Arena.ofConfined()) {
      int fd = (int) open.invokeExact(arena.allocateFrom(mount.toString()), 0);
      assertThat(fd).isNotNegative();
      MemorySegment flags = arena.allocate(ValueLayout.JAVA_INT);
      flags.set(ValueLayout.JAVA_INT, 0, NO_LOG_FLUSH);
      int result = (int) ioctl.invokeExact(fd, Integer.toUnsignedLong(FS_IOC_SHUTDOWN), flags);
      int closed = (int) close.invokeExact(fd);
      assertThat(result).as("FS_IOC_SHUTDOWN").isZero();
      assertThat(closed).isZero();
    }
  }
}
