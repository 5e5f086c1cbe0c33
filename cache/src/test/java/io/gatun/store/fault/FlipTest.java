package io.gatun.store.fault;

import static org.assertj.core.api.Assertions.assertThat;

import io.gatun.cache.GatunException;
import io.gatun.store.Conversation;
import io.gatun.store.ConversationStore;
import io.gatun.store.Rows;
import io.gatun.store.StoreOptions;
import io.gatun.store.StoreOptions.Validation;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.Set;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/**
 * Fault 8: every header bit and every journal byte flipped, every length cut off, bits flipped in
 * blocks: the conversation is refused, or opens in a state that it once had, with the right rows.
 */
class FlipTest {
  private Scratch scratch;
  private Path store;
  private Path journal;
  private List<Path> blocks;
  private Map<String, byte[]> sound;
  private final Set<String> states = new HashSet<>();
  private int refused;
  private int recovered;

  @BeforeEach
  void make() throws IOException {
    scratch = new Scratch();
    store = scratch.folder().resolve("store");
    states.add("0 11 0 11");
    try (Conversation talk = open(Validation.NEVER)) {
      note(talk);
      for (int i = 0; i < 5; i++) {
        Rows.accept(talk, 17, i);
        note(talk);
        Rows.prefill(talk);
        talk.commit();
        note(talk);
      }
      talk.truncate(73);
      note(talk);
      Rows.accept(talk, 9, 9);
      note(talk);
      Rows.prefill(talk, 80);
      talk.commit();
      note(talk);
    }
    journal = store.resolve("conversations/talk/journal");
    blocks = Scratch.files(store.resolve("blocks"));
    sound = Scratch.image(store);
  }

  @AfterEach
  void remove() throws IOException {
    scratch.close();
  }

  private Conversation open(Validation validation) {
    return ConversationStore.open(store, StoreOptions.defaults().withValidation(validation))
        .openOrCreate("talk", Workload.MODEL, Rows.layout());
  }

  private static String state(Conversation talk, int committed) {
    int tokens = talk.tokens().count();
    return "%d %x %d %x"
        .formatted(
            committed,
            Rows.history(talk.tokens(), committed),
            tokens,
            Rows.history(talk.tokens(), tokens));
  }

  private void note(Conversation talk) {
    states.add(state(talk, (int) talk.committedTokens()));
  }

  /** Opens what is there; whatever comes out must be right. Then puts the sound bytes back. */
  private void expectRefusedOrOnceTrue(String what) throws IOException {
    try (Conversation talk = open(Validation.ALWAYS)) {
      Rows.check(talk.cache().live(), talk.tokens());
      int length = (int) talk.cache().length();
      // Damaged rows, and rows that a lost record gave away, cost a prefill; never a token.
      assertThat(states).as(what).anyMatch(state -> sameTokens(state, state(talk, length)));
      recovered++;
    } catch (GatunException e) {
      assertThat(e.getMessage()).as(what).isNotBlank();
      refused++;
    }
    for (Map.Entry<String, byte[]> file : sound.entrySet()) {
      Files.write(store.resolve(file.getKey()), file.getValue());
    }
  }

  private static boolean sameTokens(String one, String other) {
    String[] a = one.split(" ");
    String[] b = other.split(" ");
    return a[2].equals(b[2]) && a[3].equals(b[3]);
  }

  private void flip(Path file, int at, int mask) throws IOException {
    byte[] bytes = Files.readAllBytes(file);
    bytes[at] ^= (byte) mask;
    Files.write(file, bytes);
  }

  private static int end(byte[] journal) {
    int end = journal.length;
    while (journal[end - 1] == 0) {
      end--;
    }
    return end;
  }

  @Test
  void everyHeaderBit() throws IOException {
    for (Path file : List.of(journal, blocks.get(0))) {
      for (int at = 0; at < 4096; at++) {
        boolean used = at < 128 || (at >= 2048 && at < 2056);
        for (int bit = 0;
            bit < 8 && (used || (bit == at % 8 && (Faults.LONG || at % 64 == 0)));
            bit++) {
          flip(file, at, 1 << bit);
          expectRefusedOrOnceTrue("bit %d of byte %d of %s".formatted(bit, at, file));
        }
      }
    }
    System.out.printf("FlipTest: header bits: %d refused, %d recovered%n", refused, recovered);
  }

  @Test
  void everyJournalByte() throws IOException {
    int end = end(sound.get(store.relativize(journal).toString()));
    for (int at = 4096; at < end + 16; at++) {
      for (int mask :
          Faults.LONG ? new int[] {1, 2, 4, 8, 16, 32, 64, 128, 255} : new int[] {1, 128, 255}) {
        flip(journal, at, mask);
        expectRefusedOrOnceTrue("byte %d of the journal ^ %d".formatted(at, mask));
      }
    }
    System.out.printf("FlipTest: journal bytes: %d refused, %d recovered%n", refused, recovered);
    assertThat(refused).isZero();
  }

  @Test
  void everyLength() throws IOException {
    byte[] bytes = sound.get(store.relativize(journal).toString());
    for (int length = 0; length < end(bytes) + 16; length += length < 4000 ? 97 : 1) {
      Files.write(journal, Arrays.copyOf(bytes, length));
      expectRefusedOrOnceTrue("a journal of %d bytes".formatted(length));
    }
    for (Path block : blocks) {
      byte[] whole = sound.get(store.relativize(block).toString());
      for (int length = 0; length < whole.length; length += Faults.LONG ? 13 : 331) {
        Files.write(block, Arrays.copyOf(whole, length));
        expectRefusedOrOnceTrue("a block of %d bytes".formatted(length));
      }
    }
    System.out.printf("FlipTest: lengths: %d refused, %d recovered%n", refused, recovered);
  }

  @Test
  void bitsInBlocks() throws IOException {
    Random random = new Random(Faults.seed(getClass()));
    int rounds = Faults.rounds(1_000, 20_000);
    for (int round = 0; round < rounds; round++) {
      Path block = blocks.get(random.nextInt(blocks.size()));
      int size = sound.get(store.relativize(block).toString()).length;
      int at = random.nextInt(size);
      flip(block, at, 1 << random.nextInt(8));
      expectRefusedOrOnceTrue("byte %d of %s".formatted(at, block));
    }
    System.out.printf("FlipTest: block bits: %d refused, %d recovered%n", refused, recovered);
    assertThat(refused).isZero();
  }
}
