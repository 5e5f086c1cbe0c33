package io.gatun.store;

import static org.assertj.core.api.Assertions.assertThat;

import io.gatun.cache.Posix;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.channels.FileLock;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** What both ways to lock files have to do, within one process. */
class FileLocksTest {
  @TempDir Path temp;

  static List<FileLocks> locks() {
    List<FileLocks> locks = new ArrayList<>(List.of(new ChannelLocks()));
    if (Posix.AVAILABLE) {
      locks.add(new OpenFileLocks());
    }
    return locks;
  }

  private Path file() {
    return temp.resolve("lock");
  }

  @ParameterizedTest
  @MethodSource("locks")
  void anExclusiveLockExcludesOthersUntilItIsClosed(FileLocks locks) throws IOException {
    FileLocks.Locked first = locks.tryLock(file(), 0, false).orElseThrow();
    assertThat(locks.tryLock(file(), 0, false)).isEmpty();
    assertThat(locks.tryLock(file(), 0, true)).isEmpty();
    assertThat(locks.locked(file(), 0)).isTrue();
    assertThat(locks.locked(file(), 1)).isFalse();
    // What was refused, or only asked, has opened and closed the file: the lock stands.
    assertThat(locks.tryLock(file(), 0, false)).isEmpty();
    first.close();
    assertThat(locks.locked(file(), 0)).isFalse();
    locks.tryLock(file(), 0, false).orElseThrow().close();
  }

  @ParameterizedTest
  @MethodSource("locks")
  void sharedLocksStandSideBySideUntilTheLastIsClosed(FileLocks locks) throws IOException {
    FileLocks.Locked first = locks.tryLock(file(), 1, true).orElseThrow();
    FileLocks.Locked second = locks.tryLock(file(), 1, true).orElseThrow();
    FileLocks.Locked writer = locks.tryLock(file(), 0, false).orElseThrow();
    first.close();
    assertThat(locks.locked(file(), 1)).isTrue();
    assertThat(locks.tryLock(file(), 1, false)).isEmpty();
    second.close();
    assertThat(locks.locked(file(), 1)).isFalse();
    assertThat(locks.locked(file(), 0)).isTrue();
    writer.close();
  }

  @ParameterizedTest
  @MethodSource("locks")
  void closingTwiceReleasesNobodyElsesLock(FileLocks locks) throws IOException {
    FileLocks.Locked first = locks.tryLock(file(), 1, true).orElseThrow();
    FileLocks.Locked second = locks.tryLock(file(), 1, true).orElseThrow();
    first.close();
    first.close();
    assertThat(locks.locked(file(), 1)).isTrue();
    second.close();
    try (FileLocks.Locked _ = locks.tryLock(file(), 1, false).orElseThrow()) {
      second.close();
      assertThat(locks.locked(file(), 1)).isTrue();
    }
  }

  @ParameterizedTest
  @MethodSource("locks")
  void whatTheHolderWritesCanBeRead(FileLocks locks) throws IOException {
    assertThat(locks.locked(file(), 0)).isFalse();
    assertThat(file()).doesNotExist();
    try (FileLocks.Locked lock = locks.tryLock(file(), 0, false).orElseThrow()) {
      lock.write("hello".getBytes(StandardCharsets.US_ASCII), 16);
      assertThat(locks.read(file(), 16, 40)).asString(StandardCharsets.US_ASCII).isEqualTo("hello");
      assertThat(locks.locked(file(), 0)).isTrue();
    }
    assertThat(locks.read(file(), 16, 2)).asString(StandardCharsets.US_ASCII).isEqualTo("he");
  }

  @ParameterizedTest
  @MethodSource("locks")
  void anInterruptedThreadLosesNoLockAndStaysInterrupted(FileLocks locks) throws IOException {
    FileLocks.Locked held = locks.tryLock(file(), 0, false).orElseThrow();
    Thread.currentThread().interrupt();
    assertThat(locks.tryLock(file(), 0, false)).isEmpty();
    FileLocks.Locked reader = locks.tryLock(file(), 1, true).orElseThrow();
    held.write(new byte[] {1}, 16);
    assertThat(locks.locked(file(), 1)).isTrue();
    assertThat(locks.read(file(), 16, 1)).containsExactly(1);
    reader.close();
    assertThat(locks.locked(file(), 0)).isTrue();
    held.close();
    assertThat(Thread.interrupted()).isTrue();
    assertThat(locks.locked(file(), 0)).isFalse();
  }

  @ParameterizedTest
  @MethodSource("locks")
  void aLockThatOtherCodeOfThisProcessHoldsIsHeldAndNoException(FileLocks locks)
      throws IOException {
    Files.createFile(file());
    try (FileChannel channel =
            FileChannel.open(file(), StandardOpenOption.READ, StandardOpenOption.WRITE);
        FileLock _ = channel.lock(0, 1, false)) {
      for (int i = 0; i < 3; i++) {
        // Each of these opens and closes the file: the lock must not go.
        assertThat(locks.tryLock(file(), 0, false)).isEmpty();
        assertThat(locks.locked(file(), 0)).isTrue();
      }
    }
    locks.tryLock(file(), 0, false).orElseThrow().close();
  }

  @ParameterizedTest
  @MethodSource("locks")
  void noDescriptorIsLeftOpen(FileLocks locks) throws IOException {
    for (int i = 0; i < 3; i++) {
      try (FileLocks.Locked _ = locks.tryLock(file(), 0, false).orElseThrow()) {
        assertThat(locks.tryLock(file(), 0, false)).isEmpty();
        locks.locked(file(), 1);
        locks.process(file(), 0);
        locks.read(file(), 16, 4);
      }
    }
    assertThat(Held.of(temp)).isEmpty();
    assertThat(System.getProperties().stringPropertyNames())
        .noneMatch(name -> name.startsWith("io.gatun.lock"));
  }

  @Test
  void aNoteOfAnotherProcessOfThisNumberIsNotTakenForThisOne() throws IOException {
    long pid = ProcessHandle.current().pid();
    try (LockFile.Hold _ = LockFile.tryWriter(file()).orElseThrow()) {
      assertThat(LockFile.holder(file())).isEqualTo("process %d, this one", pid);
      // Neither a container that counts from 1 too nor an older Gatun writes our time of start.
      try (FileChannel channel = FileChannel.open(file(), StandardOpenOption.WRITE)) {
        channel.write(ByteBuffer.wrap("12345".getBytes(StandardCharsets.US_ASCII)), 36);
      }
      assertThat(LockFile.holder(file())).isEqualTo("process %d", pid);
    }
  }
}
