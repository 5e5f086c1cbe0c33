package io.gatun.store;

import io.gatun.cache.DiskFullException;
import io.gatun.cache.GatunException;
import java.io.IOException;
import java.nio.file.Path;
import java.nio.file.attribute.BasicFileAttributes;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Optional;
import java.util.Set;
import java.util.TreeMap;
import java.util.TreeSet;

/**
 * Makes a backup of a store that is in use, or brings one up to date.
 *
 * <p>One conversation after the other: as a registered reader, so that no row that is promised is
 * written again, reads what its journal promises, brings the blocks, compares their rows with the
 * checksums, and last puts a journal in place that says just that. The store's lock is held to list
 * the conversations, not while bytes are copied. A run that was cut off is repeated: what is there
 * and right stays.
 *
 * <p>Design note: a block that several conversations hold rows in may be brought again for one of
 * them, with more rows. Those that had it before are then done again, too.
 */
final class Backup {
  /** How often blocks may vanish from under us: each time something newer was promised. */
  private static final int PATIENCE = 100;

  /** How often the list is read again for conversations that came meanwhile. */
  private static final int LOOKS = 10;

  private final StoreFolder source;
  private final Path folder;
  private final boolean links;
  private final BackupProgress progress;
  private final Map<String, String> damaged = new TreeMap<>();
  private final List<String> notes = new ArrayList<>();
  private final Set<String> done = new TreeSet<>();
  private final ArrayDeque<String> queue = new ArrayDeque<>();

  /** Which of the conversations done hold rows in a block of which other copies may follow. */
  private final Map<Long, Set<String>> users = new HashMap<>();

  /** Blocks that the conversations of other owners never write to again, as far as they were asked. */
  private final Map<Integer, Set<Long>> sealed = new HashMap<>();

  private Catalog catalog;
  private BackupBlocks blocks;
  private BackupConversations conversations;
  private long bytesDone;
  private long bytesTotal;
  private long rowBytes;

  Backup(StoreFolder source, Path folder, boolean links, BackupProgress progress) {
    this.source = source;
    this.folder = folder;
    this.links = links;
    this.progress = progress;
  }

  /**
   * Makes it.
   *
   * @throws GatunException if the folder cannot be used, or its disk is full
   */
  BackupReport run() throws IOException {
    try (BackupFolder to = BackupFolder.open(source, folder)) {
      blocks = new BackupBlocks(source.blocks(), to.store().blocks(), to.part(), links);
      conversations = new BackupConversations(to.store());
      look();
      catalog.journals().values().forEach(this::expect);
      for (int looks = 0; looks < LOOKS; looks++) {
        Set<String> more = new TreeSet<>(catalog.journals().keySet());
        // Also one of a name that was gone when its turn came, and is there again.
        more.removeAll(done);
        more.removeAll(damaged.keySet());
        if (more.isEmpty()) {
          break;
        }
        queue.addAll(more);
        for (String id; (id = queue.poll()) != null; ) {
          one(id);
        }
        look();
      }
      catalog.damaged().forEach(this::failed);
      notes.addAll(catalog.foreign());
      done.retainAll(catalog.journals().keySet());
      damaged.keySet().removeIf(id -> !known(id));
      List<String> removed = removeGone(to.store());
      checkEarlier(to.store());
      notes.addAll(conversations.collect());
      return new BackupReport(
          to.store().path(),
          List.copyOf(done),
          removed,
          damaged,
          notes,
          blocks.linked(),
          blocks.copied(),
          blocks.kept(),
          blocks.copiedBytes(),
          rowBytes);
    } catch (DiskFullException e) {
      throw new GatunException(
          "the backup is not complete: %s. %d conversations are in it; make room, and run it again: what is there is kept"
              .formatted(e.getMessage(), done.size()),
          e);
    }
  }

  /** Reads all journals, with the lock held: renaming must not hide one. */
  private void look() {
    catalog = source.lockedToRead("list the conversations", () -> Catalog.take(source));
  }

