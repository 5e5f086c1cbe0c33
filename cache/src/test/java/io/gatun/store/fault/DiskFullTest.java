package io.gatun.store.fault;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.catchThrowable;

import io.gatun.cache.DiskFullException;
import io.gatun.cache.GatunException;
import io.gatun.store.BackupProgress;
import io.gatun.store.Conversation;
import io.gatun.store.ConversationStore;
import io.gatun.store.Held;
import io.gatun.store.Rows;
import java.io.IOException;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.List;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Fault 5: the disk is full at create, at growth, at commit; afterwards it goes on. */
class DiskFullTest {
  @TempDir Path temp;

  @BeforeEach
  void root() {
    Faults.needRootAnd("mount", "mkfs.ext4");
  }

  private SmallDisk disk(String kind) throws IOException {
    return kind.equals("tmpfs") ? SmallDisk.tmpfs(temp, 2 << 20) : SmallDisk.ext4(temp, 12 << 20);
  }

  /** Takes all space that is left. */
  private static Path fill(SmallDisk disk) throws IOException {
    Path filler = disk.path().resolve("filler");
    try (var out = Files.newOutputStream(filler)) {
      byte[] bytes = new byte[4096];
      while (true) {
        try {
          out.write(bytes);
        } catch (IOException full) {
          assertThat(full).hasMessageContaining("No space left");
          return filler;
        }
      }
    }
  }

  private static Conversation open(ConversationStore store, String id) {
    return store.openOrCreate(id, Workload.MODEL, Rows.layout());
  }

  @ParameterizedTest
  @ValueSource(strings = {"tmpfs", "ext4"})
  void atCreate(String kind) throws IOException {
    try (SmallDisk disk = disk(kind)) {
      ConversationStore store = ConversationStore.open(disk.path().resolve("store"));
      try (Conversation one = open(store, "one")) {
        Rows.accept(one, 10, 1);
      }
      Path filler = fill(disk);
      List<Path> before = Scratch.files(disk.path());
      Throwable failure = catchThrowable(() -> open(store, "two"));
      assertThat(failure).hasMessageMatching("(?s).*(disk full|No space left).*");
      assertThat(Scratch.files(disk.path())).isEqualTo(before);
      assertThat(store.exists("two")).isFalse();
      Files.delete(filler);
      open(store, "two").close();
      assertThat(store.gc(true).removed()).isEmpty();
    }
  }

  @ParameterizedTest
  @ValueSource(strings = {"tmpfs", "ext4"})
  void atGrowth(String kind) throws IOException {
    try (SmallDisk disk = disk(kind)) {
      ConversationStore store = ConversationStore.open(disk.path().resolve("store"));
      try (Conversation one = open(store, "one")) {
        Rows.accept(one, 60, 1);
        Rows.prefill(one);
        one.commit();
        Path filler = fill(disk);
        Rows.accept(one, 60, 2);
        List<Path> before = Scratch.files(disk.path());
        assertThatThrownBy(() -> Rows.prefill(one))
            .isInstanceOfSatisfying(
                DiskFullException.class,
                e -> {
                  assertThat(e.neededBytes()).isGreaterThan(4096);
                  assertThat(e.availableBytes()).isLessThan(e.neededBytes());
                  assertThat(e).hasMessageContaining("%,d bytes".formatted(e.neededBytes()));
                });
        assertThat(Scratch.files(disk.path())).isEqualTo(before);
        Rows.check(one.cache().live(), one.tokens());
        one.cache().truncate(one.cache().length());
        one.commit();
        Files.delete(filler);
        Rows.prefill(one);
        one.commit();
        assertThat(one.committedTokens()).isEqualTo(120);
      }
      try (Conversation one = open(store, "one")) {
        assertThat(one.report().tokensToPrefill()).isZero();
        Rows.check(one.cache().live(), one.tokens());
      }
      assertThat(store.gc(true).removed()).isEmpty();
    }
  }

