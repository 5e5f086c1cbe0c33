package io.gatun.store;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.gatun.cache.GatunException;
import io.gatun.store.StoreOptions.Validation;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.zip.CRC32C;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** A call that is refused gives back the maps and descriptors that it had taken until then. */
class NothingHeldTest {
  private static final Fingerprint MODEL = Fingerprint.of("a model");

  /** Nine blocks of 64: enough that several threads open them. */
  private static final int TOKENS = 9 * 64;

  private static final int BAD = 6;

  @TempDir Path temp;

  private ConversationStore store;

  @BeforeEach
  void make() throws IOException {
    store = open(Validation.AFTER_UNCLEAN_EXIT);
    try (Conversation talk = store.openOrCreate("talk", MODEL, Rows.layout())) {
      Rows.accept(talk, TOKENS, 1);
      Rows.prefill(talk);
      talk.commit();
      if (Files.exists(Path.of("/proc/self/maps"))) {
        assertThat(Held.of(temp)).as("held while it is open").hasSizeGreaterThan(9);
      }
    }
  }

  @AfterEach
  void nothingIsHeld() throws IOException {
    assertThat(Held.of(temp)).isEmpty();
  }

  private ConversationStore open(Validation validation) {
    return ConversationStore.open(
        temp.resolve("store"), StoreOptions.defaults().withValidation(validation));
  }

  private Path block(int run) throws IOException {
    JournalFile journal = JournalFile.read(store.place().files("talk").journal());
    return store.place().blocks().file(journal.state().runs().get(run).block());
  }

  @Test
  void byAReaderThatIsRefusedForALaterBlock() throws IOException {
    Files.delete(block(BAD));
    for (int tries = 0; tries < 3; tries++) {
      assertThatThrownBy(() -> store.read("talk"))
          .isInstanceOf(GatunException.class)
          .hasMessageContaining("missing");
    }
  }

  @Test
  void byAReaderThatIsRefusedWhenItLooksAgain() throws IOException {
    try (Conversation talk = store.openOrCreate("talk", MODEL, Rows.layout());
        ConversationReader reader = store.read("talk")) {
      Rows.accept(talk, 200, 2);
      Rows.prefill(talk);
      talk.commit();
      Files.delete(block(10));
      assertThatThrownBy(reader::refresh).isInstanceOf(GatunException.class);
      reader.view().close();
    }
  }

  @Test
  void byAnOpeningThatIsRefusedForABlockOfANewerFormat() throws IOException {
    Path file = block(BAD);
    byte[] bytes = Files.readAllBytes(file);
    ByteBuffer header = ByteBuffer.wrap(bytes).order(ByteOrder.LITTLE_ENDIAN);
    header.putInt(8, BlockHeader.VERSION + 1);
    CRC32C crc = new CRC32C();
    crc.update(bytes, 0, 124);
    header.putInt(124, (int) crc.getValue());
    Files.write(file, bytes);
    for (int tries = 0; tries < 3; tries++) {
      assertThatThrownBy(() -> open(Validation.ALWAYS).openOrCreate("talk", MODEL, Rows.layout()))
          .isInstanceOf(NewerFormatException.class);
    }
  }

  @Test
  void byAnOpeningThatGivesUpDamagedRows() throws IOException {
    Path file = block(BAD);
    byte[] bytes = Files.readAllBytes(file);
    bytes[BlockHeader.BYTES + 3] ^= 4;
    Files.write(file, bytes);
    try (Conversation talk = open(Validation.ALWAYS).openOrCreate("talk", MODEL, Rows.layout())) {
      assertThat(talk.committedTokens()).isEqualTo(BAD * 64);
    }
  }

  @Test
  void byAConversationOfAnotherModel() {
    assertThatThrownBy(() -> store.openOrCreate("talk", Fingerprint.of("other"), Rows.layout()))
        .hasMessageContaining("another model");
  }

  @Test
  void closingGoesOnWhileAnotherThreadAsksForFigures() throws Exception {
    AtomicBoolean done = new AtomicBoolean();
    try (ExecutorService executor = Executors.newSingleThreadExecutor()) {
      Future<?> asking =
          executor.submit(() -> {
            while (!done.get()) {
              store.stats();
            }
          });
      try {
        for (int round = 0; round < 100; round++) {
          try (Conversation talk = store.openOrCreate("talk", MODEL, Rows.layout())) {
            Rows.check(talk.cache().live(), talk.tokens());
          }
        }
      } finally {
        done.set(true);
      }
      asking.get();
    }
  }
}
