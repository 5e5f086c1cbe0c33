package io.gatun.store;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.gatun.cache.GatunException;
import io.gatun.cache.KvView;
import java.io.IOException;
import java.io.RandomAccessFile;
import java.lang.foreign.MemorySegment;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.Callable;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** Blocks that are mapped when their rows are first used, and what may happen to them before. */
class LateBlocksTest {
  private static final Fingerprint MODEL = Fingerprint.of("a model");

  /** Tokens of the conversation: four full blocks of 64 and a bit. */
  private static final int TOKENS = 300;

  private static final int BAD = 2;

  @TempDir Path temp;

  private ConversationStore store;

  @BeforeEach
  void make() {
    store = ConversationStore.open(temp.resolve("store"));
    try (Conversation talk = open("talk");
        Conversation other = open("other")) {
      for (Conversation one : List.of(talk, other)) {
        Rows.accept(one, TOKENS, one.id().hashCode());
        Rows.prefill(one);
      }
    }
  }

  private Conversation open(String id) {
    return store.openOrCreate(id, MODEL, Rows.layout());
  }

  private Path block(String id, int run) throws IOException {
    JournalFile journal = JournalFile.read(store.place().files(id).journal());
    return store.place().blocks().file(journal.state().runs().get(run).block());
  }

  /** What may become of a block file that nobody has mapped. */
  enum Damage {
    MISSING("is missing"),
    EMPTY("cut off"),
    SHORT("cut off"),
    LONG("is not what it is taken for"),
    HEADER("the header is damaged"),
    NOISE("it does not begin with GATUNBLK"),
    FOREIGN("expected was block"),
    LINK("is a link"),
    FOLDER("is a folder, not a file");

    private final String message;

    Damage(String message) {
      this.message = message;
    }

    void to(Path file, Path foreign) throws IOException {
      byte[] bytes = Files.readAllBytes(file);
      switch (this) {
        case MISSING -> Files.delete(file);
        case EMPTY -> Files.write(file, new byte[0]);
        case SHORT -> {
          try (RandomAccessFile block = new RandomAccessFile(file.toFile(), "rw")) {
            block.setLength(bytes.length - 1);
          }
        }
        case LONG -> Files.write(file, java.util.Arrays.copyOf(bytes, bytes.length + 1));
        case HEADER -> {
          bytes[70] ^= 4;
          Files.write(file, bytes);
        }
        case NOISE -> {
          java.util.Arrays.fill(bytes, (byte) 0x5a);
          Files.write(file, bytes);
        }
        case FOREIGN -> Files.write(file, Files.readAllBytes(foreign));
        case LINK -> {
          Path elsewhere = file.resolveSibling("elsewhere");
          Files.move(file, elsewhere);
          Files.createSymbolicLink(file, elsewhere);
        }
        case FOLDER -> {
          Files.delete(file);
          Files.createDirectory(file);
        }
        default -> throw new AssertionError(this);
      }
    }
  }

  @Test
  void openingAfterACleanExitMapsTheBlockThatMayBeWrittenToOnly() {
    try (Conversation talk = open("talk")) {
      assertThat(talk.cache().live().runs()).isEqualTo(5);
      assertThat(talk.mappedBytes()).isEqualTo(StoreBlocks.fileBytes(Rows.layout()));
      MemorySegment first = talk.cache().live().keys(0);
      assertThat(talk.cache().live().keys(0)).isSameAs(first);
      assertThat(first.isReadOnly()).isTrue();
      assertThat(talk.mappedBytes()).isEqualTo(2 * StoreBlocks.fileBytes(Rows.layout()));
      Rows.check(talk.cache().live(), talk.tokens());
      assertThat(talk.mappedBytes()).isEqualTo(5 * StoreBlocks.fileBytes(Rows.layout()));
    }
  }