  @ParameterizedTest
  @ValueSource(strings = {"tmpfs", "ext4"})
  void atAcceptAndCommitWhenTheJournalHasToGrow(String kind) throws IOException {
    try (SmallDisk disk = disk(kind)) {
      ConversationStore store = ConversationStore.open(disk.path().resolve("store"));
      try (Conversation one = open(store, "one")) {
        Rows.accept(one, 60, 1);
        Rows.prefill(one);
        one.commit();
        Path filler = fill(disk);
        int known = 0;
        Throwable full = null;
        while (full == null) {
          known = one.tokens().count();
          full = catchThrowable(() -> Rows.accept(one, 1_000, 2));
        }
        assertThat(full).isInstanceOf(DiskFullException.class);
        assertThat(one.tokens().count()).isEqualTo(known);
        // What is left of the journal takes single tokens and commits, until it does not.
        while (full instanceof DiskFullException) {
          full = catchThrowable(() -> one.accept(7));
          if (full == null) {
            break;
          }
        }
        Throwable atCommit = null;
        for (int i = 0; i < 20_000 && atCommit == null; i++) {
          atCommit =
              catchThrowable(() -> {
                // Any of the three may be the one that meets the end of the journal.
                one.truncate(one.tokens().count() - 1);
                one.accept(9);
                one.cache().truncate(one.cache().length() == 60 ? 59 : one.cache().length());
                one.commit();
              });
        }
        assertThat(atCommit).isInstanceOf(DiskFullException.class);
        Files.delete(filler);
        one.truncate(59);
        Rows.accept(one, 100, 3);
        Rows.prefill(one);
        one.commit();
      }
      try (Conversation one = open(store, "one")) {
        assertThat(one.report().tokensToPrefill()).isZero();
        Rows.check(one.cache().live(), one.tokens());
      }
    }
  }

  /** A fork that was never opened has no lock file yet, and there is no room to write into one. */
  @ParameterizedTest
  @ValueSource(strings = {"tmpfs", "ext4"})
  void aForkCanBeDeletedToMakeRoom(String kind) throws IOException {
    try (SmallDisk disk = disk(kind)) {
      ConversationStore store = ConversationStore.open(disk.path().resolve("store"));
      try (Conversation one = open(store, "one")) {
        Rows.accept(one, 60, 1);
        Rows.prefill(one);
      }
      store.fork("one", "two");
      fill(disk);
      assertThat(store.delete("two")).isPositive();
      assertThat(store.exists("two")).isFalse();
      assertThat(Held.of(disk.path())).isEmpty();
    }
  }

  @ParameterizedTest
  @ValueSource(strings = {"tmpfs", "ext4"})
  void atBackupWhateverIsLeft(String kind) throws IOException {
    try (SmallDisk disk = disk(kind)) {
      ConversationStore store = ConversationStore.open(temp.resolve("source"));
      for (String id : List.of("one", "two")) {
        try (Conversation talk = open(store, id)) {
          Rows.accept(talk, 200, 1);
          Rows.prefill(talk);
        }
      }
      Path dest = disk.path().resolve("dest");
      int failures = 0;
      for (int left = 0; ; left += 16 << 10) {
        Path filler = fill(disk);
        try (FileChannel cut = FileChannel.open(filler, StandardOpenOption.WRITE)) {
          cut.truncate(Math.max(0, cut.size() - left));
        }
        Throwable failure = catchThrowable(() -> store.backup(dest, true, BackupProgress.NONE));
        Files.delete(filler);
        if (failure == null) {
          break;
        }
        failures++;
        assertThat(failure)
            .isInstanceOf(GatunException.class)
            .hasMessageMatching("(?s).*(disk full|No space left).*");
        if (Files.exists(dest.resolve("conversations"))) {
          for (String id : ConversationStore.open(dest).ids()) {
            check(ConversationStore.open(dest), id);
          }
        }
      }
      assertThat(failures).isGreaterThan(5);
      assertThat(ConversationStore.open(dest).ids()).containsExactly("one", "two");
      check(ConversationStore.open(dest), "one");
      check(ConversationStore.open(dest), "two");
      assertThat(ConversationStore.open(dest).gc(true).removed()).isEmpty();
      System.out.printf("DiskFullTest: %s, a backup after %d full disks%n", kind, failures);
    }
  }

  private static void check(ConversationStore store, String id) {
    try (Conversation talk = open(store, id)) {
      assertThat(talk.report().findings()).isEmpty();
      assertThat(talk.committedTokens()).isEqualTo(200);
      Rows.check(talk.cache().live(), talk.tokens());
    }
  }
}
