package io.gatun.store;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.gatun.cache.GatunException;
import io.gatun.cache.KvLayout;
import io.gatun.cache.KvShape;
import io.gatun.cache.KvType;
import io.gatun.cache.KvView;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class ConversationTest {
  private static final Fingerprint MODEL = Fingerprint.of("a model");

  @TempDir Path temp;

  private ConversationStore store() {
    return ConversationStore.open(temp.resolve("store"));
  }

  private Conversation open(ConversationStore store) {
    return store.openOrCreate("talk", MODEL, Rows.layout());
  }

  private List<Path> blockFiles() throws IOException {
    try (Stream<Path> files = Files.walk(temp.resolve("store/blocks"))) {
      return files.filter(file -> file.toString().endsWith(".kv")).toList();
    }
  }

  @Test
  void aConversationIsFoundAgainAsItWasLeft() {
    try (Conversation talk = open(store())) {
      assertThat(talk.report().cleanExit()).isTrue();
      Rows.accept(talk, 200, 1);
      Rows.prefill(talk);
      talk.commit();
      assertThat(talk.committedTokens()).isEqualTo(200);
      Rows.accept(talk, 50, 2);
      Rows.prefill(talk, 230);
    }
    try (Conversation talk = open(store())) {
      assertThat(talk.report()).isEqualTo(new OpenReport(true, false, 230, 250, 0, List.of()));
      assertThat(talk.report().tokensToPrefill()).isEqualTo(20);
      Rows.check(talk.cache().live(), talk.tokens());
      Rows.prefill(talk);
      Rows.accept(talk, 500, 3);
      Rows.prefill(talk);
    }
    try (Conversation talk = open(store())) {
      assertThat(talk.cache().length()).isEqualTo(750);
      Rows.check(talk.cache().live(), talk.tokens());
    }
  }

  @ParameterizedTest
  @ValueSource(ints = {0, 1, 63, 64, 65, 100, 127, 128, 150, 199, 200})
  void truncateCutsTokensAndRowsAndGoesOn(int position) throws IOException {
    try (Conversation talk = open(store())) {
      Rows.accept(talk, 200, 1);
      Rows.prefill(talk);
      talk.commit();
      talk.truncate(position);
      assertThat(talk.tokens().count()).isEqualTo(position);
      assertThat(talk.cache().length()).isEqualTo(position);
      Rows.check(talk.cache().live(), talk.tokens());
      Rows.accept(talk, 40, 2);
      Rows.prefill(talk);
      Rows.check(talk.cache().live(), talk.tokens());
    }
    try (Conversation talk = open(store())) {
      assertThat(talk.cache().length()).isEqualTo(position + 40);
      Rows.check(talk.cache().live(), talk.tokens());
      assertThat(blockFiles()).hasSize(talk.cache().live().runs());
    }
  }

  @Test
  void repeatedSmallRollbacksNeedNoFreshBlocks() throws IOException {
    try (Conversation talk = open(store())) {
      Rows.accept(talk, 30, 1);
      Rows.prefill(talk);
      talk.commit();
      for (int i = 0; i < 50; i++) {
        talk.truncate(28);
        Rows.accept(talk, 4, i);
        Rows.prefill(talk);
        talk.commit();
        Rows.check(talk.cache().live(), talk.tokens());
        talk.truncate(30);
      }
      assertThat(talk.cache().live().runs()).isEqualTo(1);
      assertThat(blockFiles()).hasSize(1);
    }
  }

  @Test
  void aViewKeepsItsRowsThroughARollback() {
    try (Conversation talk = open(store())) {
      Rows.accept(talk, 30, 1);
      Rows.prefill(talk);
      talk.commit();
      Tokens before = new Tokens();
      before.replace(0, talk.tokens().toArray(), 0, 30);
      try (KvView view = talk.cache().view()) {
        talk.truncate(20);
        Rows.accept(talk, 10, 2);
        Rows.prefill(talk);
        talk.commit();
        Rows.check(view, before);
        Rows.check(talk.cache().live(), talk.tokens());
      }
    }
  }

  @Test
  void rowsWithoutTokensAreRefused() {
    try (Conversation talk = open(store())) {
      Rows.accept(talk, 10, 1);
      Rows.prefill(talk);
      talk.truncate(5);
      assertThat(talk.cache().length()).isEqualTo(5);
      assertThatThrownBy(() -> talk.accept(-1)).hasMessageContaining("negative");
    }
  }

  @Test
  void asecondWriterIsRefusedWithTheHoldersProcess() {
    try (Conversation _ = open(store())) {
      assertThatThrownBy(() -> open(store()))
          .isInstanceOf(GatunException.class)
          .hasMessageContaining("process %d, this one".formatted(ProcessHandle.current().pid()));
    }
    open(store()).close();
  }

  @Test
  void anotherModelOrTypeIsRefusedWithBothValues() {
    open(store()).close();
    Fingerprint other = Fingerprint.of("another model");
    KvLayout layout = Rows.layout();
    assertThatThrownBy(() -> store().openOrCreate("talk", other, layout))
        .hasMessageContaining(other.with(layout).hex())
        .hasMessageContaining(MODEL.with(layout).hex());
    KvLayout halves = new KvLayout(Rows.SHAPE, KvType.F16, KvType.F16, 64);
    assertThatThrownBy(() -> store().openOrCreate("talk", MODEL, halves))
        .hasMessageContaining("keys f32")
        .hasMessageContaining("keys f16");
    KvLayout wide = new KvLayout(new KvShape(3, 2, 8, 4), KvType.F32, KvType.F32, 64);
    assertThatThrownBy(() -> store().openOrCreate("talk", MODEL, wide))
        .hasMessageContaining("2 layers")
        .hasMessageContaining("3 layers");
  }

  @Test
  void anotherBlockSizeIsNoDifference() {
    open(store()).close();
    KvLayout larger = new KvLayout(Rows.SHAPE, KvType.F32, KvType.F32, 1024);
    try (Conversation talk = store().openOrCreate("talk", MODEL, larger)) {
      assertThat(talk.layout().blockTokens()).isEqualTo(64);
    }
  }

  @ParameterizedTest
  @ValueSource(strings = {"", "..", "a/b", "a b", "ä", ".x", "x.y"})
  void badNamesAreRefused(String id) {
    assertThatThrownBy(() -> store().openOrCreate(id, MODEL, Rows.layout()))
        .isInstanceOf(GatunException.class)
        .hasMessageContaining("cannot name a conversation");
  }

  @Test
  void filesAreForTheirOwnerOnly() throws IOException {
    try (Conversation talk = open(store())) {
      Rows.accept(talk, 100, 1);
      Rows.prefill(talk);
    }
    try (Stream<Path> paths = Files.walk(temp.resolve("store"))) {
      paths.forEach(path -> {
        try {
          String mode = PosixFilePermissions.toString(Files.getPosixFilePermissions(path));
          assertThat(mode)
              .as(path.toString())
              .isEqualTo(Files.isDirectory(path) ? "rwx------" : "rw-------");
        } catch (IOException e) {
          throw new AssertionError(e);
        }
      });
    }
  }

  @Test
  void aStoreThatOthersCanWriteToIsRefused() throws IOException {
    store();
    Files.setPosixFilePermissions(
        temp.resolve("store"), PosixFilePermissions.fromString("rwxrwx---"));
    assertThatThrownBy(this::store).hasMessageContaining("chmod 700");
  }

  @Test
  void linksAreNotFollowed() throws IOException {
    open(store()).close();
    Path folder = temp.resolve("store/conversations/talk");
    Path elsewhere = temp.resolve("elsewhere");
    Files.move(folder, elsewhere);
    Files.createSymbolicLink(folder, elsewhere);
    assertThatThrownBy(() -> open(store())).hasMessageContaining("is a link");
    Files.delete(folder);
    Files.move(elsewhere, folder);
    Files.move(folder.resolve("journal"), temp.resolve("journal"));
    Files.createSymbolicLink(folder.resolve("journal"), temp.resolve("journal"));
    assertThatThrownBy(() -> open(store())).hasMessageContaining("is a link");
  }

  @Test
  void everyNTokensMeansAtMultiplesOfRows() {
    StoreOptions options = StoreOptions.defaults().withCommitEvery(16);
    ConversationStore store = ConversationStore.open(temp.resolve("store"), options);
    try (Conversation talk = open(store)) {
      Rows.accept(talk, 37, 1);
      Rows.prefill(talk);
      long[] committed = new long[100];
      for (int i = 0; i < committed.length; i++) {
        Rows.accept(talk, 1, i);
        Rows.prefill(talk);
        committed[i] = talk.committedTokens();
      }
      assertThat(committed[0]).isEqualTo(37);
      assertThat(java.util.Arrays.stream(committed).distinct())
          .containsExactly(37L, 48L, 64L, 80L, 96L, 112L, 128L);
    }
  }

  @Test
  void interruptsDoNoHarm() {
    try (Conversation talk = open(store())) {
      for (int i = 0; i < 10; i++) {
        Thread.currentThread().interrupt();
        Rows.accept(talk, 40, i);
        Rows.prefill(talk);
        talk.commit();
        assertThat(Thread.interrupted()).isTrue();
      }
      Thread.currentThread().interrupt();
    }
    assertThat(Thread.interrupted()).isTrue();
    try (Conversation talk = open(store())) {
      assertThat(talk.cache().length()).isEqualTo(400);
      Rows.check(talk.cache().live(), talk.tokens());
    }
  }
}
