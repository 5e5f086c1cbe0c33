package io.gatun.store.fault;

import static org.assertj.core.api.Assertions.assertThat;

import io.gatun.cache.GatunException;
import io.gatun.cache.KvView;
import io.gatun.store.Conversation;
import io.gatun.store.ConversationReader;
import io.gatun.store.ConversationStore;
import io.gatun.store.Rows;
import io.gatun.store.StoreOptions;
import io.gatun.store.Tokens;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.Set;
import org.junit.jupiter.api.Test;

/**
 * Plain copies of a store in use, by programs that know nothing of it: whatever they read between
 * which operations, the copy opens with token ids as they once were and with rows that belong to
 * them, or it is refused. {@code -Dgatun.fault.seed} repeats a run, with one round.
 */
class CopiedStoreTest {
  private static final String[] IDS = {"a", "b", "c"};

  private ConversationStore store;
  private Random random;
  private final Map<String, Conversation> open = new HashMap<>();

  /** The token ids that each conversation had at one time or other, as a digest. */
  private final Map<String, Set<String>> history = new HashMap<>();

  private final List<String> done = new ArrayList<>();
  private int opened;
  private int refused;
  private int fewerRows;
  private int reused;

  @Test
  void aCopyOpensWithWhatOnceWasOrIsRefused() throws Exception {
    long first = Faults.seed(getClass());
    int rounds = Long.getLong("gatun.fault.seed") == null ? Faults.rounds(150, 5_000) : 1;
    try (Scratch scratch = new Scratch()) {
      for (int round = 0; round < rounds; round++) {
        long seed = first + round;
        Path copy = scratch.folder().resolve("copy");
        Scratch.delete(copy);
        Scratch.delete(scratch.folder().resolve("store"));
        try {
          Faults.keeping(getClass(), seed, copy, () -> round(scratch.folder(), seed));
        } catch (AssertionError e) {
          throw new AssertionError("seed %d, after %s".formatted(seed, String.join(", ", done)), e);
        }
      }
    }
    System.out.printf(
        "CopiedStoreTest: %,d copies of %,d conversations opened, %,d with fewer rows than ids, %,d"
            + " refused; %,d prefixes reused%n",
        rounds, opened, fewerRows, refused, reused);
    assertThat(opened).isGreaterThan(rounds / 2);
  }

  /**
   * The copies of two journals are of different times: in one, the last block is still open from row
   * 30 on; in the other, rows up to 60 of it were handed to a fork. The block's own note of that came
   * after it was copied.
   */
  @Test
  void aCopyOfAnOlderJournalDoesNotWriteOverTheRowsOfANewerOnesFork() throws IOException {
    try (Scratch scratch = new Scratch()) {
      Path from = scratch.folder().resolve("store");
      Path to = scratch.folder().resolve("copy");
      ConversationStore source = ConversationStore.open(from);
      ConversationStore copy = ConversationStore.open(to);
      grow(source, "a", 30, 1);
      copy(from, to, "conversations/a");
      grow(source, "a", 30, 2);
      copy(from, to, "blocks");
      source.fork("a", "b");
      copy(from, to, "conversations/b");
      try (Conversation fork = copy.openOrCreate("b", Workload.MODEL, Rows.layout())) {
        long rows = fork.cache().length();
        Rows.check(fork.cache().live(), fork.tokens());
        grow(copy, "a", 20, 3);
        Rows.check(fork.cache().live(), fork.tokens());
        assertThat(rows).isEqualTo(60);
      }
    }
  }

  private static void grow(ConversationStore store, String id, int tokens, long seed) {
    try (Conversation talk = store.openOrCreate(id, Workload.MODEL, Rows.layout())) {
      Rows.accept(talk, tokens, seed);
      Rows.prefill(talk);
    }
  }

  private static void copy(Path from, Path to, String part) throws IOException {
    for (Path file : Scratch.files(from.resolve(part))) {
      Path target = to.resolve(from.relativize(file));
      Files.createDirectories(target.getParent());
      Files.copy(file, target, StandardCopyOption.COPY_ATTRIBUTES);
    }
  }

  private void round(Path folder, long seed) throws IOException {
    random = new Random(seed);
    open.clear();
    history.clear();
    done.clear();
    StoreOptions options =
        StoreOptions.defaults()
            .withTokenDelay(random.nextBoolean() ? Duration.ZERO : Duration.ofHours(1));
    store = ConversationStore.open(folder.resolve("store"), options);
    Path copy = folder.resolve("copy");
    int before = random.nextInt(12);
    for (int i = 0; i < before; i++) {
      operation();
    }
    int passes = 1 + random.nextInt(2);
    for (int pass = 0; pass < passes; pass++) {
      // How many steps go to an operation: a copier may be much faster, or much slower.
      int pace = new int[] {1, 3, 10, 40}[random.nextInt(4)];
      try (Copier copier = new Copier(store.folder(), copy, random)) {
        done.add("COPY " + copier);
        boolean more = true;
        while (more) {
          if (random.nextInt(pace) == 0) {
            operation();
          }
          more = copier.step();
        }
        done.add("COPIED");
      }
      if (pass + 1 < passes && random.nextBoolean()) {
        // What a second pass is copied over was in use.
        use(copy);
      }
    }
    List.copyOf(open.values()).forEach(Conversation::close);
    use(copy);
    use(copy);
  }