  @ParameterizedTest
  @EnumSource(Damage.class)
  void damageBeforeTheFirstUseIsRefusedAndHarmsNothingElse(Damage damage) throws IOException {
    Path file = block("talk", BAD);
    try (Conversation talk = open("talk")) {
      damage.to(file, block("other", BAD));
      KvView live = talk.cache().live();
      for (int tries = 0; tries < 2; tries++) {
        for (Callable<?> use :
            List.<Callable<?>>of(() -> live.keys(BAD), () -> live.values(BAD), () -> check(talk))) {
          assertThatThrownBy(use::call)
              .isInstanceOf(GatunException.class)
              .hasMessageContaining(file.toString())
              .hasMessageContaining(damage.message)
              .hasMessageContaining("Close conversation 'talk' and open it again");
        }
      }
      // The other blocks, and other conversations, are as good as ever.
      live.keys(0);
      live.values(BAD + 1);
      try (Conversation other = open("other")) {
        check(other);
      }
      assertThat(store.verify("other", bytes -> {}).sound()).isTrue();
      assertThat(store.verify("talk", bytes -> {}).damage())
          .singleElement()
          .asString()
          .contains(file.toString());
      // Going on with the conversation is the caller's decision; a commit loses nothing.
      Rows.accept(talk, 10, 5);
    }
    recovers(damage);
  }

  @ParameterizedTest
  @EnumSource(Damage.class)
  void damageBetweenClosingAndOpeningIsRefusedOrCostsRows(Damage damage) throws IOException {
    Path file = block("talk", BAD);
    damage.to(file, block("other", BAD));
    try (Conversation talk = open("talk")) {
      // The file is not the one that the journal vouches for: it was looked at when opening.
      assertThat(talk.report().cleanExit()).isTrue();
      assertThat(talk.report().findings()).singleElement().asString().contains(damage.message);
      assertThat(talk.committedTokens()).isEqualTo(BAD * 64);
      Rows.check(talk.cache().live(), talk.tokens());
      Rows.prefill(talk);
      check(talk);
    }
    assertThat(store.verify("talk", bytes -> {}).sound()).isTrue();
  }

  /** The next opening checks everything and keeps what is before the damage, and all tokens. */
  private void recovers(Damage damage) throws IOException {
    try (Conversation talk = open("talk")) {
      OpenReport report = talk.report();
      assertThat(report.cleanExit()).isFalse();
      assertThat(report.validated()).isTrue();
      assertThat(report.committedTokens()).isEqualTo(BAD * 64);
      assertThat(report.knownTokens()).isEqualTo(TOKENS + 10);
      assertThat(report.findings()).singleElement().asString().contains(damage.message);
      check(talk);
      Rows.prefill(talk);
      check(talk);
    }
    try (Conversation talk = open("talk")) {
      assertThat(talk.report().cleanExit()).isTrue();
      assertThat(talk.report().tokensToPrefill()).isZero();
      check(talk);
    }
    assertThat(store.verify("talk", bytes -> {}).sound()).isTrue();
    assertThat(store.gc(false).findings()).isEmpty();
  }

  @Test
  void damageThatIsNeverUsedIsFoundByVerify() throws IOException {
    try (Conversation _ = open("talk")) {
      Damage.HEADER.to(block("talk", BAD), null);
    }
    assertThat(store.verify("talk", bytes -> {}).soundTokens()).isEqualTo(BAD * 64);
  }

  @Test
  void aRollbackDoesNotHideDamageInTheRowsThatItKeeps() throws IOException {
    Path tail = block("talk", 4);
    try (Conversation talk = open("talk")) {
      // A value of row 3 of the first head; 300 tokens are 44 rows of this block.
      long at = BlockHeader.BYTES + Rows.layout().keyOffset(0, 0, 3);
      try (RandomAccessFile bytes = new RandomAccessFile(tail.toFile(), "rw")) {
        bytes.seek(at);
        int value = bytes.read();
        bytes.seek(at);
        bytes.write(value ^ 1);
      }
      talk.truncate(290);
      Rows.accept(talk, 20, 6);
      Rows.prefill(talk);
    }
    assertThat(store.verify("talk", bytesRead -> {}).soundTokens()).isEqualTo(256);
  }

