package io.gatun.store;

import io.gatun.cache.KvLayout;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.UUID;

/**
 * Makes conversations: empty ones, and ones that begin with what another one has. A conversation is
 * put together under a name that no id can have and then renamed, so that a crash leaves all of it
 * or nothing that counts. Used with the store's lock held.
 */
final class NewConversation {
  /** Room for the other records of a conversation that is not extraordinary. */
  private static final int ROOM_BESIDE_IDS = 1 << 14;

  /** Ids of a record: small enough to be worked on in the first cache. */
  private static final int IDS = 4096;

  private final StoreFolder store;

  NewConversation(StoreFolder store) {
    this.store = store;
  }

  /** An empty one. */
  void create(ConversationFiles files, KvLayout layout, Fingerprint fingerprint)
      throws IOException {
    make(files, layout, fingerprint, 0, null, 0);
  }

  /** An empty one whose rows will come from outside, from a source that is not trusted. */
  void createImported(ConversationFiles files, KvLayout layout, Fingerprint fingerprint)
      throws IOException {
    make(files, layout, fingerprint, JournalHeader.IMPORTED, null, 0);
  }

  /**
   * One with the first tokens of another: ids copied, K/V rows shared, as far as they are committed.
   * It inherits the mark of imported rows.
   *
   * @param at tokens to take, at most those that the source knows
   */
  void fork(JournalFile source, ConversationFiles files, long at) throws IOException {
    JournalHeader header = source.header();
    make(files, header.layout(), header.fingerprint(), header.flags(), source, (int) at);
  }

  private void make(
      ConversationFiles files,
      KvLayout layout,
      Fingerprint fingerprint,
      int flags,
      JournalFile source,
      int at)
      throws IOException {
    int owner = store.blocks().newOwner();
    Path unfinished = files.folder().resolveSibling(".new-" + UUID.randomUUID());
    try {
      Folders.create(unfinished);
      JournalHeader header =
          new JournalHeader(owner, System.currentTimeMillis(), layout, fingerprint)
              .withFlags(flags);
      JournalImage journal = new JournalImage(header, expectedBytes(at));
      if (source != null) {
        copy(source, at, header, journal);
      }
      Folders.createFile(unfinished.resolve("used"));
      // So that a reader finds one where it may make none.
      Folders.createFile(unfinished.resolve("lock"));
      journal.write(unfinished.resolve("journal"));
      // Costs nothing where forcing a new file forces its name; not every file system does that.
      Folders.force(unfinished);
      Files.move(unfinished, files.folder(), StandardCopyOption.ATOMIC_MOVE);
      Folders.force(files.folder().getParent());
    } catch (IOException | RuntimeException e) {
      Folders.delete(unfinished);
      store.blocks().deleteOwnerIfEmpty(owner);
      throw e;
    }
  }

  private static int expectedBytes(int tokens) {
    return (int) Math.min(Integer.MAX_VALUE / 2, (long) tokens * Integer.BYTES + ROOM_BESIDE_IDS);
  }

  private void copy(JournalFile source, int at, JournalHeader header, JournalImage journal)
      throws IOException {
    KvLayout layout = header.layout();
    List<RunState> shared = firstRuns(source.state(), at);
    announce(source.state(), shared, layout);
    if (!shared.isEmpty()) {
      source.markForked();
    }
    int[] ids = new int[Math.min(at, IDS)];
    for (int done = 0; done < at; done += ids.length) {
      int count = Math.min(ids.length, at - done);
      source.state().tokens().copy(done, ids, 0, count);
      journal.append(header.ids(done, ids, 0, count));
    }
    long now = System.currentTimeMillis();
    if (!shared.isEmpty()) {
      JournalState empty = new JournalState(BlockFolder.NOBODY, layout.blockTokens());
      journal.append(empty.change(shared, false, now));
      // What the source knows of the files: the new one vouches for as much.
      Map<Long, Long> known = source.state().stampsOf(shared);
      JournalCompaction.records(known).forEach(journal::append);
    }
    journal.append(new JournalRecord.Mark(JournalRecord.Mark.CLOSED, now));
  }

  private static List<RunState> firstRuns(JournalState state, long tokens) {
    List<RunState> first = new ArrayList<>();
    long start = 0;
    for (RunState run : state.runs()) {
      if (start >= tokens) {
        break;
      }
      int kept = (int) Math.min(run.tokens(), tokens - start);
      first.add(kept == run.tokens() ? run : run.cut(kept));
      start += run.tokens();
    }
    return first;
  }

  /**
   * Tells the source which rows of its open tail it must not write again. Other blocks need no
   * telling: nobody writes to them any more.
   */
  private void announce(JournalState source, List<RunState> shared, KvLayout layout)
      throws IOException {
    if (source.openTail() && shared.size() == source.runs().size()) {
      RunState tail = shared.getLast();
      store.blocks().share(tail.block(), tail.coveredRows(), layout.blockTokens());
    }
  }
}
