package io.gatun.store.fault;

import static org.assertj.core.api.Assertions.assertThat;

import io.gatun.cache.GatunException;
import io.gatun.cache.KvView;
import io.gatun.store.Conversation;
import io.gatun.store.ConversationReader;
import io.gatun.store.ConversationStore;
import io.gatun.store.Held;
import io.gatun.store.Rows;
import io.gatun.store.StoreOptions;
import io.gatun.store.StoreOptions.Validation;
import java.io.IOException;
import java.lang.foreign.ValueLayout;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.TreeMap;
import org.junit.jupiter.api.Test;

/**
 * Fault 9: a seeded fuzzer damages whole store folders; every operation must then work on the truth
 * or refuse with a message. A failure prints the seed of its round, which {@code
 * -Dgatun.fault.seed=N -Dgatun.fault.rounds=1} replays.
 */
class FuzzTest {
  private static final String[] IDS = {"a", "b", "c"};

  @Test
  void noDamageIsMistakenForAConversation() throws IOException {
    long first = Faults.seed(getClass());
    int most = Integer.getInteger("gatun.fault.rounds", Integer.MAX_VALUE);
    int rounds = 0;
    int opened = 0;
    int refused = 0;
    WorkClock clock = new WorkClock(Faults.seconds(60, 3_600));
    try (Scratch scratch = new Scratch()) {
      Path live = scratch.folder().resolve("live");
      Map<String, byte[]> image = make(live);
      Path folder = scratch.folder().resolve("damaged");
      for (long seed = first; clock.step() && rounds < most; seed++, rounds++) {
        Random random = new Random(seed);
        Map<String, byte[]> damaged = new TreeMap<>(image);
        for (int i = random.nextInt(3) + 1; i > 0; i--) {
          damage(damaged, random);
        }
        Scratch.restore(damaged, folder);
        try {
          for (boolean done : use(folder, random)) {
            if (done) {
              opened++;
            } else {
              refused++;
            }
          }
          assertThat(Held.of(folder)).as("held after everything was closed").isEmpty();
        } catch (IOException | RuntimeException | Error e) {
          throw new AssertionError("round with -Dgatun.fault.seed=" + seed, e);
        }
      }
    }
    System.out.printf(
        "FuzzTest: %,d damaged stores, %,d conversations opened, %,d refused, nothing held; %s%n",
        rounds, opened, refused, clock);
    assertThat(opened).isPositive();
  }

  /** Three conversations that share blocks, with rollbacks behind them. */
  private static Map<String, byte[]> make(Path folder) throws IOException {
    ConversationStore store = ConversationStore.open(folder);
    try (Conversation a = store.openOrCreate("a", Workload.MODEL, Rows.layout())) {
      for (int i = 0; i < 6; i++) {
        Rows.accept(a, 25, i);
        Rows.prefill(a);
        a.commit();
        a.truncate(a.tokens().count() - 3);
      }
    }
    store.fork("a", "b", 90);
    try (Conversation b = store.openOrCreate("b", Workload.MODEL, Rows.layout())) {
      Rows.accept(b, 60, 77);
      Rows.prefill(b, 130);
    }
    store.fork("b", "c", 100);
    return Scratch.image(folder);
  }

  private static void damage(Map<String, byte[]> image, Random random) {
    List<String> names = List.copyOf(image.keySet());
    String name = names.get(random.nextInt(names.size()));
    byte[] bytes = image.get(name).clone();
    int used = bytes.length;
    while (used > 0 && bytes[used - 1] == 0) {
      used--;
    }
    int at = random.nextInt(Math.max(1, used));
    int length = 1 + random.nextInt(Math.max(1, Math.min(4096, used - at)));
    switch (random.nextInt(9)) {
      case 0 -> image.remove(name);
      case 1 -> image.put(name, Arrays.copyOf(bytes, at));
      case 2 -> image.put(name, Arrays.copyOf(bytes, bytes.length + random.nextInt(5000)));
      case 3 -> image.put(name, image.get(names.get(random.nextInt(names.size()))));
      case 4 -> {
        // A piece of another file, as from a mixed-up block device.
        byte[] other = image.get(names.get(random.nextInt(names.size())));
        if (bytes.length > 0 && other.length > 0) {
          int n =
              Math.min(
                  length, Math.min(bytes.length - Math.min(at, bytes.length - 1), other.length));
          System.arraycopy(other, 0, bytes, Math.min(at, bytes.length - n), n);
          image.put(name, bytes);
        }
      }
      case 5 -> {
        Arrays.fill(
            bytes, Math.min(at, bytes.length), Math.min(at + length, bytes.length), (byte) 0);
        image.put(name, bytes);
      }
      case 6 -> {
        for (int i = Math.min(at, bytes.length); i < Math.min(at + length, bytes.length); i++) {
          bytes[i] = (byte) random.nextInt();
        }
        image.put(name, bytes);
      }
      default -> {
        for (int i = random.nextInt(8); i >= 0 && used > 0; i--) {
          bytes[random.nextInt(used)] ^= (byte) (1 << random.nextInt(8));
        }
        image.put(name, bytes);
      }
    }
  }

