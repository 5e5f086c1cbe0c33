package io.gatun.store;

import io.gatun.cache.GatunException;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.attribute.FileTime;
import java.util.HashMap;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.UUID;

/**
 * The conversations of a backup: puts the journal of one in place once its blocks are there, and
 * removes what is gone. One that was gone on with in the backup is left alone, since what it has
 * exists nowhere else. One thread.
 */
final class BackupConversations {
  private final StoreFolder store;

  /** Which conversation of the backup makes its blocks under a number. */
  private final Map<Integer, String> owners = new HashMap<>();

  /** Those of them that were found to be as they were made. */
  private final Set<Integer> untouched = new HashSet<>();

  BackupConversations(StoreFolder store) throws IOException {
    this.store = store;
    for (String id : store.ids()) {
      int owner = JournalFile.ownerIfReadable(store.files(id).journal());
      if (owner != BlockFolder.NOBODY) {
        owners.put(owner, id);
      }
    }
  }

  /**
   * Refuses a conversation of this name, or under this number, that was gone on with in the backup.
   */
  void requireUntouched(String id, int owner) throws IOException {
    requireUntouched(id);
    requireUntouched(owner);
  }

  /** Refuses to touch blocks of a conversation that was gone on with in the backup. */
  void requireUntouched(int owner) throws IOException {
    if (owners.containsKey(owner) && !untouched.contains(owner)) {
      requireUntouched(owners.get(owner));
      untouched.add(owner);
    }
  }

  private void requireUntouched(String id) throws IOException {
    ConversationFiles files = store.files(id);
    if (!FileLook.exists(files.journal())) {
      return;
    }
    JournalFile journal;
    try {
      journal = JournalFile.read(files.journal());
    } catch (DamageException e) {
      // Not what was put there, and not what anybody could go on with.
      return;
    }
    String digest = BackupMark.digest(journal.header(), journal.state());
    if (!BackupMark.read(files.folder()).contains(digest)) {
      boolean torn = journal.stopped() != null || journal.dropped() > 0;
      throw new GatunException(
          "'%s' was changed in the backup since it was made%s, and is left alone there: move that store elsewhere, or delete it ('gatun conversations delete %s --store %s')"
              .formatted(id, torn ? ", or its journal there is damaged" : "", id, store.path()));
    }
    if (store.openForWriting(files)) {
      throw new GatunException(
          "'%s' is open for writing in the backup, in %s: close it there, and run the backup again"
              .formatted(id, LockFile.holder(files.lock())));
    }
  }

  /** Puts a conversation in place. Its blocks are there, on disk, under their names. */
  void put(ConversationFiles from, CommittedState state, Map<Long, Long> stamps, boolean pinned)
      throws IOException {
    ConversationFiles to = store.files(from.id());
    try (LockFile.Hold _ = store.lock()) {
      makeWay(to, state.header().owner());
      String digest = BackupMark.digest(state.header(), state.state());
      if (FileLook.exists(to.folder())) {
        replace(to, state, stamps, digest);
        marks(from, to, pinned);
      } else {
        create(from, to, state, stamps, digest, pinned);
      }
      owners.put(state.header().owner(), from.id());
    }
  }

  /** One that was renamed in the store is renamed here; another of its name is taken away. */
  private void makeWay(ConversationFiles to, int owner) throws IOException {
    boolean there = FileLook.exists(to.folder());
    if (there && JournalFile.ownerIfReadable(to.journal()) != owner) {
      owners.values().remove(to.id());
      // Its blocks stay: it may come again under another name.
      delete(to);
      there = false;
    }
    String before = owners.get(owner);
    if (!there && before != null && FileLook.exists(store.files(before).folder())) {
      Files.move(store.files(before).folder(), to.folder(), StandardCopyOption.ATOMIC_MOVE);
      Folders.force(store.conversations());
    }
  }

  private void replace(
      ConversationFiles to, CommittedState state, Map<Long, Long> stamps, String digest)
      throws IOException {
    try (LockFile.Hold _ = store.writer(to)) {
      Path unfinished = to.folder().resolve("journal.new");
      Files.deleteIfExists(unfinished);
      image(state, stamps).write(unfinished);
      // Both digests, since a crash may leave either journal.
      List<String> before = BackupMark.read(to.folder());
      String last = before.isEmpty() ? digest : before.getLast();
      BackupMark.write(to.folder(), List.of(last, digest));
      Files.move(
          unfinished,
          to.journal(),
          StandardCopyOption.ATOMIC_MOVE,
          StandardCopyOption.REPLACE_EXISTING);
      Folders.force(to.folder());
    }
  }

  private void create(
      ConversationFiles from,
      ConversationFiles to,
      CommittedState state,
      Map<Long, Long> stamps,
      String digest,
      boolean pinned)
      throws IOException {
    Path unfinished = to.folder().resolveSibling(".new-" + UUID.randomUUID());
    try {
      Folders.create(unfinished);
      image(state, stamps).write(unfinished.resolve("journal"));
      BackupMark.write(unfinished, List.of(digest));
      marks(from, new ConversationFiles(to.id(), unfinished), pinned);
      Folders.force(unfinished);
      Files.move(unfinished, to.folder(), StandardCopyOption.ATOMIC_MOVE);
      Folders.force(store.conversations());
    } catch (IOException | RuntimeException e) {
      Folders.delete(unfinished);
      throw e;
    }
  }

  /** The order of eviction is kept, and what is never evicted. */
  private static void marks(ConversationFiles from, ConversationFiles to, boolean pinned)
      throws IOException {
    Folders.createFile(to.used());
    Files.setLastModifiedTime(to.used(), FileTime.from(Catalog.lastUsed(from)));
    if (pinned) {
      Folders.createFile(to.pinned());
    } else {
      Files.deleteIfExists(to.pinned());
    }
  }

  /** A journal with nothing but what the state is: under the same number, closed. */
  private static JournalImage image(CommittedState committed, Map<Long, Long> stamps) {
    JournalState state = committed.state();
    Map<Long, Long> known = new LinkedHashMap<>(stamps);
    known.values().removeIf(stamp -> stamp == FileStamp.UNKNOWN);
    JournalRecord.Mark mark = new JournalRecord.Mark(JournalRecord.Mark.CLOSED, state.time());
    // Forks may be in the backup already, or come later.
    return JournalCompaction.image(committed.header().today(), state, known, mark, true);
  }

  /** Removes one that is gone from the store. Blocks go with {@link #collect}. */
  void remove(String id) throws IOException {
    requireUntouched(id);
    try (LockFile.Hold _ = store.lock();
        LockFile.Hold _ = store.writer(store.files(id))) {
      delete(store.files(id));
    }
    owners.values().remove(id);
  }

  private void delete(ConversationFiles files) throws IOException {
    Path deleted = store.conversations().resolve(".deleted-" + UUID.randomUUID());
    Files.move(files.folder(), deleted, StandardCopyOption.ATOMIC_MOVE);
    Folders.force(store.conversations());
    Folders.delete(deleted);
  }

  /** Removes what no conversation of the backup needs; returns why something was left. */
  List<String> collect() throws IOException {
    try (LockFile.Hold _ = store.lock()) {
      return new GarbageCollector(store, false).run().findings();
    }
  }
}
