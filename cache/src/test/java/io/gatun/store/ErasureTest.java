package io.gatun.store;

import static org.assertj.core.api.Assertions.assertThat;

import io.gatun.cache.KvView;
import java.io.IOException;
import java.io.RandomAccessFile;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** What was cut off and erased is in no file of the store; journals do not grow for nothing. */
class ErasureTest {
  private static final Fingerprint MODEL = Fingerprint.of("a model");
  private static final int SECRET = 0x5ec2e7;

  @TempDir Path temp;
  private ConversationStore store;

  @BeforeEach
  void open() {
    store = ConversationStore.open(temp.resolve("store"));
  }

  private Conversation open(String id) {
    return store.openOrCreate(id, MODEL, Rows.layout());
  }

  /** 100 public tokens, then secret ones; returns the bytes of the rows of one secret token. */
  private byte[] make(String id) {
    try (Conversation talk = open(id)) {
      Rows.accept(talk, 100, 1);
      for (int i = 0; i < 60; i++) {
        talk.accept(SECRET + i);
      }
      Rows.prefill(talk);
      talk.commit();
      try (KvView view = talk.cache().view()) {
        return view.keys(1)
            .asSlice(Rows.layout().keyOffset(0, 0, 40), 32)
            .toArray(java.lang.foreign.ValueLayout.JAVA_BYTE);
      }
    }
  }

  private boolean anywhere(byte[] wanted) throws IOException {
    try (var files = Files.walk(temp.resolve("store"))) {
      for (Path file : files.filter(Files::isRegularFile).toList()) {
        byte[] bytes = Files.readAllBytes(file);
        for (int at = 0; at + wanted.length <= bytes.length; at++) {
          if (java.util.Arrays.equals(bytes, at, at + wanted.length, wanted, 0, wanted.length)) {
            return true;
          }
        }
      }
    }
    return false;
  }

  private static byte[] id(int id) {
    return ByteBuffer.allocate(4).order(ByteOrder.LITTLE_ENDIAN).putInt(id).array();
  }

  @Test
  void truncatedIdsAndRowsAreInNoFileAfterAnErasure() throws IOException {
    byte[] row = make("talk");
    assertThat(anywhere(id(SECRET + 7))).isTrue();
    assertThat(anywhere(row)).isTrue();
    assertThat(store.truncate("talk", 99, true)).isEmpty();
    assertThat(anywhere(id(SECRET + 7))).isFalse();
    assertThat(anywhere(row)).isFalse();
    assertThat(store.verify("talk", bytes -> {}).damage()).isEmpty();
    try (Conversation talk = open("talk")) {
      assertThat(talk.report().cleanExit()).isTrue();
      assertThat(talk.committedTokens()).isEqualTo(99);
      Rows.check(talk.cache().live(), talk.tokens());
      Rows.accept(talk, 50, 3);
      Rows.prefill(talk);
    }
    assertThat(store.verify("talk", bytes -> {}).damage()).isEmpty();
  }

  @Test
  void rowsThatAForkHoldsStayAndAreNamed() throws IOException {
    byte[] row = make("talk");
    store.fork("talk", "fork");
    List<String> kept = store.truncate("talk", 99, true);
    assertThat(kept).singleElement().asString().contains("others may be reading");
    assertThat(anywhere(row)).isTrue();
    try (Conversation fork = open("fork")) {
      assertThat(fork.committedTokens()).isEqualTo(160);
      Rows.check(fork.cache().live(), fork.tokens());
    }
  }

  @Test
  void aDeletedConversationIsOverwritten() throws IOException {
    byte[] row = make("talk");
    make("other");
    Path block = store.place().blocks().file(firstBlock("talk"));
    byte[] left;
    // A file that is open can be read after its name is gone.
    try (RandomAccessFile open = new RandomAccessFile(block.toFile(), "r")) {
      store.delete("talk", true);
      left = new byte[(int) open.length()];
      open.readFully(left);
    }
    assertThat(left).isEqualTo(new byte[left.length]);
    assertThat(row).isNotEqualTo(new byte[row.length]);
    assertThat(store.verify("other", bytes -> {}).damage()).isEmpty();
  }

  private long firstBlock(String id) throws IOException {
    return JournalFile.read(store.place().files(id).journal()).state().runs().getFirst().block();
  }

  @Test
  void openingAgainAndAgainDoesNotGrowTheJournal() throws IOException {
    make("talk");
    for (int i = 0; i < 2_000; i++) {
      open("talk").close();
    }
    assertThat(Files.size(store.place().files("talk").journal())).isEqualTo(Journal.SMALLEST);
    try (Conversation talk = open("talk")) {
      assertThat(talk.committedTokens()).isEqualTo(160);
      Rows.check(talk.cache().live(), talk.tokens());
    }
  }

  @Test
  void aReaderGoesOnWhereAWriterWroteTheJournalAnew() {
    make("talk");
    try (ConversationReader reader = store.read("talk")) {
      try (Conversation talk = open("talk")) {
        for (int i = 0; i < 3_000; i++) {
          talk.truncate(150);
          Rows.accept(talk, 10, i);
        }
        Rows.prefill(talk);
      }
      reader.refresh();
      assertThat(reader.committedTokens()).isEqualTo(160);
      try (KvView view = reader.view()) {
        Rows.check(view, reader.tokens());
      }
    }
  }
}