  private void expect(JournalSummary journal) {
    bytesTotal += journal.blocks().size() * StoreBlocks.fileBytes(journal.header().layout());
  }

  /** Backs up one conversation; whatever is wrong with it costs itself alone. */
  private void one(String id) throws IOException {
    ConversationFiles from = source.files(id);
    damaged.remove(id);
    Object before = identity(from);
    try {
      if (before != null) {
        try (LockFile.Hold _ = LockFile.reader(from.lock())) {
          // Who overwrites rows to erase them looks for readers with the store's lock held. After
          // this, whoever did not see us is done, and the journal says so.
          source.lockedToRead("wait for others", () -> null);
          one(from);
        }
      }
    } catch (DiskFullException e) {
      throw e;
    } catch (IOException | GatunException e) {
      if (diskFull(e)) {
        throw e;
      }
      // One that was deleted meanwhile, and perhaps made anew, is looked at again later.
      if (Objects.equals(before, identity(from))) {
        failed(id, e instanceof GatunException ? e.getMessage() : IoFailure.reason(e));
      } else {
        done.remove(id);
      }
    } catch (OutOfMemoryError e) {
      failed(id, "this heap of %,d bytes is too small".formatted(Runtime.getRuntime().maxMemory()));
    }
  }

  private void failed(String id, String why) {
    done.remove(id);
    damaged.putIfAbsent(id, why);
  }

  private static boolean diskFull(Exception e) {
    String reason = IoFailure.reason(e);
    return reason.contains("No space left") || reason.contains("quota exceeded");
  }

  /** What tells a conversation's folder from another of its name; null if there is none. */
  private static Object identity(ConversationFiles files) throws IOException {
    return FileLook.at(files.folder())
        .filter(BasicFileAttributes::isDirectory)
        .map(found -> List.of(String.valueOf(found.fileKey()), found.creationTime()))
        .orElse(null);
  }

  private void one(ConversationFiles from) throws IOException {
    CommittedState before = null;
    DamageException failure = null;
    long start = bytesDone;
    for (int tries = 0; tries < PATIENCE; tries++) {
      CommittedState state = CommittedState.read(source, from);
      if (before != null && state.same(before)) {
        break;
      }
      before = state;
      try {
        one(from, state);
        return;
      } catch (DamageException e) {
        // The writer may have dropped a block after what we read: then there is something newer.
        failure = e;
        bytesDone = start;
      } finally {
        blocks.giveUp();
      }
    }
    throw failure;
  }

  private void one(ConversationFiles from, CommittedState state) throws IOException {
    JournalHeader header = state.header();
    requireOriginal(from, header.owner());
    conversations.requireUntouched(from.id(), header.owner());
    Map<Long, Long> stamps = new LinkedHashMap<>();
    for (RunState run : state.state().runs()) {
      int owner = BlockFolder.owner(run.block());
      conversations.requireUntouched(owner);
      boolean isSealed =
          owner == header.owner()
              ? state.sealed().contains(run.block())
              : sealed(run.block(), from.id());
      BlockHeader expected = new BlockHeader(run.block(), header.layout(), header.fingerprint());
      stamps.put(run.block(), blocks.bring(expected, run, header.owner(), isSealed));
      if (!isSealed) {
        users.computeIfAbsent(run.block(), block -> new HashSet<>()).add(from.id());
      }
      rowBytes += run.coveredRows() * header.layout().bytesPerToken();
      bytesDone += StoreBlocks.fileBytes(header.layout());
      bytesTotal = Math.max(bytesTotal, bytesDone);
      progress.at(from.id(), bytesDone, bytesTotal);
    }
    requireStillNeeded(from);
    blocks.settle().forEach(block -> doAgain(block, from.id()));
    conversations.put(from, state, stamps, FileLook.exists(from.pinned()));
    done.add(from.id());
    if (state.tail() != null) {
      damaged.put(from.id(), state.tail());
    }
  }

