package io.gatun.store;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.gatun.cache.GatunException;
import io.gatun.cache.KvView;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.List;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.stream.Stream;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class BackupTest {
  private static final Fingerprint MODEL = Fingerprint.of("a model");

  @TempDir Path temp;
  private ConversationStore store;
  private Path dest;

  @BeforeEach
  void make() {
    store = ConversationStore.open(temp.resolve("store"));
    dest = temp.resolve("dest");
  }

  private Conversation open(ConversationStore in, String id) {
    return in.openOrCreate(id, MODEL, Rows.layout());
  }

  private static void grow(Conversation talk, int tokens, long seed) {
    Rows.accept(talk, tokens, seed);
    Rows.prefill(talk);
    talk.commit();
  }

  private void make(String id, int tokens, long seed) {
    try (Conversation talk = open(store, id)) {
      grow(talk, tokens, seed);
    }
  }

  private BackupReport backup() {
    return store.backup(dest, true, BackupProgress.NONE);
  }

  /** The conversation in the backup has this many tokens, with rows that are theirs. */
  private void check(String id, int tokens) {
    ConversationStore copy = ConversationStore.open(dest);
    try (ConversationReader reader = copy.read(id);
        KvView view = reader.view()) {
      assertThat(reader.tokens().count()).isEqualTo(tokens);
      assertThat(view.length()).isEqualTo(tokens);
      Rows.check(view, reader.tokens());
    }
    assertThat(copy.verify(id, bytes -> {}).damage()).isEmpty();
    try (Conversation talk = open(copy, id)) {
      assertThat(talk.report().findings()).isEmpty();
      assertThat(talk.report().cleanExit()).isTrue();
      assertThat(talk.committedTokens()).isEqualTo(tokens);
      Rows.check(talk.cache().live(), talk.tokens());
    }
  }

  private static List<Path> files(Path folder) throws IOException {
    try (Stream<Path> paths = Files.walk(folder)) {
      return paths.filter(Files::isRegularFile).sorted().toList();
    }
  }

  @ParameterizedTest
  @ValueSource(booleans = {true, false})
  void everyConversationIsInItRowByRow(boolean links) throws IOException {
    make("a", 200, 1);
    make("empty", 0, 2);
    store.fork("a", "b", 130);
    store.pin("b", true);
    try (Conversation talk = open(store, "open")) {
      grow(talk, 300, 3);
      Rows.accept(talk, 5, 4);
      Rows.prefill(talk);
      BackupReport report = store.backup(dest, links, BackupProgress.NONE);
      assertThat(report.whole()).isTrue();
      assertThat(report.notes()).isEmpty();
      assertThat(report.conversations()).containsExactly("a", "b", "empty", "open");
      // Of a: three full blocks and the tail; b shares three of them; of the open one four and a
      // tail.
      assertThat(report.linked()).isEqualTo(links ? 3 + 4 : 0);
      assertThat(report.copied()).isEqualTo(links ? 2 : 9);
      assertThat(report.kept()).isEqualTo(3);
    }
    check("a", 200);
    check("b", 130);
    check("empty", 0);
    assertThat(ConversationStore.open(dest).info("b").pinned()).isTrue();
    try (Conversation talk = open(ConversationStore.open(dest), "open")) {
      assertThat(talk.committedTokens()).isEqualTo(300);
      Rows.check(talk.cache().live(), talk.tokens());
    }
    try (Stream<Path> paths = Files.walk(dest)) {
      for (Path path : paths.toList()) {
        assertThat(PosixFilePermissions.toString(Files.getPosixFilePermissions(path)))
            .isEqualTo(Files.isDirectory(path) ? "rwx------" : "rw-------");
      }
    }
    assertThat(ConversationStore.open(dest).gc(true).removed()).isEmpty();
  }

  @Test
  void whatIsDoneInTheBackupOrTheStoreDoesNotReachTheOther() throws IOException {
    make("a", 150, 1);
    store.fork("a", "b");
    backup();
    ConversationStore copy = ConversationStore.open(dest);
    try (Conversation here = open(store, "a");
        Conversation there = open(copy, "a")) {
      here.truncate(140);
      there.truncate(135);
      grow(here, 300, 2);
      grow(there, 200, 3);
      Rows.check(here.cache().live(), here.tokens());
      Rows.check(there.cache().live(), there.tokens());
    }
    copy.delete("a");
    check("b", 150);
    for (String id : List.of("a", "b")) {
      assertThat(store.verify(id, bytes -> {}).damage()).isEmpty();
    }
    store.delete("a");
    store.delete("b");
    assertThat(store.gc(true).removed()).isEmpty();
    check("b", 150);
  }

  @Test
  void anotherBackupBringsItUpToDate() throws IOException {
    make("a", 150, 1);
    make("gone", 150, 2);
    make("old", 100, 3);
    backup();
    try (Conversation talk = open(store, "a")) {
      talk.truncate(140);
      grow(talk, 60, 4);
    }
    store.delete("gone");
    store.rename("old", "new");
    make("more", 70, 5);
    BackupReport report = backup();
    assertThat(report.whole()).isTrue();
    assertThat(report.conversations()).containsExactly("a", "more", "new");
    assertThat(report.removed()).containsExactly("gone");
    assertThat(ConversationStore.open(dest).ids()).containsExactly("a", "more", "new");
    check("a", 200);
    check("new", 100);
    check("more", 70);
    assertThat(ConversationStore.open(dest).gc(true).removed()).isEmpty();
    BackupReport again = backup();
    assertThat(again.linked() + again.copied()).isZero();
    assertThat(again.kept()).isEqualTo(4 + 2 + 2);
  }

  @Test
  void namesThatWereExchangedAreExchangedInTheBackup() {
    make("a", 100, 1);
    make("b", 200, 2);
    backup();
    store.rename("a", "c");
    store.rename("b", "a");
    store.rename("c", "b");
    assertThat(backup().whole()).isTrue();
    check("a", 200);
    check("b", 100);
  }

  @Test
  void aRunThatWasCutOffAnywhereIsAValidStoreAndGoesOn() throws IOException {
    make("a", 200, 1);
    store.fork("a", "b", 180);
    make("c", 200, 3);
    for (int after = 1; after <= 11; after++) {
      int last = after;
      AtomicInteger count = new AtomicInteger();
      assertThatThrownBy(() ->
              store.backup(
                  dest,
                  true,
                  (id, done, total) -> {
                    if (count.incrementAndGet() == last) {
                      throw new IllegalStateException("cut off");
                    }
                  }))
          .hasMessage("cut off");
      for (String id : ConversationStore.open(dest).ids()) {
        check(id, id.equals("b") ? 180 : 200);
      }
    }
    BackupReport report = backup();
    assertThat(report.whole()).isTrue();
    // Second names of the conversation that was cut off were taken back; copies are kept.
    assertThat(report.linked()).isEqualTo(3);
    assertThat(report.copied()).isZero();
    assertThat(report.kept()).isEqualTo(11 - 3);
    check("a", 200);
    check("b", 180);
    check("c", 200);
  }

  @Test
  void aDamagedConversationCostsItselfAlone() throws IOException {
    make("a", 200, 1);
    make("journal", 100, 2);
    make("rows", 100, 3);
    make("missing", 100, 4);
    make("z", 200, 5);
    backup();
    for (String id : List.of("rows", "missing")) {
      try (Conversation talk = open(store, id)) {
        // Other rows in a block that the backup has, and a new block.
        talk.truncate(90);
        grow(talk, 100, 6);
      }
    }
    flip(store.place().files("journal").journal(), 40);
    flip(block("rows", 2), BlockHeader.BYTES + 5);
    Files.delete(block("missing", 2));
    Files.writeString(store.place().conversations().resolve("stray"), "no folder");
    for (int round = 0; round < 2; round++) {
      BackupReport report = backup();
      assertThat(report.whole()).isFalse();
      assertThat(report.damaged()).containsOnlyKeys("journal", "rows", "missing");
      assertThat(report.damaged().get("rows"))
          .contains("rows from 0 on do not check (checksum)")
          .contains("an earlier backup of it stays, with 100 tokens, 100 of them with K/V");
      assertThat(report.damaged().get("missing")).contains("missing").contains("earlier backup");
      assertThat(report.notes()).anyMatch(note -> note.contains("stray"));
      assertThat(report.conversations()).containsExactly("a", "z");
      check("a", 200);
      check("z", 200);
      check("rows", 100);
      check("missing", 100);
      check("journal", 100);
    }
    store.delete("z");
    BackupReport report = backup();
    assertThat(report.removed()).isEmpty();
    assertThat(report.notes()).anyMatch(note -> note.startsWith("'z' is no longer in the store"));
    check("z", 200);
  }

  private Path block(String id, int run) throws IOException {
    JournalFile journal = JournalFile.read(store.place().files(id).journal());
    return store.place().blocks().file(journal.state().runs().get(run).block());
  }

  private static void flip(Path file, int at) throws IOException {
    byte[] bytes = Files.readAllBytes(file);
    bytes[at] ^= 4;
    Files.write(file, bytes);
  }

  @Test
  void aDamagedFileInTheBackupIsMadeAnew() throws IOException {
    make("a", 200, 1);
    store.backup(dest, false, BackupProgress.NONE);
    for (Path file : files(dest)) {
      if (file.toString().endsWith(".kv")) {
        flip(file, BlockHeader.BYTES + 9);
      } else if (file.endsWith("journal")) {
        flip(file, 33);
      }
    }
    BackupReport report = store.backup(dest, false, BackupProgress.NONE);
    assertThat(report.whole()).isTrue();
    assertThat(report.copied()).isEqualTo(4);
    check("a", 200);
  }

  @Test
  void aConversationThatWentOnInTheBackupIsLeftAlone() {
    make("a", 100, 1);
    make("b", 100, 2);
    backup();
    // Opened, and closed as it was: that is no reason.
    open(ConversationStore.open(dest), "b").close();
    try (Conversation talk = open(ConversationStore.open(dest), "a")) {
      grow(talk, 60, 9);
    }
    try (Conversation talk = open(store, "b")) {
      grow(talk, 60, 9);
    }
    try (Conversation talk = open(ConversationStore.open(dest), "own")) {
      grow(talk, 10, 9);
    }
    BackupReport report = backup();
    assertThat(report.damaged()).containsOnlyKeys("a");
    assertThat(report.damaged().get("a")).contains("was changed in the backup");
    assertThat(report.removed()).isEmpty();
    assertThat(report.notes()).anyMatch(note -> note.startsWith("'own' was changed"));
    check("a", 160);
    check("b", 160);
    check("own", 10);
  }

  @Test
  void foldersThatAreNoPlaceForItAreRefused() throws IOException {
    make("a", 10, 1);
    ConversationStore other = ConversationStore.open(temp.resolve("other"));
    Files.createSymbolicLink(temp.resolve("link"), store.folder());
    refused(store.folder(), "is the store itself");
    refused(temp.resolve("link"), "is the store itself");
    refused(store.folder().resolve("sub"), "lies inside the store");
    refused(temp.resolve("link/sub/deep"), "lies inside the store");
    refused(temp, "lies around the store");
    refused(other.folder(), "neither empty nor a backup");
    backup();
    assertThatThrownBy(() -> other.backup(dest, true, BackupProgress.NONE))
        .isInstanceOf(GatunException.class)
        .hasMessageContaining("is a backup of " + store.folder().toUri());
    try (LockFile.Hold _ = LockFile.writer(dest.resolve("backup.lock"))) {
      refused(dest, "another backup is being made");
    }
    check("a", 10);
    assertThat(store.folder().resolve("sub")).doesNotExist();
  }

  private void refused(Path folder, String why) {
    assertThatThrownBy(() -> store.backup(folder, true, BackupProgress.NONE))
        .isInstanceOf(GatunException.class)
        .hasMessageContaining(why);
  }

  @Test
  void aForkThatComesMeanwhileKeepsItsRowsWhateverItsParentDoesInTheBackup() {
    make("a", 100, 1);
    AtomicInteger count = new AtomicInteger();
    BackupReport report =
        store.backup(
            dest,
            true,
            (id, done, total) -> {
              if (count.incrementAndGet() == 2) {
                // The tail is copied, with 36 rows of it promised; then a fork is promised more.
                try (Conversation talk = open(store, "a")) {
                  grow(talk, 20, 2);
                }
                store.fork("a", "b", 115);
              }
            });
    assertThat(report.whole()).isTrue();
    assertThat(report.conversations()).containsExactly("a", "b");
    check("b", 115);
    try (Conversation talk = open(ConversationStore.open(dest), "a")) {
      talk.truncate(talk.tokens().count() - 4);
      grow(talk, 40, 7);
    }
    check("b", 115);
  }
}
