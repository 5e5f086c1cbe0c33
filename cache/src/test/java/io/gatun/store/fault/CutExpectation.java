package io.gatun.store.fault;

import static org.assertj.core.api.Assertions.assertThat;

import io.gatun.cache.KvView;
import io.gatun.store.Conversation;
import io.gatun.store.ConversationReader;
import io.gatun.store.ConversationStore;
import io.gatun.store.Garbage;
import io.gatun.store.Rows;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;

/**
 * What a {@link CutWorkload} said, and what may therefore be found after a crash: by a reader, the
 * last commit that was acknowledged or a later one, and nothing older than what a reader was shown
 * before; by a writer, the same with its token ids.
 */
final class CutExpectation {
  private static final String ABSENT = state(-1, new int[0]);

  private final Map<String, Set<String>> allowed = new LinkedHashMap<>();
  private final List<String> lines = new ArrayList<>();
  private int readers;

  /** A state as a line has it: "committed hash tokens hash". */
  static String state(long committed, int[] tokens) {
    long hash = 17;
    long committedHash = committed < 0 ? 0 : hash;
    for (int i = 0; i < tokens.length; i++) {
      hash = Rows.next(hash, tokens[i]);
      committedHash = i + 1 == committed ? hash : committedHash;
    }
    return "%d %016x %d %016x".formatted(committed, committedHash, tokens.length, hash);
  }

  private static String committed(String state) {
    String[] words = state.split(" ");
    return words[0] + " " + words[1];
  }

  /** Takes a line of the workload. */
  void line(String line) {
    lines.add(line);
    if (line.length() < 2 || line.charAt(1) != ' ') {
      return;
    }
    String[] words = line.split(" ", 3);
    Set<String> states =
        allowed.computeIfAbsent(words[1], id -> new LinkedHashSet<>(Set.of(ABSENT)));
    switch (words[0]) {
      case "P", "U" -> {
        // What is said again counts from now.
        states.remove(words[2]);
        states.add(words[2]);
      }
      case "F" -> settle(words[1], words[2]);
      case "R" -> {
        shown(words[1], committed(words[2]));
        // Nothing that came before may be found after this.
        for (String state : List.copyOf(states)) {
          if (committed(state).equals(committed(words[2]))) {
            break;
          }
          states.remove(state);
        }
      }
      default -> {}
    }
  }

  private void settle(String id, String state) {
    allowed.put(id, new LinkedHashSet<>(Set.of(state)));
  }

  /** States announced so far. */
  int states() {
    return lines.size();
  }

  /** Readers that were compared so far. */
  int readers() {
    return readers;
  }

  private void shown(String id, String found) {
    readers++;
    assertThat(allowed.get(id).stream().map(CutExpectation::committed))
        .as("a reader of %s, after: %s", id, last())
        .contains(found);
  }

  private List<String> last() {
    return lines.subList(Math.max(0, lines.size() - 14), lines.size());
  }

  /** Reads every conversation before anybody opens one for writing. */
  void checkReaders(ConversationStore store) {
    for (String id : List.copyOf(allowed.keySet())) {
      if (store.exists(id)) {
        read(store, id);
      } else {
        shown(id, committed(ABSENT));
      }
    }
  }

  private void read(ConversationStore store, String id) {
    try (ConversationReader reader = store.read(id);
        KvView view = reader.view()) {
      shown(id, committed(state(reader.committedTokens(), reader.tokens().toArray())));
      assertThat(view.length()).isEqualTo(reader.committedTokens());
      Rows.check(view, reader.tokens());
    }
  }

  /** Opens every conversation; what is found is what may be found from now on. */
  void checkWriters(ConversationStore store) {
    assertThat(allowed.keySet()).containsAll(store.ids());
    for (String id : List.copyOf(allowed.keySet())) {
      String found = ABSENT;
      String report = "";
      if (store.exists(id)) {
        try (Conversation talk = store.openOrCreate(id, Workload.MODEL, Rows.layout())) {
          Rows.check(talk.cache().live(), talk.tokens());
          found = state(talk.committedTokens(), talk.tokens().toArray());
          report = talk.report().toString();
        }
      }
      assertThat(allowed.get(id)).as("%s %s, after: %s", id, report, last()).contains(found);
      settle(id, found);
    }
    Garbage garbage = store.gc(false);
    assertThat(garbage.findings()).isEmpty();
    assertThat(store.gc(true).removed()).isEmpty();
    for (String id : store.ids()) {
      assertThat(store.verify(id, bytes -> {}).damage()).as(id).isEmpty();
    }
    checkReaders(store);
  }
}