  /** A block that was dropped while it got its second name may have been overwritten since. */
  private void requireStillNeeded(ConversationFiles from) throws IOException {
    Set<Long> left = new HashSet<>(blocks.newLinks());
    if (!left.isEmpty()) {
      CommittedState now = CommittedState.read(source, from);
      now.state().runs().forEach(run -> left.remove(run.block()));
      if (!left.isEmpty()) {
        throw new DamageException("a block of '%s' was dropped meanwhile".formatted(from.id()));
      }
    }
  }

  /** Of copies made by hand, which name the same blocks, the one is backed up that is no copy. */
  private void requireOriginal(ConversationFiles files, int owner) throws IOException {
    Optional<String> other = Optional.empty();
    for (Map.Entry<String, JournalSummary> entry : catalog.journals().entrySet()) {
      if (entry.getValue().header().owner() == owner && !entry.getKey().equals(files.id())) {
        other = Optional.of(entry.getKey());
      }
    }
    if (other.isPresent() && !Copies.isOriginal(files)) {
      throw new GatunException(
          "'%s' and '%s' are copies of each other, made outside of Gatun, and this one is not the original: delete one of them ('gatun conversations fork' makes copies that can be used)"
              .formatted(files.id(), other.get()));
    }
  }

  private void doAgain(long block, String but) {
    for (String id : users.getOrDefault(block, Set.of())) {
      if (!id.equals(but) && !queue.contains(id)) {
        queue.add(id);
      }
    }
  }

  /** Whether the file of a block that another conversation made never changes again. */
  private boolean sealed(long block, String user) {
    int owner = BlockFolder.owner(block);
    Set<String> ids = catalog.conversationsOf(owner);
    if (ids.isEmpty()) {
      // Gone for good, if all that there were are known, as of a time when this block was in use.
      JournalSummary then = catalog.journals().get(user);
      return catalog.damaged().isEmpty() && then != null && then.blocks().contains(block);
    }
    if (ids.size() > 1) {
      // A folder was copied by hand: nobody can say which of them writes.
      return false;
    }
    String id = ids.iterator().next();
    return sealed
        .computeIfAbsent(
            owner,
            asked -> {
              try {
                CommittedState state = CommittedState.read(source, source.files(id));
                return state.header().owner() == owner ? state.sealed() : Set.of();
              } catch (IOException | GatunException e) {
                // Copied, then. What is wrong with the other one is said when its turn comes.
                return Set.of();
              }
            })
        .contains(block);
  }

  private boolean known(String id) {
    return catalog.journals().containsKey(id) || catalog.damaged().containsKey(id);
  }

  private List<String> removeGone(StoreFolder to) throws IOException {
    List<String> removed = new ArrayList<>();
    for (String id : to.ids()) {
      if (known(id)) {
        continue;
      }
      if (!catalog.damaged().isEmpty()) {
        notes.add(
            "'%s' is no longer in the store and stays in the backup, since not all conversations of the store can be read"
                .formatted(id));
        continue;
      }
      try {
        conversations.remove(id);
        removed.add(id);
      } catch (GatunException e) {
        notes.add(e.getMessage());
      }
    }
    return removed;
  }

  /** What the backup had of a conversation before stays; it must not have suffered. */
  private void checkEarlier(StoreFolder to) throws IOException {
    for (Map.Entry<String, String> entry : damaged.entrySet()) {
      ConversationFiles files = to.files(entry.getKey());
      if (done.contains(entry.getKey()) || !FileLook.exists(files.folder())) {
        continue;
      }
      Verification earlier = new Verifier(to).run(files, bytes -> {});
      entry.setValue(
          "%s; an earlier backup of it stays, with %,d tokens, %,d of them with K/V%s"
              .formatted(
                  entry.getValue(),
                  earlier.tokens(),
                  earlier.soundTokens(),
                  earlier.sound() ? "" : ": " + String.join("; ", earlier.damage())));
    }
  }
}
