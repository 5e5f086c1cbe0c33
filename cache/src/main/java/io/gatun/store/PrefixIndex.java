package io.gatun.store;

import io.gatun.cache.GatunException;
import java.io.IOException;
import java.util.Arrays;
import java.util.HashMap;
import java.util.Map;
import java.util.Optional;

/**
 * Finds the stored conversation that shares the longest prefix with given token ids.
 *
 * <p>For every conversation it keeps a chain of hashes, one per {@link #STEP} tokens, each over all
 * tokens before its end: {@code h(0) = seed, h(k) = mix(h(k-1), tokens of step k)}. The deepest hash
 * in common names the candidates; their token ids are then compared one by one, so that a collision
 * costs time and never a wrong token. The chains are derived from the journals, and read again when
 * a journal's file has changed; one that is stale costs reuse and never a wrong token. Conversations
 * with imported rows are left out: nobody here has computed those rows. One thread at a time.
 */
final class PrefixIndex {
  /** Tokens of a step. Shorter prefixes are not worth the block that they would keep alive. */
  static final int STEP = 64;

  private final StoreFolder store;
  private final Map<String, Chain> chains = new HashMap<>();

  PrefixIndex(StoreFolder store) {
    this.store = store;
  }

  /** The chain of one conversation, up to its committed tokens. */
  private record Chain(long stamp, Fingerprint fingerprint, int blockTokens, long[] hashes) {}

  /**
   * A conversation whose first tokens are wanted.
   *
   * @param tokens how many of them: known to be equal, and committed
   */
  record Match(String id, JournalFile journal, int tokens) {}

  /** The longest match for {@code tokens}; none below {@link #STEP}. Store's lock held. */
  Optional<Match> find(int[] tokens, Fingerprint fingerprint, int blockTokens) throws IOException {
    refresh();
    long[] wanted = chain(tokens, tokens.length);
    int deepest = 1;
    Match best = null;
    for (Map.Entry<String, Chain> entry : chains.entrySet()) {
      Chain chain = entry.getValue();
      if (!chain.fingerprint.equals(fingerprint) || chain.blockTokens != blockTokens) {
        continue;
      }
      int mismatch = Arrays.mismatch(chain.hashes, wanted);
      int depth = mismatch < 0 ? wanted.length : mismatch;
      if (depth >= deepest) {
        Match match = compare(entry.getKey(), tokens);
        if (match != null && (best == null || match.tokens > best.tokens)) {
          best = match;
          deepest = Math.max(deepest, match.tokens / STEP);
        }
      }
    }
    return Optional.ofNullable(best);
  }

  private Match compare(String id, int[] tokens) {
    JournalFile journal;
    try {
      journal = JournalFile.read(store.files(id).journal());
    } catch (IOException | GatunException e) {
      // Reuse is a gain, no promise.
      return null;
    }
    if (journal.header().imported()) {
      return null;
    }
    JournalState state = journal.state();
    int equal = state.tokens().commonPrefix(tokens, tokens.length);
    int usable = (int) Math.min(equal, state.committed());
    return usable < STEP ? null : new Match(id, journal, usable);
  }

  private void refresh() throws IOException {
    chains.keySet().retainAll(store.ids());
    for (String id : store.ids()) {
      try {
        refresh(id);
      } catch (IOException | GatunException e) {
        // One that is damaged, or cannot be read now, has nothing to offer.
        chains.remove(id);
      }
    }
  }

  private void refresh(String id) throws IOException {
    ConversationFiles files = store.files(id);
    FileLook.requireFolder(files.folder());
    long stamp = FileStamp.of(files.journal());
    Chain known = chains.get(id);
    if (known != null && stamp != FileStamp.UNKNOWN && known.stamp == stamp) {
      return;
    }
    JournalFile journal = JournalFile.read(files.journal());
    JournalState state = journal.state();
    // Imported rows: none of its tokens is offered.
    int usable = journal.header().imported() ? 0 : (int) state.committed();
    int[] tokens = state.tokens().toArray();
    chains.put(
        id,
        new Chain(
            stamp,
            journal.header().fingerprint(),
            journal.header().layout().blockTokens(),
            chain(tokens, usable)));
  }

  /** Hashes over the first {@code count} tokens, whole steps only. */
  static long[] chain(int[] tokens, int count) {
    long[] hashes = new long[count / STEP];
    long hash = 0x6761_7475_6e00_0001L;
    for (int step = 0; step < hashes.length; step++) {
      for (int i = step * STEP; i < (step + 1) * STEP; i++) {
        hash = (hash ^ tokens[i]) * 0x9E37_79B9_7F4A_7C15L;
        hash ^= hash >>> 32;
      }
      hashes[step] = hash;
    }
    return hashes;
  }
}
