package io.gatun.store.fault;

import static org.assertj.core.api.Assertions.assertThat;

import io.gatun.store.Conversation;
import io.gatun.store.ConversationStore;
import io.gatun.store.Garbage;
import io.gatun.store.OpenReport;
import io.gatun.store.Rows;
import io.gatun.store.Verification;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;

/** What a {@link Workload} said, and the states that its conversations may therefore be in. */
final class Expectation {
  /** Whether what was not forced may be lost: power, and not only the process, was cut. */
  private final boolean powerCut;

  private final Map<String, Set<String>> allowed = new LinkedHashMap<>();
  private final List<String> lines = new ArrayList<>();

  Expectation(boolean powerCut) {
    this.powerCut = powerCut;
  }

  /** Takes a line of the workload. */
  void line(String line) {
    lines.add(line);
    if (line.length() < 2 || line.charAt(1) != ' ' || "PUF".indexOf(line.charAt(0)) < 0) {
      return;
    }
    String[] words = line.split(" ", 3);
    Set<String> states = allowed.computeIfAbsent(words[1], id -> new LinkedHashSet<>());
    boolean settles = words[0].equals("F") || (words[0].equals("U") && !powerCut);
    if (settles) {
      states.clear();
    } else if (states.isEmpty()) {
      states.add("-1 0000000000000000 0 0000000000000000");
    }
    states.add(words[2]);
  }

  /** Lines so far. */
  List<String> lines() {
    return lines;
  }

  /** Opens every conversation, compares it with what is allowed, and the whole store with itself. */
  void check(ConversationStore store) {
    for (Map.Entry<String, Set<String>> entry : allowed.entrySet()) {
      String id = entry.getKey();
      if (!store.exists(id)) {
        require(entry, "-1 0000000000000000 0 0000000000000000", null);
        continue;
      }
      try (Conversation talk = store.openOrCreate(id, Workload.MODEL, Rows.layout())) {
        int committed = (int) talk.cache().length();
        int tokens = talk.tokens().count();
        Rows.check(talk.cache().live(), talk.tokens());
        require(
            entry,
            "%d %016x %d %016x"
                .formatted(
                    committed,
                    Rows.history(talk.tokens(), committed),
                    tokens,
                    Rows.history(talk.tokens(), tokens)),
            talk.report());
      }
    }
    Garbage garbage = store.gc(false);
    assertThat(garbage.findings()).isEmpty();
    assertThat(store.gc(true).removed()).isEmpty();
    for (String id : store.ids()) {
      Verification verification = store.verify(id, bytes -> {});
      assertThat(verification.damage()).as(id).isEmpty();
    }
  }

  private void require(Map.Entry<String, Set<String>> entry, String found, OpenReport report) {
    assertThat(entry.getValue())
        .as(
            "conversation %s (%s), after: %s",
            entry.getKey(), report, lines.subList(Math.max(0, lines.size() - 12), lines.size()))
        .contains(found);
  }
}
