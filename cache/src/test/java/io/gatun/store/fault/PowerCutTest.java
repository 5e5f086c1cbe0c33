package io.gatun.store.fault;

import static org.assertj.core.api.Assertions.assertThat;

import io.gatun.store.ConversationStore;
import java.io.BufferedReader;
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
import java.util.Random;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/**
 * Fault 3: the power goes. An ext4 of its own is shut down at a random moment without flushing its
 * journal ({@code FS_IOC_SHUTDOWN}), and mounted again. Beside the store, on the same disk, a control
 * writes its rows and forces only its own log, as a careless store would: it must lose rows that it
 * reported, or the test proves nothing.
 */
class PowerCutTest {
  private static final int FS_IOC_SHUTDOWN = 0x8004587D;
  private static final int NO_LOG_FLUSH = 2;

  @TempDir Path temp;

  @Test
  void everyForcedStateSurvives() throws Throwable {
    cut(false, Faults.rounds(2, 50));
  }

  /**
   * What a killed process left stands in the page cache only. Whoever opens it next must not take
   * that for forced: so it is opened, and then the power goes.
   */
  @Test
  void whatAKilledProcessLeftSurvivesThePowerCutThatFollows() throws Throwable {
    cut(true, Faults.rounds(1, 25));
  }

  private void cut(boolean afterAKill, int rounds) throws Throwable {
    Faults.needRootAnd("mount", "mkfs.ext4");
    Random random = new Random(Faults.seed(getClass()));
    int controlLost = 0;
    int states = 0;
    for (int round = 0; round < rounds; round++) {
      Path place = Files.createDirectory(temp.resolve("round" + round));
      try (SmallDisk disk = SmallDisk.ext4(place, 96 << 20)) {
        Expectation expectation = new Expectation(true);
        Path folder = disk.path().resolve("store");
        // Two lives: what the second finds was itself recovered.
        for (int life = 0; life < 2; life++) {
          if (afterAKill) {
            kill(folder, expectation, random, place);
          }
          Control control = new Control(disk.path(), life);
          Process child =
              Faults.start(
                  Faults.java(
                      Workload.class, folder.toString(), Long.toString(random.nextLong()), "-1"),
                  place.resolve("stderr"));
          long reported = 0;
          try (BufferedReader lines = Faults.lines(child)) {
            boolean ready = false;
            int left = 1 + (afterAKill ? random.nextInt(20) : 9 + random.nextInt(150));
            for (String line; (line = lines.readLine()) != null; ) {
              expectation.line(line);
              ready |= line.equals("READY");
              if (ready && --left == 0) {
                reported = control.write();
                TimeUnit.MICROSECONDS.sleep(random.nextInt(5_000));
                shutdown(disk.path());
                child.toHandle().destroyForcibly();
              }
            }
          }
          child.waitFor();
          control.close();
          disk.unmount();
          disk.mount(place.resolve("ext4.image"));
          controlLost += Control.found(disk.path(), life) < reported ? 1 : 0;
          states += expectation.lines().size();
          expectation.check(ConversationStore.open(folder));
        }
      }
      Files.delete(place.resolve("ext4.image"));
    }
    System.out.printf(
        "PowerCutTest: %d power cuts%s, %d states announced, 0 lost; the unordered control lost"
            + " rows %d times%n",
        2 * rounds, afterAKill ? " after as many kills" : "", states, controlLost);
    assertThat(controlLost).isPositive();
  }

  /** Runs a workload and kills it somewhere. */
  private static void kill(Path folder, Expectation expectation, Random random, Path place)
      throws IOException, InterruptedException {
    Process child =
        Faults.start(
            Faults.java(Workload.class, folder.toString(), Long.toString(random.nextLong()), "-1"),
            place.resolve("stderr"));
    try (BufferedReader lines = Faults.lines(child)) {
      boolean ready = false;
      int left = 10 + random.nextInt(150);
      for (String line; (line = lines.readLine()) != null; ) {
        expectation.line(line);
        ready |= line.equals("READY");
        if (ready && --left == 0) {
          child.toHandle().destroyForcibly();
        }
      }
    }
    assertThat(child.waitFor()).isEqualTo(137);
  }

  /** A store that forces its log and not its rows. */
  private static final class Control implements AutoCloseable {
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

  @SuppressWarnings("restricted") // the shutdown is a native call
  private static void shutdown(Path mount) throws Throwable {
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
