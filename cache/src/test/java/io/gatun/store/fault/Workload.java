package io.gatun.store.fault;

import io.gatun.store.Conversation;
import io.gatun.store.ConversationStore;
import io.gatun.store.Eviction;
import io.gatun.store.EvictionShortfallException;
import io.gatun.store.Fingerprint;
import io.gatun.store.Rows;
import io.gatun.store.StoreFailedException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.stream.Stream;

/**
 * A seeded mix of operations on a store, run in a process of its own that gets killed. Says on
 * stdout what it is about to do and what it was told is done, a line each:
 *
 * <pre>
 *   P id committed hash tokens hash    about to lead to this state
 *   U id committed hash tokens hash    in this state; only a machine that stays up keeps it
 *   F id committed hash tokens hash    in this state, on disk
 * </pre>
 *
 * {@code committed} is -1 where the conversation does not exist. Arguments: store, seed, operations
 * (-1 for no end), and "shared" if others read the store meanwhile: what they read is not evicted.
 */
public final class Workload {
  static final Fingerprint MODEL = Fingerprint.of("fault suite");
  private static final String[] IDS = {"a", "b", "c", "d"};

  private final ConversationStore store;
  private final Random random;
  private final Map<String, Conversation> open = new HashMap<>();

  private final boolean shared;

  private Workload(ConversationStore store, long seed, boolean shared) {
    this.store = store;
    this.shared = shared;
    this.random = new Random(seed);
  }

  /** Runs it. Exit code 3 says that the store refused to go on, as it must after a failed write. */
  public static void main(String[] args) {
    Workload workload =
        new Workload(
            ConversationStore.open(Path.of(args[0])), Long.parseLong(args[1]), args.length > 3);
    try {
      workload.run(Long.parseLong(args[2]));
    } catch (StoreFailedException e) {
      System.out.println("FAILED " + e.getMessage());
      workload.requirePoisoned();
      System.exit(3);
    }
    System.out.println("END");
  }

  private void run(long operations) {
    for (String id : IDS) {
      if (store.exists(id)) {
        state('F', conversation(id));
      }
    }
    System.out.println("READY");
    for (long i = 0; i != operations; i++) {
      step(IDS[random.nextInt(IDS.length)]);
    }
    for (Conversation conversation : List.copyOf(open.values())) {
      close(conversation);
    }
  }

  private void step(String id) {
    switch (random.nextInt(20)) {
      case 0 -> fork(id, IDS[random.nextInt(IDS.length)]);
      case 1 -> delete(id);
      case 2 -> close(conversation(id));
      case 3, 4, 5 -> truncate(conversation(id));
      case 6 -> store.gc(false);
      case 7 -> evict(conversation(id));
      default -> append(conversation(id));
    }
  }

  private Conversation conversation(String id) {
    return open.computeIfAbsent(
        id,
        name -> {
          if (!store.exists(name)) {
            announce('P', name, 0, 17, 0, 17);
          }
          Conversation made = store.openOrCreate(name, MODEL, Rows.layout());
          state('F', made);
          return made;
        });
  }

  private void append(Conversation talk) {
    int[] ids = random.ints(1 + random.nextInt(60), 0, 50_000).toArray();
    long hash = Rows.history(talk.tokens(), talk.tokens().count());
    for (int id : ids) {
      hash = Rows.next(hash, id);
    }
    long committed = talk.committedTokens();
    long committedHash = Rows.history(talk.tokens(), (int) committed);
    announce('P', talk.id(), committed, committedHash, talk.tokens().count() + ids.length, hash);
    talk.accept(ids, 0, ids.length);
    state('U', talk);
    int rows = talk.tokens().count() - random.nextInt(3) * random.nextInt(20);
    Rows.prefill(talk, rows);
    if (random.nextInt(3) > 0) {
      commit(talk);
    }
  }

  private void commit(Conversation talk) {
    int length = (int) talk.cache().length();
    int tokens = talk.tokens().count();
    announce(
        'P',
        talk.id(),
        length,
        Rows.history(talk.tokens(), length),
        tokens,
        Rows.history(talk.tokens(), tokens));
    talk.commit();
    state('F', talk);
  }

