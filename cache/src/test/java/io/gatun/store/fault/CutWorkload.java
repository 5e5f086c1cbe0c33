package io.gatun.store.fault;

import io.gatun.store.Conversation;
import io.gatun.store.ConversationReader;
import io.gatun.store.ConversationStore;
import io.gatun.store.Rows;
import io.gatun.store.StoreOptions;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.stream.IntStream;
import java.util.stream.Stream;

/**
 * A seeded mix of what names come and go by: a store's first creation in folders that are not
 * there, new conversations, forks, renames, deletions; commits between them, and readers that say
 * what they were shown. Says what it does as {@link Workload} does, and also
 *
 * <pre>
 *   R id committed hash tokens hash    a reader was shown this
 * </pre>
 *
 * Arguments: store, seed. It goes on until it is killed.
 */
public final class CutWorkload {
  private static final int IDS = 5;

  private final ConversationStore store;
  private final Random random;
  private final Map<String, Conversation> open = new HashMap<>();
  private final Map<String, ConversationReader> readers = new HashMap<>();

  private CutWorkload(ConversationStore store, long seed) {
    this.store = store;
    this.random = new Random(seed);
  }

  /** Runs it. */
  public static void main(String[] args) {
    // Half of them accept without forcing each id.
    long seed = Long.parseLong(args[1]);
    StoreOptions options =
        StoreOptions.defaults().withTokenDelay(Duration.ofMillis(seed % 2 == 0 ? 0 : 50));
    CutWorkload workload = new CutWorkload(ConversationStore.open(Path.of(args[0]), options), seed);
    workload.run();
  }

  private void run() {
    for (String id : store.ids()) {
      state('F', conversation(id));
    }
    System.out.println("READY");
    while (true) {
      step("c" + random.nextInt(IDS));
    }
  }

  private void step(String id) {
    switch (random.nextInt(16)) {
      case 0, 1 -> fork(id);
      case 2 -> delete(id);
      case 3, 4 -> rename(id);
      case 5 -> close(conversation(id));
      case 6, 7 -> truncate(conversation(id));
      case 8, 9, 10 -> read(id);
      case 11 -> store.gc(false);
      default -> append(conversation(id));
    }
  }

  private Conversation conversation(String id) {
    return open.computeIfAbsent(
        id,
        name -> {
          if (!store.exists(name)) {
            say('P', name, 0, new int[0]);
          }
          Conversation made = store.openOrCreate(name, Workload.MODEL, Rows.layout());
          state('F', made);
          return made;
        });
  }

  private void append(Conversation talk) {
    int[] more = random.ints(1 + random.nextInt(80), 0, 50_000).toArray();
    int[] tokens =
        IntStream.concat(IntStream.of(talk.tokens().toArray()), IntStream.of(more)).toArray();
    say('P', talk.id(), talk.committedTokens(), tokens);
    talk.accept(more, 0, more.length);
    state('U', talk);
    Rows.prefill(talk);
    say('P', talk.id(), talk.cache().length(), tokens);
    talk.commit();
    state('F', talk);
  }

  private void truncate(Conversation talk) {
    int tokens = talk.tokens().count();
    int to = Math.max(0, tokens - random.nextInt(random.nextBoolean() ? 12 : 150));
    int[] left = Arrays.copyOf(talk.tokens().toArray(), to);
    say('P', talk.id(), Math.min(to, talk.committedTokens()), left);
    talk.truncate(to);
    state('U', talk);
  }

  private void close(Conversation talk) {
    int[] tokens = talk.tokens().toArray();
    long length = talk.cache().length();
    say('P', talk.id(), length, tokens);
    talk.close();
    open.remove(talk.id());
    say('F', talk.id(), length, tokens);
  }

  private String free(String besides) {
    List<String> free = new ArrayList<>();
    for (int i = 0; i < IDS; i++) {
      if (!store.exists("c" + i) && !besides.equals("c" + i)) {
        free.add("c" + i);
      }
    }
    if (free.isEmpty()) {
      String id = Stream.of("c0", "c1").filter(name -> !name.equals(besides)).findFirst().get();
      delete(id);
      return id;
    }
    return free.get(random.nextInt(free.size()));
  }

  private void fork(String id) {
    Conversation source = conversation(id);
    String newId = free(id);
    int at = random.nextInt(source.tokens().count() + 1);
    int[] tokens = Arrays.copyOf(source.tokens().toArray(), at);
    long committed = Math.min(at, source.committedTokens());
    say('P', newId, committed, tokens);
    store.fork(id, newId, at);
    say('F', newId, committed, tokens);
  }

  private void rename(String id) {
    Conversation source = conversation(id);
    int[] tokens = source.tokens().toArray();
    long length = source.cache().length();
    String newId = free(id);
    close(source);
    say('P', newId, length, tokens);
    say('P', id, -1, new int[0]);
    forget(id);
    store.rename(id, newId);
    say('F', newId, length, tokens);
    say('F', id, -1, new int[0]);
  }

  private void delete(String id) {
    if (store.exists(id)) {
      close(conversation(id));
      say('P', id, -1, new int[0]);
      forget(id);
      store.delete(id);
      say('F', id, -1, new int[0]);
    }
  }

  private void forget(String id) {
    ConversationReader reader = readers.remove(id);
    if (reader != null) {
      reader.close();
    }
  }

  /** A reader that stays, beside the writer. */
  private void read(String id) {
    if (!store.exists(id)) {
      return;
    }
    ConversationReader reader = readers.get(id);
    if (reader == null) {
      reader = store.read(id);
      readers.put(id, reader);
    } else {
      reader.refresh();
    }
    say('R', id, reader.committedTokens(), reader.tokens().toArray());
  }

  private static void state(char kind, Conversation talk) {
    say(kind, talk.id(), talk.committedTokens(), talk.tokens().toArray());
  }

  private static void say(char kind, String id, long committed, int[] tokens) {
    System.out.println(kind + " " + id + " " + CutExpectation.state(committed, tokens));
  }
}
