package io.gatun.store.fault;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.gatun.cache.GatunException;
import io.gatun.cache.KvView;
import io.gatun.store.Conversation;
import io.gatun.store.ConversationReader;
import io.gatun.store.ConversationStore;
import io.gatun.store.Rows;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Stores that a failed test kept, looked at again; see {@link Faults#keeping}. */
class FixtureTest {
  @TempDir Path temp;

  /** Reads, verifies and opens every conversation; each must be right or be refused. */
  private static int replay(Path folder) {
    ConversationStore store = ConversationStore.open(folder);
    int sound = 0;
    for (String id : store.ids()) {
      try (ConversationReader reader = store.read(id);
          KvView view = reader.view()) {
        Rows.check(view, reader.tokens());
      } catch (GatunException e) {
        System.out.printf("FixtureTest: reading %s: %s%n", id, e.getMessage());
      }
      store.verify(id, bytes -> {}).damage().forEach(damage -> System.out.println(damage));
      try (Conversation talk = store.openOrCreate(id, Workload.MODEL, Rows.layout())) {
        Rows.check(talk.cache().live(), talk.tokens());
        sound++;
      } catch (GatunException e) {
        System.out.printf("FixtureTest: opening %s: %s%n", id, e.getMessage());
      }
    }
    return sound;
  }

  @Test
  void theNamedFixture() throws IOException {
    String fixture = System.getProperty("gatun.fault.fixture");
    if (fixture != null) {
      Path copy = temp.resolve("copy");
      Scratch.restore(Scratch.image(Path.of(fixture)), copy);
      System.out.printf("FixtureTest: %d conversations are right%n", replay(copy));
    }
  }

  @Test
  void aFailureKeepsItsStoreAndSaysHowToRepeatIt() throws Exception {
    Path folder = temp.resolve("store");
    try (Conversation talk =
        ConversationStore.open(folder).openOrCreate("talk", Workload.MODEL, Rows.layout())) {
      Rows.accept(talk, 100, 1);
      Rows.prefill(talk);
      talk.commit();
      assertThatThrownBy(() ->
              Faults.keeping(
                  getClass(),
                  17,
                  folder,
                  () -> {
                    throw new IOException("a failure");
                  }))
          .isInstanceOf(AssertionError.class)
          .hasMessageContaining("-Dgatun.fault.seed=17")
          .hasMessageContaining("-Dgatun.fault.fixture=");
    }
    Path kept = Path.of("target", "fault", "FixtureTest-17");
    assertThat(replay(kept)).isEqualTo(1);
    try (Stream<Path> files = Files.walk(kept)) {
      assertThat(files.filter(file -> file.toString().endsWith(".kv"))).hasSize(2);
    }
    Scratch.delete(kept);
  }
}
