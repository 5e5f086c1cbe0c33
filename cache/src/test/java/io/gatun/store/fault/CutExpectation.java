package io.gatun.store.fault;

import static org.assertj.core.api.Assertions.assertThat;

import io.gatun.cache.KvView;
import io.gatun.store.Conversation;
import io.gatun.store.ConversationReader;
import io.gatun.store.ConversationStore;
import io.gatun.store.Garbage;
import io.gatun.store.Rows;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
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
  private final Outside outside;
  private final Path exports;
  private int readers;
  private int exported;

  /**
   * Of a store whose power will be cut.
   *
   * @param outside exports and imports; null if there are none to try
   * @param exports where exports go
   */
  CutExpectation(Outside outside, Path exports) {
    this.outside = outside;
    this.exports = exports;
  }

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

  /** Exports that were imported elsewhere and compared so far. */
  int exported() {
    return exported;
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
  void checkReaders(ConversationStore store) throws IOException {
    for (String id : List.copyOf(allowed.keySet())) {
      if (store.exists(id)) {
        read(store, id);
        if (outside != null) {
          export(store, id);
        }
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

  /** An export holds what a reader has to see. */
  private void export(ConversationStore store, String id) throws IOException {
    Path file = exports.resolve(id + ".safetensors");
    Path other = exports.resolve("imported");
    Scratch.delete(other);
    outside.run("export", store, file);
    ConversationStore imported = ConversationStore.open(other);
    outside.run("import", imported, file);
    try (Conversation talk = imported.openOrCreate("new", Workload.MODEL, Rows.layout())) {
      Rows.check(talk.cache().live(), talk.tokens());
      shown(id, committed(state(talk.committedTokens(), talk.tokens().toArray())));
    }
    exported++;
    Files.delete(file);
  }

  /** Opens every conversation; what is found is what may be found from now on. */
  void checkWriters(ConversationStore store) throws IOException {
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