  @Test
  void aViewKeepsRowsThatWereNeverMappedThroughACut() throws IOException {
    Tokens before = new Tokens();
    KvView view;
    try (Conversation talk = open("talk")) {
      before.replace(0, talk.tokens().toArray(), 0, TOKENS);
      view = talk.cache().view();
      Path file = block("talk", 3);
      talk.truncate(70);
      Rows.accept(talk, 100, 9);
      Rows.prefill(talk);
      talk.commit();
      assertThat(Files.exists(file)).isFalse();
      assertThat(talk.mappedBytes()).isGreaterThan(4 * StoreBlocks.fileBytes(Rows.layout()));
      check(talk);
    }
    store.delete("talk");
    assertThat(store.place().blocks().owners()).hasSize(1);
    Rows.check(view, before);
    view.close();
    assertThatThrownBy(() -> view.keys(0)).isInstanceOf(IllegalStateException.class);
  }

  @Test
  void aCacheCutByItsUserKeepsTheRowsOfItsViews() {
    try (Conversation talk = open("talk")) {
      Tokens before = new Tokens();
      before.replace(0, talk.tokens().toArray(), 0, TOKENS);
      try (KvView view = talk.cache().view()) {
        talk.cache().truncate(64);
        talk.commit();
        Rows.prefill(talk);
        talk.commit();
        Rows.check(view, before);
      }
      check(talk);
    }
  }

  @ParameterizedTest
  @EnumSource(Damage.class)
  void aReaderRefusesDamageWhenItOpensOrWhenItUsesTheBlock(Damage damage) throws IOException {
    damage.to(block("talk", BAD), block("other", BAD));
    assertThatThrownBy(
            () -> {
              try (ConversationReader reader = store.read("talk");
                  KvView view = reader.view()) {
                Rows.check(view, reader.tokens());
              }
            })
        .isInstanceOf(GatunException.class)
        .hasMessageContaining(damage.message);
    try (ConversationReader other = store.read("other");
        KvView view = other.view()) {
      Rows.check(view, other.tokens());
    }
  }

  @Test
  void aReaderKeepsBlocksThatVanishBeforeItUsesThem() {
    try (ConversationReader reader = store.read("talk")) {
      Tokens before = new Tokens();
      before.replace(0, reader.tokens().toArray(), 0, TOKENS);
      try (KvView view = reader.view()) {
        store.delete("talk");
        Rows.check(view, before);
      }
    }
  }

  @Test
  void manyThreadsUseABlockForTheFirstTime() throws Exception {
    int threads = 8;
    for (int round = 0; round < 20; round++) {
      try (Conversation talk = open("talk");
          ExecutorService executor = Executors.newFixedThreadPool(threads)) {
        KvView live = talk.cache().live();
        List<Future<List<MemorySegment>>> results = new ArrayList<>();
        for (int thread = 0; thread < threads; thread++) {
          results.add(
              executor.submit(() -> {
                List<MemorySegment> segments = new ArrayList<>();
                for (int run = 0; run < live.runs(); run++) {
                  segments.add(live.keys(run));
                  segments.add(live.values(run));
                }
                return segments;
              }));
        }
        List<MemorySegment> first = results.get(0).get();
        for (Future<List<MemorySegment>> result : results) {
          for (int i = 0; i < first.size(); i++) {
            assertThat(result.get().get(i)).isSameAs(first.get(i));
          }
        }
        assertThat(talk.mappedBytes()).isEqualTo(5 * StoreBlocks.fileBytes(Rows.layout()));
        check(talk);
      }
    }
  }

  private static Void check(Conversation talk) {
    Rows.check(talk.cache().live(), talk.tokens());
    return null;
  }
}
