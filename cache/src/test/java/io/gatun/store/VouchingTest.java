package io.gatun.store;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.gatun.cache.GatunException;
import io.gatun.cache.KvView;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** A clean exit vouches for the files that it saw, and for no copies of them. */
class VouchingTest {
  private static final Fingerprint MODEL = Fingerprint.of("a model");

  @TempDir Path temp;
  private ConversationStore store;

  @BeforeEach
  void open() {
    store = ConversationStore.open(temp.resolve("store"));
  }

  private static Conversation open(ConversationStore store, String id) {
    return store.openOrCreate(id, MODEL, Rows.layout());
  }

  private static void go(Conversation talk, int tokens, int seed) {
    Rows.accept(talk, tokens, seed);
    Rows.prefill(talk);
    talk.commit();
  }

  /** Copies what is below a folder of the store, as {@code cp -a} does. */
  private void copy(String part) throws IOException {
    Path from = temp.resolve("store").resolve(part);
    Path to = temp.resolve("copy").resolve(part);
    try (var files = Files.walk(from)) {
      for (Path file : files.toList()) {
        Path target = to.resolve(from.relativize(file).toString());
        Files.createDirectories(target.getParent());
        if (!Files.isDirectory(target)) {
          Files.copy(
              file,
              target,
              StandardCopyOption.COPY_ATTRIBUTES,
              StandardCopyOption.REPLACE_EXISTING);
        }
      }
    }
  }

  @Test
  void blocksOfBeforeACleanExitWithTheJournalOfAfterAreFound() throws IOException {
    try (Conversation talk = open(store, "talk")) {
      go(talk, 100, 1);
      copy("blocks");
      go(talk, 20, 2);
    }
    copy("conversations");
    ConversationStore copy = ConversationStore.open(temp.resolve("copy"));
    assertThatThrownBy(() -> copy.read("talk"))
        .isInstanceOf(GatunException.class)
        .hasMessageContaining("not those of the journal");
    try (Conversation talk = open(copy, "talk")) {
      assertThat(talk.report().findings()).isNotEmpty();
      assertThat(talk.committedTokens()).isEqualTo(100);
      assertThat(talk.tokens().count()).isEqualTo(120);
      Rows.check(talk.cache().live(), talk.tokens());
    }
    try (ConversationReader reader = copy.read("talk");
        KvView view = reader.view()) {
      Rows.check(view, reader.tokens());
    }
  }

  @Test
  void blocksOfAfterARollbackWithTheJournalOfBeforeAreFound() throws IOException {
    try (Conversation talk = open(store, "talk")) {
      go(talk, 60, 1);
    }
    copy("conversations");
    try (Conversation talk = open(store, "talk")) {
      talk.truncate(30);
      go(talk, 20, 2);
    }
    copy("blocks");
    ConversationStore copy = ConversationStore.open(temp.resolve("copy"));
    try (Conversation talk = open(copy, "talk")) {
      assertThat(talk.committedTokens()).isLessThanOrEqualTo(30);
      assertThat(talk.tokens().count()).isEqualTo(60);
      Rows.check(talk.cache().live(), talk.tokens());
    }
  }

  @Test
  void aSoundCopyIsCheckedOnceAndThenVouchedFor() throws IOException {
    try (Conversation talk = open(store, "talk")) {
      go(talk, 200, 1);
    }
    copy("blocks");
    copy("conversations");
    ConversationStore copy = ConversationStore.open(temp.resolve("copy"));
    for (int i = 0; i < 2; i++) {
      try (Conversation talk = open(copy, "talk")) {
        assertThat(talk.report().findings()).isEmpty();
        assertThat(talk.report().committedTokens()).isEqualTo(200);
        // Mapped at once where the rows were compared, late where the journal vouched; nobody
        // writes
        // behind the last row of a copy.
        int mapped = (int) (talk.mappedBytes() / StoreBlocks.fileBytes(Rows.layout()));
        assertThat(mapped).isEqualTo(i == 0 ? 4 : 0);
        Rows.check(talk.cache().live(), talk.tokens());
      }
    }
  }

  @Test
  void aTailWithASecondNameIsNotWrittenTo() throws IOException {
    try (Conversation talk = open(store, "talk")) {
      go(talk, 100, 1);
    }
    long tail =
        JournalFile.read(store.place().files("talk").journal()).state().runs().getLast().block();
    Path block = store.place().blocks().file(tail);
    Path second = temp.resolve("second");
    Files.createLink(second, block);
    byte[] before = Files.readAllBytes(second);
    try (Conversation talk = open(store, "talk")) {
      go(talk, 10, 2);
    }
    assertThat(Files.readAllBytes(second)).isEqualTo(before);
  }
}