  private void operation() {
    String id = IDS[random.nextInt(IDS.length)];
    switch (random.nextInt(12)) {
      case 0 -> fork(id, IDS[random.nextInt(IDS.length)]);
      case 1 -> delete(id);
      case 2, 3 -> close(id);
      case 4, 5, 6 -> truncate(talk(id));
      default -> append(talk(id));
    }
  }

  private Conversation talk(String id) {
    return open.computeIfAbsent(
        id,
        name -> {
          done.add("open " + name);
          Conversation talk = store.openOrCreate(name, Workload.MODEL, Rows.layout());
          note(name, talk.tokens());
          return talk;
        });
  }

  private void append(Conversation talk) {
    int count = 1 + random.nextInt(random.nextBoolean() ? 20 : 120);
    done.add("%s accepts %d".formatted(talk.id(), count));
    Rows.accept(talk, count, random.nextLong());
    note(talk.id(), talk.tokens());
    Rows.prefill(talk, talk.tokens().count() - random.nextInt(3) * random.nextInt(10));
    if (random.nextInt(4) > 0) {
      done.add("commits " + talk.cache().length());
      talk.commit();
    }
  }

  private void truncate(Conversation talk) {
    int tokens = talk.tokens().count();
    int to = Math.max(0, tokens - random.nextInt(random.nextBoolean() ? 20 : 150));
    done.add("%s cut from %d to %d".formatted(talk.id(), tokens, to));
    talk.truncate(to);
    note(talk.id(), talk.tokens());
    if (random.nextBoolean()) {
      append(talk);
    }
  }

  private void close(String id) {
    if (open.containsKey(id)) {
      done.add("close " + id);
      open.remove(id).close();
    }
  }

  private void fork(String id, String newId) {
    if (id.equals(newId)) {
      return;
    }
    delete(newId);
    Conversation source = talk(id);
    int at = random.nextInt(source.tokens().count() + 1);
    done.add("fork %s to %s at %d".formatted(id, newId, at));
    store.fork(id, newId, at);
    history.computeIfAbsent(newId, name -> new HashSet<>()).add(digest(source.tokens(), at));
  }

  private void delete(String id) {
    close(id);
    if (store.exists(id)) {
      done.add("delete " + id);
      store.delete(id);
    }
  }

  private void note(String id, Tokens tokens) {
    history.computeIfAbsent(id, name -> new HashSet<>()).add(digest(tokens, tokens.count()));
  }

  private static String digest(Tokens tokens, int count) {
    return "%d ids, %016x".formatted(count, Rows.history(tokens, count));
  }

  /** Uses a copy in all ways, in any order: as a reader, for prefixes, as a writer. */
  private void use(Path copy) {
    ConversationStore there = ConversationStore.open(copy);
    List<Runnable> ways = new ArrayList<>();
    for (String id : IDS) {
      if (!there.exists(id)) {
        continue;
      }
      ways.add(() -> refusable("read " + id, () -> read(there, id)));
      ways.add(() -> refusable("reuse " + id, () -> reuse(there, id)));
      ways.add(() -> refusable("go on with " + id, () -> goOn(there, id)));
    }
    java.util.Collections.shuffle(ways, random);
    ways.forEach(Runnable::run);
  }

  private void refusable(String what, Runnable way) {
    done.add(what);
    try {
      way.run();
      opened++;
    } catch (GatunException e) {
      // By name: which file, and what about it.
      assertThat(e.getMessage()).containsAnyOf("copy", "conversation");
      done.add("refused: " + e.getMessage());
      refused++;
    }
  }

  private void read(ConversationStore there, String id) {
    try (ConversationReader reader = there.read(id);
        KvView view = reader.view()) {
      Rows.check(view, reader.tokens());
      requireKnown(id, reader.tokens());
    }
  }

  private void requireKnown(String id, Tokens tokens) {
    String found = digest(tokens, tokens.count());
    assertThat(history.get(id)).as("token ids of %s", id).contains(found);
  }

  /** A new conversation takes the rows of a prefix that the copied one claims to have. */
  private void reuse(ConversationStore there, String id) {
    int[] prompt;
    try (ConversationReader reader = there.read(id)) {
      prompt = reader.tokens().toArray();
    } catch (GatunException e) {
      // The journal's own claim, then: what a reader refuses must not be handed on either.
      try (Conversation talk = there.openOrCreate(id, Workload.MODEL, Rows.layout())) {
        prompt = talk.tokens().toArray();
      }
    }
    String name = "new-" + random.nextInt(1 << 30);
    try (Conversation made = there.openOrCreate(name, Workload.MODEL, Rows.layout(), prompt)) {
      reused += made.report().reusedTokens() > 0 ? 1 : 0;
      assertThat(made.cache().length()).isLessThanOrEqualTo(made.tokens().count());
      Rows.check(made.cache().live(), made.tokens());
    }
    there.delete(name);
  }

  private void goOn(ConversationStore there, String id) {
    int count;
    try (Conversation talk = there.openOrCreate(id, Workload.MODEL, Rows.layout())) {
      requireKnown(id, talk.tokens());
      Rows.check(talk.cache().live(), talk.tokens());
      if (talk.cache().length() < talk.tokens().count()) {
        fewerRows++;
      }
      Rows.accept(talk, 1 + random.nextInt(80), random.nextLong());
      Rows.prefill(talk);
      talk.commit();
      count = talk.tokens().count();
      note(id, talk.tokens());
    }
    try (Conversation talk = there.openOrCreate(id, Workload.MODEL, Rows.layout())) {
      assertThat(talk.cache().length()).isEqualTo(count);
      Rows.check(talk.cache().live(), talk.tokens());
    }
  }
}
