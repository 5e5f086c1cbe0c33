package io.gatun.store;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.gatun.cache.KvView;
import java.io.IOException;
import java.io.RandomAccessFile;
import java.nio.file.Path;
import java.util.Random;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Rows from a source that is not trusted stay with the conversation that they were imported as. */
class ImportedRowsTest {
  private static final Fingerprint MODEL = Fingerprint.of("a model");
  private static final long SEED = 1;
  private static final int TOKENS = 300;

  @TempDir Path temp;
  private ConversationStore store;

  @BeforeEach
  void open() {
    store = ConversationStore.open(temp.resolve("store"));
  }

  private static int[] prompt() {
    return new Random(SEED).ints(TOKENS, 0, 50_000).toArray();
  }

  private void restore(String id, boolean trusted) {
    Fingerprint stored = MODEL.with(Rows.layout());
    try (Conversation conversation =
        trusted
            ? store.restore(id, stored, Rows.layout(), true)
            : store.restore(id, stored, Rows.layout())) {
      Rows.accept(conversation, TOKENS, SEED);
      Rows.prefill(conversation);
    }
  }

  /** Tokens that a new conversation of this name is given. */
  private long reusedBy(String id) {
    try (Conversation conversation = store.openOrCreate(id, MODEL, Rows.layout(), prompt())) {
      Rows.check(conversation.cache().live(), conversation.tokens());
      return conversation.report().reusedTokens();
    }
  }

  @Test
  void rowsOfAnUntrustedImportAreNotReusedThoseOfATrustedOneAre() {
    restore("foreign", false);
    assertThat(store.info("foreign").imported()).isTrue();
    assertThat(reusedBy("first")).isZero();
    restore("friend", true);
    assertThat(store.info("friend").imported()).isFalse();
    assertThat(reusedBy("second")).isEqualTo(TOKENS);
    assertThat(store.info("second").imported()).isFalse();
  }

  @Test
  void theMarkSurvivesReopeningRenamingAndANewProcessView() {
    restore("foreign", false);
    store.rename("foreign", "renamed");
    try (Conversation again = store.openOrCreate("renamed", MODEL, Rows.layout())) {
      Rows.accept(again, 100, 2);
      Rows.prefill(again);
      again.truncate(TOKENS);
    }
    store.truncate("renamed", TOKENS - 1);
    store = ConversationStore.open(temp.resolve("store"));
    assertThat(store.info("renamed").imported()).isTrue();
    assertThat(reusedBy("first")).isZero();
  }

  @Test
  void forksInheritTheMarkWhateverTheyTake() {
    restore("foreign", false);
    store.fork("foreign", "whole");
    store.fork("whole", "part", 70);
    store.fork("part", "empty", 0);
    store.delete("foreign");
    for (String id : new String[] {"whole", "part", "empty"}) {
      assertThat(store.info(id).imported()).as(id).isTrue();
    }
    assertThat(reusedBy("first")).isZero();
    try (ConversationReader reader = store.read("whole");
        KvView view = reader.view()) {
      Rows.check(view, reader.tokens());
    }
  }

  @Test
  void aConversationOfThisStoreIsPreferredToALongerImportedOne() {
    restore("foreign", false);
    try (Conversation own = store.openOrCreate("own", MODEL, Rows.layout())) {
      own.accept(prompt(), 0, 130);
      Rows.prefill(own);
    }
    assertThat(reusedBy("first")).isEqualTo(130);
  }

  @Test
  void theMarkCannotBeFlippedUnnoticed() throws IOException {
    restore("foreign", false);
    try (RandomAccessFile journal =
        new RandomAccessFile(store.place().files("foreign").journal().toFile(), "rw")) {
      journal.seek(20);
      assertThat(journal.read()).isEqualTo(JournalHeader.IMPORTED);
      journal.seek(20);
      journal.write(0);
    }
    assertThat(store.info("foreign").damage()).contains("checksum");
    assertThat(reusedBy("first")).isZero();
    assertThatThrownBy(() -> store.fork("foreign", "fork")).hasMessageContaining("checksum");
  }
}