  private void truncate(Conversation talk) {
    int tokens = talk.tokens().count();
    int to =
        Math.max(0, tokens - (random.nextBoolean() ? random.nextInt(12) : random.nextInt(150)));
    long hash = Rows.history(talk.tokens(), to);
    int committed = (int) Math.min(to, talk.committedTokens());
    announce('P', talk.id(), committed, Rows.history(talk.tokens(), committed), to, hash);
    talk.truncate(to);
    state('U', talk);
  }

  private void close(Conversation talk) {
    int length = (int) talk.cache().length();
    int tokens = talk.tokens().count();
    announce(
        'P',
        talk.id(),
        length,
        Rows.history(talk.tokens(), length),
        tokens,
        Rows.history(talk.tokens(), tokens));
    talk.close();
    open.remove(talk.id());
    state('F', talk);
  }

  private void fork(String id, String newId) {
    if (id.equals(newId) || !store.exists(id)) {
      return;
    }
    if (store.exists(newId)) {
      delete(newId);
    }
    Conversation source = conversation(id);
    int at = random.nextInt(source.tokens().count() + 1);
    int committed = (int) Math.min(at, source.committedTokens());
    announce(
        'P',
        newId,
        committed,
        Rows.history(source.tokens(), committed),
        at,
        Rows.history(source.tokens(), at));
    store.fork(id, newId, at);
    announce(
        'F',
        newId,
        committed,
        Rows.history(source.tokens(), committed),
        at,
        Rows.history(source.tokens(), at));
  }

  private void delete(String id) {
    Conversation talk = conversation(id);
    close(talk);
    announce('P', id, -1, 0, 0, 0);
    store.delete(id);
    announce('F', id, -1, 0, 0, 0);
  }

  /** Closes one, then has the store evict everything that is not open. */
  private void evict(Conversation victim) {
    close(victim);
    List<String> closed =
        Stream.of(IDS).filter(id -> !open.containsKey(id) && store.exists(id)).toList();
    closed.forEach(id -> announce('P', id, -1, 0, 0, 0));
    Eviction eviction;
    try {
      eviction = store.evict(0, false);
    } catch (EvictionShortfallException e) {
      try {
        eviction = store.evict(e.reachableBytes(), false);
      } catch (EvictionShortfallException again) {
        if (shared) {
          // A reader has come between the two.
          return;
        }
        throw again;
      }
    }
    List<String> gone = eviction.victims().stream().map(Eviction.Victim::id).toList();
    if (!shared && gone.size() != closed.size()) {
      throw new IllegalStateException("%s went of %s".formatted(gone, closed));
    }
    gone.forEach(id -> announce('F', id, -1, 0, 0, 0));
  }

  private static void state(char kind, Conversation talk) {
    int committed = (int) talk.committedTokens();
    int tokens = talk.tokens().count();
    announce(
        kind,
        talk.id(),
        committed,
        Rows.history(talk.tokens(), committed),
        tokens,
        Rows.history(talk.tokens(), tokens));
  }

  private static void announce(
      char kind, String id, long committed, long committedHash, long tokens, long tokensHash) {
    System.out.println(
        "%s %s %d %016x %d %016x"
            .formatted(kind, id, committed, committedHash, tokens, tokensHash));
  }

  /** After a failed write no call but close may succeed. */
  private void requirePoisoned() {
    List<String> succeeded = new ArrayList<>();
    int poisoned = 0;
    for (Conversation talk : open.values()) {
      try {
        talk.commit();
        // Another conversation's write failed: this one is sound and stays so.
        state('F', talk);
      } catch (IllegalStateException closed) {
        // It failed while it was being closed: nothing can be called on it any more.
        poisoned++;
      } catch (StoreFailedException first) {
        poisoned++;
        for (Runnable call :
            List.<Runnable>of(
                talk::commit, () -> talk.accept(1), () -> talk.truncate(0), talk::commit)) {
          try {
            call.run();
            succeeded.add(talk.id());
          } catch (StoreFailedException expected) {
            // This is what must happen, again and again.
          }
        }
      }
    }
    System.out.println(
        "POISONED " + poisoned + (succeeded.isEmpty() ? "" : " BROKEN " + succeeded));
    for (Conversation talk : open.values()) {
      talk.close();
    }
  }
}
