package io.gatun.store.fault;

import static org.assertj.core.api.Assertions.assertThat;

import io.gatun.store.Conversation;
import io.gatun.store.ConversationStore;
import io.gatun.store.Eviction;
import io.gatun.store.EvictionShortfallException;
import io.gatun.store.Rows;
import io.gatun.store.StoreOptions;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.TreeMap;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/**
 * Fault 11: random operations against a model on the heap, for long; memory, file descriptors and
 * mappings of the process stay flat.
 */
class SoakTest {
  private static final String[] IDS = {"a", "b", "c", "d", "e", "f"};

  @TempDir Path temp;

  private final Map<String, int[]> model = new TreeMap<>();
  private final Map<String, Conversation> open = new HashMap<>();
  private ConversationStore store;
  private Random random;

  @Test
  void theStoreDoesWhatTheModelDoesAndLeaksNothing() throws IOException {
    random = new Random(Faults.seed(getClass()));
    store =
        ConversationStore.open(temp.resolve("store"), StoreOptions.defaults().withCommitEvery(32));
    WorkClock clock = new WorkClock(Faults.seconds(5, 3_600));
    long operations = 0;
    long[] early = null;
    while (clock.step()) {
      step(IDS[random.nextInt(IDS.length)]);
      operations++;
      if (early == null && clock.quarter()) {
        early = usage();
      }
    }
    if (early == null) {
      // The wall's clock ended it first.
      early = usage();
    }
    List.copyOf(open.values()).forEach(Conversation::close);
    open.clear();
    long[] late = usage();
    System.out.printf(
        "SoakTest: %,d operations (%s); at a quarter and at the end: resident %,d and %,d KiB,"
            + " file descriptors %d and %d, mappings %d and %d%n",
        operations, clock, early[0], late[0], early[1], late[1], early[2], late[2]);
    assertThat(late[1]).as("file descriptors").isLessThanOrEqualTo(early[1] + 8);
    assertThat(late[2]).as("mappings").isLessThanOrEqualTo(early[2] + 32);
    if (Faults.LONG) {
      assertThat(late[0]).as("resident KiB").isLessThan(early[0] * 5 / 4);
    }
    for (String id : store.ids()) {
      assertThat(store.verify(id, bytes -> {}).damage()).isEmpty();
      store.delete(id);
    }
    assertThat(Scratch.files(temp.resolve("store/blocks"))).isEmpty();
  }

  private void step(String id) {
    switch (random.nextInt(24)) {
      case 0 -> fork(id, IDS[random.nextInt(IDS.length)]);
      case 1 -> delete(id);
      case 2 -> evict();
      case 3, 4 -> close(id);
      case 5, 6, 7, 8 -> truncate(id);
      case 9 -> check(conversation(id));
      default -> append(id);
    }
  }

  private Conversation conversation(String id) {
    return open.computeIfAbsent(
        id,
        name -> {
          Conversation talk = store.openOrCreate(name, Workload.MODEL, Rows.layout());
          int[] expected = model.computeIfAbsent(name, unused -> new int[0]);
          assertThat(talk.tokens().toArray()).isEqualTo(expected);
          assertThat(talk.report().findings()).isEmpty();
          assertThat(talk.report().cleanExit()).isTrue();
          return talk;
        });
  }

  private void append(String id) {
    Conversation talk = conversation(id);
    int[] before = model.get(id);
    if (before.length > 600) {
      talk.truncate(5);
      before = Arrays.copyOf(before, 5);
    }
    int[] ids = random.ints(1 + random.nextInt(40), 0, 50_000).toArray();
    int[] after = Arrays.copyOf(before, before.length + ids.length);
    System.arraycopy(ids, 0, after, before.length, ids.length);
    model.put(id, after);
    talk.accept(ids, 0, ids.length);
    Rows.prefill(talk, after.length - (random.nextInt(4) == 0 ? random.nextInt(ids.length) : 0));
    if (random.nextInt(3) == 0) {
      talk.commit();
    }
  }

  private void truncate(String id) {
    Conversation talk = conversation(id);
    int[] before = model.get(id);
    int to = Math.max(0, before.length - random.nextInt(random.nextBoolean() ? 8 : 200));
    talk.truncate(to);
    model.put(id, Arrays.copyOf(before, to));
  }

  private static void check(Conversation talk) {
    Rows.check(talk.cache().live(), talk.tokens());
  }

  private void close(String id) {
    Conversation talk = open.remove(id);
    if (talk != null) {
      talk.close();
    }
  }

  private void fork(String id, String newId) {
    if (id.equals(newId) || !model.containsKey(id)) {
      return;
    }
    delete(newId);
    int[] tokens = model.get(id);
    int at = random.nextInt(tokens.length + 1);
    store.fork(id, newId, at);
    model.put(newId, Arrays.copyOf(tokens, at));
  }

  private void delete(String id) {
    close(id);
    if (model.remove(id) != null) {
      store.delete(id);
    }
  }

  private void evict() {
    Eviction eviction;
    long target = random.nextInt(4_000_000);
    try {
      eviction = store.evict(target, false);
    } catch (EvictionShortfallException e) {
      eviction = store.evict(Math.max(target, e.reachableBytes()), false);
    }
    for (Eviction.Victim victim : eviction.victims()) {
      assertThat(open).doesNotContainKey(victim.id());
      model.remove(victim.id());
    }
  }

  /** Resident KiB, file descriptors and mappings of this process, after a collection. */
  private static long[] usage() throws IOException {
    System.gc();
    long resident =
        Files.readAllLines(Path.of("/proc/self/status")).stream()
            .filter(line -> line.startsWith("VmRSS"))
            .mapToLong(line -> Long.parseLong(line.replaceAll("[^0-9]", "")))
            .sum();
    try (Stream<Path> descriptors = Files.list(Path.of("/proc/self/fd"))) {
      long mappings =
          Files.readAllLines(Path.of("/proc/self/maps")).stream()
              .filter(line -> line.contains(".kv") || line.contains("journal"))
              .count();
      return new long[] {resident, descriptors.count(), mappings};
    }
  }
}
