package io.gatun.store;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.gatun.cache.GatunException;
import io.gatun.cache.KvView;
import java.io.IOException;
import java.io.RandomAccessFile;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.FileTime;
import java.time.Duration;
import java.time.Instant;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class ConversationStoreTest {
  private static final Fingerprint MODEL = Fingerprint.of("a model");

  @TempDir Path temp;
  private ConversationStore store;

  @BeforeEach
  void open() {
    store = ConversationStore.open(temp.resolve("store"));
  }

  private Conversation open(String id) {
    return store.openOrCreate(id, MODEL, Rows.layout());
  }

  private void make(String id, int tokens, long seed) {
    try (Conversation talk = open(id)) {
      Rows.accept(talk, tokens, seed);
      Rows.prefill(talk);
    }
  }

  private void check(String id, int tokens) {
    try (Conversation talk = open(id)) {
      assertThat(talk.report().findings()).isEmpty();
      assertThat(talk.tokens().count()).isEqualTo(tokens);
      assertThat(talk.cache().length()).isEqualTo(tokens);
      Rows.check(talk.cache().live(), talk.tokens());
    }
  }

  private List<Path> blockFiles() throws IOException {
    try (Stream<Path> files = Files.walk(temp.resolve("store/blocks"))) {
      return files.filter(file -> file.toString().endsWith(".kv")).sorted().toList();
    }
  }

  @ParameterizedTest
  @ValueSource(ints = {0, 1, 63, 64, 65, 100, 128, 150})
  void forksShareBlocksAndGoOnAlone(int at) throws IOException {
    make("one", 150, 1);
    store.fork("one", "two", at);
    assertThat(blockFiles()).hasSize(3);
    check("two", at);
    try (Conversation one = open("one");
        Conversation two = open("two")) {
      Rows.accept(one, 30, 2);
      Rows.prefill(one);
      Rows.accept(two, 40, 3);
      Rows.prefill(two);
      one.commit();
      two.commit();
      one.truncate(Math.max(0, at - 10));
      Rows.accept(one, 20, 4);
      Rows.prefill(one);
      Rows.check(one.cache().live(), one.tokens());
      Rows.check(two.cache().live(), two.tokens());
    }
    check("one", Math.max(0, at - 10) + 20);
    check("two", at + 40);
    assertThat(store.verify("two", bytes -> {}).sound()).isTrue();
  }

  @ParameterizedTest
  @ValueSource(strings = {"one", "two"})
  void deletingOneSideLeavesTheOtherWhole(String gone) throws IOException {
    make("one", 150, 1);
    store.fork("one", "two", 100);
    try (Conversation two = open("two")) {
      Rows.accept(two, 40, 2);
      Rows.prefill(two);
    }
    store.delete(gone);
    assertThat(store.exists(gone)).isFalse();
    if (gone.equals("one")) {
      check("two", 140);
      assertThat(blockFiles()).hasSize(3);
    } else {
      check("one", 150);
      assertThat(blockFiles()).hasSize(3);
    }
    assertThat(store.gc(false).removed()).isEmpty();
    store.delete(gone.equals("one") ? "two" : "one");
    assertThat(blockFiles()).isEmpty();
    assertThat(Files.list(temp.resolve("store/blocks"))).isEmpty();
  }

  @Test
  void aForkOfAnOpenConversationIsSafeFromRollbacks() {
    try (Conversation one = open("one")) {
      Rows.accept(one, 30, 1);
      Rows.prefill(one);
      one.commit();
      store.fork("one", "two", 25);
      one.truncate(10);
      Rows.accept(one, 30, 2);
      Rows.prefill(one);
      one.commit();
      Rows.check(one.cache().live(), one.tokens());
      check("two", 25);
    }
  }

  @Test
  void aBlockOnceSealedIsNeverOpenedAgain() {
    try (Conversation one = open("one")) {
      Rows.accept(one, 80, 1);
      Rows.prefill(one);
      one.commit();
      store.fork("one", "two", 70);
      one.truncate(64);
      one.commit();
      one.truncate(20);
      Rows.accept(one, 30, 2);
      Rows.prefill(one);
      one.commit();
      Rows.check(one.cache().live(), one.tokens());
      check("two", 70);
    }
  }

  @Test
  void renameKeepsEverything() {
    make("one", 100, 1);
    make("three", 10, 1);
    assertThatThrownBy(() -> store.rename("one", "three")).hasMessageContaining("already");
    store.rename("one", "two");
    assertThat(store.ids()).containsExactly("three", "two");
    check("two", 100);
    try (Conversation _ = open("two")) {
      assertThatThrownBy(() -> store.rename("two", "four")).hasMessageContaining("one writer");
      assertThatThrownBy(() -> store.delete("two")).hasMessageContaining("one writer");
    }
    assertThatThrownBy(() -> store.delete("gone")).hasMessageContaining("no conversation 'gone'");
  }

  @Test
  void listSaysWhatIsThere() {
    make("one", 150, 1);
    store.fork("one", "two", 100);
    List<ConversationInfo> infos = store.list();
    assertThat(infos).extracting(ConversationInfo::id).containsExactly("one", "two");
    ConversationInfo one = infos.get(0);
    assertThat(one.tokens()).isEqualTo(150);
    assertThat(one.committedTokens()).isEqualTo(150);
    assertThat(one.blocks()).isEqualTo(3);
    assertThat(one.fingerprint()).isEqualTo(MODEL.with(Rows.layout()));
    assertThat(one.openForWriting()).isFalse();
    assertThat(one.closed()).isTrue();
    long block = StoreBlocks.fileBytes(Rows.layout());
    assertThat(one.bytes() - one.ownBytes()).isEqualTo(2 * block);
    assertThat(infos.get(1).ownBytes()).isEqualTo(Journal.SMALLEST);
  }

  @Test
  void evictionTakesTheLeastRecentlyUsedAndSparesPinnedAndOpenOnes() throws IOException {
    for (String id : List.of("a", "b", "c", "d")) {
      make(id, 100, 1);
    }
    int age = 4;
    for (String id : List.of("a", "b", "c", "d")) {
      Files.setLastModifiedTime(
          store.place().files(id).used(), FileTime.from(Instant.now().minusSeconds(60L * age--)));
    }
    store.pin("a", true);
    try (Conversation _ = open("b")) {
      assertThatThrownBy(() -> store.evict(0, false))
          .isInstanceOf(GatunException.class)
          .hasMessageContaining("Nothing was evicted")
          .hasMessageContaining("1 pinned, 1 in use");
      assertThat(store.ids()).hasSize(4);
      long all = store.evict(Long.MAX_VALUE, true).bytesBefore();
      Eviction plan = store.evict(all - all / 4 - 1, true);
      assertThat(plan.victims()).extracting(Eviction.Victim::id).containsExactly("c", "d");
      assertThat(store.ids()).hasSize(4);
      Eviction done = store.evict(plan.bytesBefore() - 1, false);
      assertThat(done.victims()).extracting(Eviction.Victim::id).containsExactly("c");
      assertThat(store.evict(Long.MAX_VALUE, true).bytesBefore()).isEqualTo(done.bytesAfter());
    }
    store.pin("a", false);
    assertThat(store.evict(0, false).victims())
        .extracting(Eviction.Victim::id)
        .containsExactly("a", "d", "b");
    assertThat(blockFiles()).isEmpty();
  }

  @Test
  void theBudgetIsKept() throws IOException {
    long block = StoreBlocks.fileBytes(Rows.layout());
    long budget = 5 * block + 3 * Journal.SMALLEST;
    store =
        ConversationStore.open(
            temp.resolve("store"), StoreOptions.defaults().withBudgetBytes(budget));
    make("a", 128, 1);
    make("b", 128, 2);
    make("c", 128, 3);
    assertThat(store.ids()).containsExactly("b", "c");
    assertThat(store.stats().fileBytes()).isLessThanOrEqualTo(budget);
    try (Conversation big = open("big")) {
      Rows.accept(big, 1000, 1);
      assertThatThrownBy(() -> Rows.prefill(big)).hasMessageContaining("budget");
      assertThat(store.ids()).containsExactly("big");
    }
  }

  @Test
  void prefixesAreReusedAndCountedAndCompared() throws IOException {
    make("one", 300, 1);
    int[] prompt = new java.util.Random(1).ints(300, 0, 50_000).toArray();
    prompt[250] ^= 1;
    try (Conversation two = store.openOrCreate("two", MODEL, Rows.layout(), prompt)) {
      assertThat(two.report().reusedTokens()).isEqualTo(250);
      assertThat(two.cache().length()).isEqualTo(250);
      Rows.check(two.cache().live(), two.tokens());
      two.accept(prompt, 250, 50);
      Rows.prefill(two);
    }
    check("two", 300);
    try (Conversation three = store.openOrCreate("three", MODEL, Rows.layout(), prompt)) {
      assertThat(three.report().reusedTokens()).isEqualTo(300);
    }
    assertThat(store.stats().tokensReused()).isEqualTo(550);
    Fingerprint other = Fingerprint.of("another model");
    try (Conversation four = store.openOrCreate("four", other, Rows.layout(), prompt)) {
      assertThat(four.report().reusedTokens()).isZero();
    }
    prompt[63] ^= 1;
    try (Conversation five = store.openOrCreate("five", MODEL, Rows.layout(), prompt)) {
      assertThat(five.report().reusedTokens()).isZero();
    }
    store.delete("one");
    check("two", 300);
  }

  @Test
  void aReaderSeesCommitsWithoutReopeningAndKeepsItsRows() {
    try (Conversation talk = open("talk");
        ConversationReader reader = store.read("talk")) {
      assertThat(reader.committedTokens()).isZero();
      Rows.accept(talk, 50, 1);
      Rows.prefill(talk);
      reader.refresh();
      assertThat(reader.committedTokens()).isZero();
      talk.commit();
      assertThat(reader.refresh()).isTrue();
      assertThat(reader.committedTokens()).isEqualTo(50);
      Tokens then = new Tokens();
      then.replace(0, talk.tokens().toArray(), 0, 50);
      try (KvView view = reader.view()) {
        talk.truncate(20);
        Rows.accept(talk, 100, 2);
        Rows.prefill(talk);
        talk.commit();
        Rows.check(view, then);
        assertThat(reader.refresh()).isTrue();
        Rows.check(view, then);
        try (KvView now = reader.view()) {
          assertThat(now.length()).isEqualTo(120);
          Rows.check(now, reader.tokens());
        }
      }
      assertThat(reader.refresh()).isFalse();
    }
  }

  @Test
  void gcRemovesWhatACrashLeft() throws IOException {
    make("one", 100, 1);
    Files.createDirectory(store.place().conversations().resolve(".new-x"));
    Files.createFile(store.place().conversations().resolve(".new-x/journal"));
    Path stray = store.place().blocks().folder(42);
    Files.createDirectory(stray);
    Files.writeString(stray.resolve("00000000.kv"), "leaked");
    Garbage plan = store.gc(true);
    assertThat(plan.removed()).hasSize(2);
    assertThat(store.gc(false).removed()).isEqualTo(plan.removed());
    assertThat(Files.exists(stray)).isFalse();
    assertThat(store.gc(false).removed()).isEmpty();
    check("one", 100);
  }

  @Test
  void aDamagedJournalKeepsGcFromRemovingBlocks() throws IOException {
    make("one", 100, 1);
    make("two", 100, 2);
    store.fork("one", "three", 90);
    flip(store.place().files("one").journal(), 20);
    assertThat(store.list().get(0).damage()).contains("header is damaged");
    Garbage garbage = store.gc(false);
    assertThat(garbage.removed()).isEmpty();
    assertThat(garbage.findings()).hasSize(1);
    store.delete("one");
    check("two", 100);
    check("three", 90);
  }

  @Test
  void verifyNamesTheDamage() throws IOException {
    make("one", 150, 1);
    assertThat(store.verify("one", bytes -> {}))
        .isEqualTo(new Verification("one", 150, 150, 150, 150 * 192, List.of()));
    Path second = blockFiles().get(1);
    flip(second, BlockHeader.BYTES + 3 * 2048 + 17 * 32);
    Verification found = store.verify("one", bytes -> {});
    assertThat(found.soundTokens()).isEqualTo(64);
    assertThat(found.damage()).singleElement().asString().contains(second.toString());
    store =
        ConversationStore.open(
            temp.resolve("store"),
            StoreOptions.defaults().withValidation(StoreOptions.Validation.ALWAYS));
    try (Conversation one = open("one")) {
      assertThat(one.report().tokensToPrefill()).isEqualTo(86);
      assertThat(one.committedTokens()).isEqualTo(64);
      Rows.check(one.cache().live(), one.tokens());
      Rows.prefill(one);
    }
    assertThat(store.verify("one", bytes -> {}).sound()).isTrue();
    check("one", 150);
  }

  @Test
  void aMissingOrShortBlockCostsItsRowsOnly() throws IOException {
    make("one", 150, 1);
    try (RandomAccessFile file = new RandomAccessFile(blockFiles().get(2).toFile(), "rw")) {
      file.setLength(5000);
    }
    try (Conversation one = open("one")) {
      assertThat(one.report().findings()).singleElement().asString().contains("cut off");
      assertThat(one.committedTokens()).isEqualTo(128);
      Rows.prefill(one);
    }
    check("one", 150);
    Files.delete(blockFiles().get(0));
    try (Conversation one = open("one")) {
      assertThat(one.report().findings()).singleElement().asString().contains("is missing");
      assertThat(one.report().tokensToPrefill()).isEqualTo(150);
      Rows.prefill(one);
    }
    check("one", 150);
    assertThat(store.gc(false).removed()).isEmpty();
  }

  @Test
  void statsCountWhatWasDone() {
    try (Conversation one = open("one")) {
      Rows.accept(one, 100, 1);
      Rows.prefill(one);
      one.commit();
      StoreStats stats = store.stats();
      assertThat(stats.openConversations()).isEqualTo(1);
      assertThat(stats.commits()).isEqualTo(1);
      assertThat(stats.tokensAccepted()).isEqualTo(100);
      assertThat(stats.mappedBytes()).isEqualTo(2 * StoreBlocks.fileBytes(Rows.layout()));
      assertThat(stats.residentBytes()).isBetween(-1L, stats.mappedBytes());
      assertThat(stats.bytesWritten()).isGreaterThan(100 * Rows.layout().bytesPerToken());
    }
  }

  @Test
  void storesAreNotLinksAndFilesAreNotFolders() throws IOException {
    Files.createFile(temp.resolve("file"));
    assertThatThrownBy(() -> ConversationStore.open(temp.resolve("file")))
        .isInstanceOf(GatunException.class)
        .hasMessageContaining("not a folder");
  }

  static void flip(Path file, long at) throws IOException {
    try (RandomAccessFile bytes = new RandomAccessFile(file.toFile(), "rw")) {
      bytes.seek(at);
      int value = bytes.read();
      bytes.seek(at);
      bytes.write(value ^ 0x10);
    }
  }

  /**
   * A number that was given to a second block made a fork's late removal of the first one hit the
   * second (found by an hour of SoakTest).
   */
  @Test
  void aForkThatIsLateToRemoveABlockDoesNotHitANewerOne() throws IOException {
    make("parent", 64, 1);
    store.fork("parent", "fork");
    ConversationStore atOnce =
        ConversationStore.open(
            temp.resolve("store"), StoreOptions.defaults().withTokenDelay(Duration.ZERO));
    try (Conversation fork = atOnce.openOrCreate("fork", MODEL, Rows.layout())) {
      fork.truncate(0);
      try (Conversation parent = open("parent")) {
        parent.truncate(0);
      }
      assertThat(blockFiles()).isEmpty();
      try (Conversation parent = open("parent")) {
        Rows.accept(parent, 40, 2);
        Rows.prefill(parent);
        // Only now the fork removes the block that both had.
        Rows.accept(fork, 5, 3);
        Rows.prefill(fork);
        fork.commit();
        parent.commit();
      }
    }
    check("parent", 40);
  }

  @Test
  void aReaderThatMissedACutDoesNotTakeTheOldBlockForTheNewOne() {
    make("talk", 64, 1);
    try (ConversationReader reader = store.read("talk")) {
      try (Conversation talk = open("talk")) {
        talk.truncate(0);
      }
      make("talk", 40, 2);
      assertThat(reader.refresh()).isTrue();
      try (KvView view = reader.view()) {
        assertThat(view.length()).isEqualTo(40);
        Rows.check(view, reader.tokens());
      }
    }
  }

  @Test
  void aViewThatOutlivesItsConversationRemovesNoBlockOfTheNextWriter() throws IOException {
    KvView view;
    try (Conversation talk = open("talk")) {
      Rows.accept(talk, 30, 1);
      Rows.prefill(talk);
      view = talk.cache().view();
      talk.truncate(0);
    }
    assertThat(blockFiles()).isEmpty();
    make("talk", 30, 1);
    try (Conversation talk = open("talk")) {
      Rows.check(view, talk.tokens());
    }
    view.close();
    check("talk", 30);
  }
}