  private static List<Boolean> use(Path folder, Random random) throws IOException {
    ConversationStore store =
        ConversationStore.open(folder, StoreOptions.defaults().withValidation(Validation.ALWAYS));
    store.list();
    if (random.nextBoolean()) {
      store.gc(false);
    }
    if (random.nextBoolean()) {
      for (String id : IDS) {
        useLate(ConversationStore.open(folder), id, random);
      }
    }
    Boolean[] done = new Boolean[IDS.length];
    for (int i = 0; i < IDS.length; i++) {
      done[i] = use(store, IDS[i], random);
    }
    if (random.nextBoolean()) {
      fork(store, IDS[random.nextInt(IDS.length)], random);
    }
    store.gc(false);
    return Arrays.asList(done);
  }

  /** Forks one, as it is by now, and uses the fork while its parent is read. */
  private static void fork(ConversationStore store, String id, Random random) {
    try {
      long known = store.info(id).tokens();
      store.fork(id, "fork", random.nextLong(known + 1));
      try (ConversationReader reader = store.read(id);
          Conversation fork = store.openOrCreate("fork", Workload.MODEL, Rows.layout())) {
        Rows.check(fork.cache().live(), fork.tokens());
        Rows.accept(fork, 20, random.nextLong());
        Rows.prefill(fork);
        fork.commit();
        reader.refresh();
        fork.cache().view().close();
        Rows.check(fork.cache().live(), fork.tokens());
      }
      store.truncate("fork", random.nextInt(20));
      store.delete(random.nextBoolean() ? "fork" : id);
    } catch (GatunException e) {
      assertThat(e.getMessage()).isNotBlank();
    }
  }

  /**
   * Opens as usual, where blocks are mapped when first used, and uses all of them. Rows are not
   * compared, since damage inside them is found by checksums only; what comes after does that.
   */
  private static void useLate(ConversationStore store, String id, Random random) {
    if (!store.exists(id)) {
      return;
    }
    try (Conversation talk = store.openOrCreate(id, Workload.MODEL, Rows.layout())) {
      try (KvView view = talk.cache().view()) {
        for (int run = 0; run < view.runs(); run++) {
          try {
            assertThat(view.keys(run).get(ValueLayout.JAVA_BYTE, 0)).isNotNull();
            view.values(run);
          } catch (GatunException e) {
            assertThat(e.getMessage()).contains("first used");
          }
        }
      }
      if (random.nextBoolean()) {
        talk.truncate(random.nextInt(talk.tokens().count() + 1));
      }
    } catch (GatunException e) {
      assertThat(e.getMessage()).isNotBlank();
    }
  }

  private static boolean use(ConversationStore store, String id, Random random) {
    try {
      if (store.exists(id)) {
        store.verify(id, bytes -> {});
        try (ConversationReader reader = store.read(id)) {
          reader.view().close();
        }
      }
    } catch (GatunException e) {
      assertThat(e.getMessage()).isNotBlank();
    }
    try (Conversation talk = store.openOrCreate(id, Workload.MODEL, Rows.layout())) {
      Rows.check(talk.cache().live(), talk.tokens());
      if (random.nextBoolean()) {
        talk.truncate(random.nextInt(talk.tokens().count() + 1));
      }
      Rows.accept(talk, 30, random.nextLong());
      Rows.prefill(talk);
      Rows.check(talk.cache().live(), talk.tokens());
    } catch (GatunException e) {
      assertThat(e.getMessage()).isNotBlank();
      return false;
    }
    try (Conversation talk = store.openOrCreate(id, Workload.MODEL, Rows.layout())) {
      Rows.check(talk.cache().live(), talk.tokens());
      assertThat(talk.cache().length()).isEqualTo(talk.tokens().count());
    }
    return true;
  }

  @Test
  void copiesMadeByHandAreRefused() throws IOException {
    try (Scratch scratch = new Scratch()) {
      Path folder = scratch.folder().resolve("store");
      Map<String, byte[]> image = make(folder);
      image.put("conversations/d/journal", image.get("conversations/a/journal"));
      Scratch.restore(image, folder);
      ConversationStore store = ConversationStore.open(folder);
      for (String id : List.of("a", "d")) {
        assertThat(
                org.assertj.core.api.Assertions.catchThrowable(
                    () -> store.openOrCreate(id, Workload.MODEL, Rows.layout())))
            .hasMessageContaining("copies of each other");
      }
      store.delete("d");
      try (Conversation a = store.openOrCreate("a", Workload.MODEL, Rows.layout())) {
        Rows.check(a.cache().live(), a.tokens());
        assertThat(a.report().tokensToPrefill()).isZero();
      }
      assertThat(Files.exists(folder.resolve("conversations/d"))).isFalse();
    }
  }
}
