package io.gatun.store;

import io.gatun.cache.GatunException;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.LinkOption;
import java.nio.file.Path;
import java.time.Instant;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;

/**
 * All conversations of a store and the blocks that they name, read from the journals: no count is
 * kept anywhere that a crash could falsify. A picture of one moment; while the store's lock is held
 * it stays true, apart from conversations that grow.
 */
final class Census {
  private final StoreFolder store;
  private final Map<String, JournalFile> journals = new LinkedHashMap<>();
  private final Map<String, String> damaged = new LinkedHashMap<>();
  private final Map<Long, Integer> users = new HashMap<>();

  private Census(StoreFolder store) {
    this.store = store;
  }

  /** Reads every journal. */
  static Census take(StoreFolder store) throws IOException {
    Census census = new Census(store);
    for (String id : store.ids()) {
      census.read(id);
    }
    return census;
  }

  private void read(String id) throws IOException {
    ConversationFiles files = store.files(id);
    try {
      Folders.requireFolder(files.folder());
      JournalFile journal = JournalFile.read(files.journal());
      journals.put(id, journal);
      blocksOf(journal).forEach(block -> users.merge(block, 1, Integer::sum));
    } catch (GatunException e) {
      // Between the listing and here it may have been deleted, if nobody holds the lock.
      if (Files.exists(files.folder(), LinkOption.NOFOLLOW_LINKS)) {
        damaged.put(id, e.getMessage());
      }
    }
  }

  /** The blocks that a journal names, in memory or, if the power went now, on disk. */
  static Set<Long> blocksOf(JournalFile journal) {
    Set<Long> blocks = new HashSet<>();
    journal.state().runs().forEach(run -> blocks.add(run.block()));
    journal.forcedRuns().forEach(run -> blocks.add(run.block()));
    return blocks;
  }

  /** The readable journals by id. */
  Map<String, JournalFile> journals() {
    return journals;
  }

  /** What is wrong with each unreadable journal, by id. */
  Map<String, String> damaged() {
    return damaged;
  }

  /** All blocks that are named; empty if a journal cannot be read, since then nobody knows. */
  Optional<Set<Long>> named() {
    return damaged.isEmpty() ? Optional.of(users.keySet()) : Optional.empty();
  }

  /** Whether a conversation makes its blocks under this number. */
  boolean lives(int owner) {
    return journals.values().stream().anyMatch(journal -> journal.header().owner() == owner);
  }

  /** How many conversations name a block. */
  int users(long block) {
    return users.getOrDefault(block, 0);
  }

  /** Counts a conversation out, as if it were deleted; returns the bytes that this would free. */
  long remove(String id) throws IOException {
    long freed = folderBytes(store.files(id).folder());
    for (long block : blocksOf(journals.get(id))) {
      if (users.merge(block, -1, Integer::sum) == 0) {
        freed += store.blocks().size(block);
      }
    }
    journals.remove(id);
    return freed;
  }

  /** Bytes of the files in a folder, not deeper. */
  static long folderBytes(Path folder) throws IOException {
    long bytes = 0;
    for (String name : Folders.names(folder)) {
      bytes += Folders.size(folder.resolve(name));
    }
    return bytes;
  }

  /** What there is to say about each conversation. */
  List<ConversationInfo> infos() throws IOException {
    List<ConversationInfo> infos = new ArrayList<>();
    for (Map.Entry<String, JournalFile> entry : journals.entrySet()) {
      infos.add(info(entry.getKey(), entry.getValue()));
    }
    for (Map.Entry<String, String> entry : damaged.entrySet()) {
      ConversationFiles files = store.files(entry.getKey());
      long bytes = folderBytes(files.folder());
      infos.add(
          new ConversationInfo(
              entry.getKey(),
              0,
              0,
              0,
              bytes,
              bytes,
              null,
              null,
              Files.exists(files.pinned(), LinkOption.NOFOLLOW_LINKS),
              false,
              false,
              null,
              lastUsed(files),
              entry.getValue()));
    }
    infos.sort((a, b) -> a.id().compareTo(b.id()));
    return infos;
  }

  private ConversationInfo info(String id, JournalFile journal) throws IOException {
    ConversationFiles files = store.files(id);
    long own = folderBytes(files.folder());
    long all = own;
    for (long block : blocksOf(journal)) {
      long bytes = store.blocks().size(block);
      all += bytes;
      own += users(block) == 1 ? bytes : 0;
    }
    boolean writing = store.openForWriting(files);
    boolean torn = !writing && (journal.stopped() != null || journal.dropped() > 0);
    return new ConversationInfo(
        id,
        journal.state().tokens().count(),
        journal.state().committed(),
        (int) journal.state().runs().stream().map(RunState::block).distinct().count(),
        all,
        own,
        journal.header().layout(),
        journal.header().fingerprint(),
        Files.exists(files.pinned(), LinkOption.NOFOLLOW_LINKS),
        writing,
        journal.state().closed(),
        Instant.ofEpochMilli(journal.header().created()),
        lastUsed(files),
        torn ? tail(journal) : null);
  }

  private static String tail(JournalFile journal) {
    return "%,d bytes from offset %,d on do not check%s"
        .formatted(
            journal.dropped(),
            journal.end(),
            journal.stopped() == null ? "" : " (" + journal.stopped() + ")");
  }

  static Instant lastUsed(ConversationFiles files) throws IOException {
    Path mark =
        Files.exists(files.used(), LinkOption.NOFOLLOW_LINKS) ? files.used() : files.folder();
    return Files.getLastModifiedTime(mark, LinkOption.NOFOLLOW_LINKS).toInstant();
  }
}
