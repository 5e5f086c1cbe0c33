package io.gatun.store;

import io.gatun.cache.GatunException;
import java.io.IOException;
import java.util.HashSet;
import java.util.Optional;
import java.util.Set;

/**
 * Which blocks the journals of a store name. Derived anew from the journals, so that no count can be
 * wrong after a crash.
 */
final class BlockReferences {
  private final ConversationStore store;

  BlockReferences(ConversationStore store) {
    this.store = store;
  }

  /**
   * All blocks that are named; empty if a journal cannot be read, since then nobody knows. Called
   * with the store's lock held.
   */
  Optional<Set<Long>> all() throws IOException {
    Set<Long> named = new HashSet<>();
    for (String id : store.ids()) {
      try {
        JournalFile journal = JournalFile.read(store.files(id).journal());
        journal.state().runs().forEach(run -> named.add(run.block()));
        // What is cut off in memory may be back after the power was lost.
        journal.forcedRuns().forEach(run -> named.add(run.block()));
      } catch (GatunException e) {
        return Optional.empty();
      }
    }
    return Optional.of(named);
  }
}
