package io.gatun.store;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.gatun.cache.GatunException;
import io.gatun.cache.KvView;
import java.io.IOException;
import java.io.RandomAccessFile;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** A damaged or foreign thing costs itself alone; what could not be read changes nothing. */
class TrustTest {
  private static final Fingerprint MODEL = Fingerprint.of("a model");

  @TempDir Path temp;
  private ConversationStore store;

  @BeforeEach
  void open() {
    store = ConversationStore.open(temp.resolve("store"));
  }

  private void make(String id, int tokens, int seed) {
    try (Conversation conversation = store.openOrCreate(id, MODEL, Rows.layout())) {
      go(conversation, tokens, seed);
    }
  }

  private static void go(Conversation conversation, int tokens, int seed) {
    Rows.accept(conversation, tokens, seed);
    Rows.prefill(conversation);
    conversation.commit();
  }

  private void check(String id, long tokens) {
    try (ConversationReader reader = store.read(id);
        KvView view = reader.view()) {
      assertThat(view.length()).isEqualTo(tokens);
      Rows.check(view, reader.tokens());
    }
  }

  private static void flip(Path file, long offset) throws IOException {
    try (RandomAccessFile bytes = new RandomAccessFile(file.toFile(), "rw")) {
      bytes.seek(offset);
      int value = bytes.read();
      bytes.seek(offset);
      bytes.write(value ^ 1);
    }
  }

  private long blockFiles() throws IOException {
    try (var files = Files.walk(temp.resolve("store/blocks"))) {
      return files.filter(Files::isRegularFile).count();
    }
  }

  @Test
  void evictionDoesWhatItsDryRunSaysBesideADamagedHeaderAndAStrayFile() throws IOException {
    for (int i = 0; i < 8; i++) {
      make("c" + i, 100, i);
    }
    flip(store.place().files("c3").journal(), 20);
    Files.writeString(store.place().conversations().resolve("notes"), "a stray file");
    long before = store.evict(Long.MAX_VALUE, true).bytesBefore();
    long target = before * 3 / 4;
    Eviction plan = store.evict(target, true);
    Eviction done = store.evict(target, false);
    assertThat(done.victims()).isEqualTo(plan.victims());
    assertThat(done.bytesAfter()).isEqualTo(plan.bytesAfter()).isLessThanOrEqualTo(target);
    assertThat(store.evict(Long.MAX_VALUE, true).bytesBefore()).isEqualTo(done.bytesAfter());
    Garbage garbage = store.gc(false);
    assertThat(garbage.removed()).isEmpty();
    assertThat(garbage.findings()).anyMatch(finding -> finding.contains("notes"));
    assertThat(store.list()).hasSize(8 - done.victims().size());
  }

  @Test
  void anUnreadableJournalKeepsEveryBlockAndIsNamed() throws IOException {
    make("good", 100, 1);
    make("bad", 100, 2);
    store.fork("good", "child", 90);
    Files.write(store.place().files("bad").journal(), new byte[70_000]);
    long blocks = blockFiles();
    store.delete("good");
    assertThat(blockFiles()).isEqualTo(blocks);
    assertThat(store.gc(false).findings()).anyMatch(finding -> finding.contains("'bad'"));
    assertThat(blockFiles()).isEqualTo(blocks);
    assertThatThrownBy(() -> store.evict(0, false))
        .isInstanceOf(GatunException.class)
        .hasMessageContaining("Nothing was evicted")
        .hasMessageContaining("'bad'");
    assertThat(store.ids()).containsExactly("bad", "child");
    store.delete("bad");
    store.gc(false);
    check("child", 90);
  }

  @Test
  void aBlockLargerThanTheBudgetEvictsNobody() {
    make("old", 100, 1);
    ConversationStore small =
        ConversationStore.open(
            temp.resolve("store"), StoreOptions.defaults().withBudgetBytes(10_000));
    try (Conversation conversation = small.openOrCreate("new", MODEL, Rows.layout())) {
      assertThatThrownBy(() -> go(conversation, 1, 3))
          .isInstanceOf(GatunException.class)
          .hasMessageContaining("larger than the store's budget");
    }
    assertThat(small.ids()).contains("old");
    check("old", 100);
  }

  @Test
  void aVictimWhoseBlocksOthersNeedIsSpared() {
    make("parent", 192, 1);
    store.fork("parent", "child", 192);
    store.pin("parent", true);
    make("other", 192, 2);
    long all = store.evict(Long.MAX_VALUE, true).bytesBefore();
    Eviction plan = store.evict(all - Journal.SMALLEST - 1, true);
    assertThat(plan.victims()).extracting(Eviction.Victim::id).isEqualTo(List.of("other"));
  }

  /** A copy by hand has the number of the original, whose newest block no journal names yet. */
  @Test
  void deletingACopyAndCollectingSpareTheBlocksOfAWriterAtWork() throws IOException {
    make("talk", 60, 1);
    Path original = store.place().files("talk").folder();
    try (Conversation talk = store.openOrCreate("talk", MODEL, Rows.layout())) {
      for (String id : new String[] {"copy", "zcopy"}) {
        Path copy = store.place().files(id).folder();
        Files.createDirectory(copy);
        Files.copy(original.resolve("journal"), copy.resolve("journal"));
      }
      Rows.accept(talk, 100, 2);
      Rows.prefill(talk);
      store.delete("zcopy");
      store.gc(false);
      store.delete("copy");
      talk.commit();
    }
    try (Conversation talk = store.openOrCreate("talk", MODEL, Rows.layout())) {
      assertThat(talk.committedTokens()).isEqualTo(160);
      Rows.check(talk.cache().live(), talk.tokens());
    }
  }
}
