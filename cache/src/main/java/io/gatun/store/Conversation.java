package io.gatun.store;

import io.gatun.cache.DiskFullException;
import io.gatun.cache.GatunException;
import io.gatun.cache.KvBlock;
import io.gatun.cache.KvCache;
import io.gatun.cache.KvLayout;
import io.gatun.cache.KvRun;
import java.io.IOException;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Objects;
import java.util.Set;
import java.util.concurrent.atomic.AtomicBoolean;

/**
 * A conversation that is open for writing: token ids, and the cache with their K/V in mapped files.
 *
 * <p>The token ids are the truth, K/V is derived. One step of a decoder:
 *
 * <pre>
 *   accept(ids)             the ids are in the journal: safe from the death of the process at once,
 *                           from that of the machine after {@link StoreOptions#tokenDelay}
 *   append rows to cache()  K/V of the accepted tokens, in mapped memory
 *   commit()                when it returns, both are on disk
 * </pre>
 *
 * <p>After a crash the conversation opens with the K/V of its last commit, {@link
 * #committedTokens}, and all token ids that were forced; the ones between need a prefill.
 *
 * <p>Rows that a commit promised are never written again, with one exception: {@link #truncate}
 * into the last run, where the journal says so first and nobody else was promised the rows.
 *
 * <p>After a failed write every call but {@link #close} throws {@link StoreFailedException}.
 *
 * <p>Thread rules: one writer thread at a time; {@link #tokens} may be read from any thread.
 */
public final class Conversation implements AutoCloseable {
  private final ConversationStore store;
  private final StoreFolder place;
  private final ConversationFiles files;
  private final StoreOptions options;
  private final Health health;
  private final JournalHeader header;
  private final JournalState state;
  private final Journal journal;
  private final StoreBlocks blocks;
  private final KvCache cache;
  private final LockFile.Hold writerLock;
  private final Vouching vouching;
  private final OpenReport report;
  private final AtomicBoolean forceScheduled = new AtomicBoolean();

  private final List<String> notErased = new ArrayList<>();

  /** Blocks that the journal named once and does not any more. */
  private final Set<Long> dropped = new HashSet<>();

  private long commits;

  /** Whether what is cut is overwritten when the conversation is closed. */
  private boolean erasing;

  private volatile boolean closed;

  Conversation(
      ConversationStore store,
      ConversationFiles files,
      StoreOptions options,
      Health health,
      JournalHeader header,
      JournalState state,
      Journal journal,
      StoreBlocks blocks,
      KvCache cache,
      LockFile.Hold writerLock,
      Vouching vouching,
      OpenReport report) {
    this.store = store;
    this.place = store.place();
    this.files = files;
    this.options = options;
    this.health = health;
    this.header = header;
    this.state = state;
    this.journal = journal;
    this.blocks = blocks;
    this.cache = cache;
    this.writerLock = writerLock;
    this.vouching = vouching;
    this.report = report;
    this.store.opened(this);
  }

  /** Its name in the store. */
  public String id() {
    return files.id();
  }

  /** What opening it found. */
  public OpenReport report() {
    return report;
  }

  /** Where rows lie; the block size is the one that the conversation was made with. */
  public KvLayout layout() {
    return header.layout();
  }

  /** The fingerprint, element types and shape included. */
  public Fingerprint fingerprint() {
    return header.fingerprint();
  }

  /** The token ids accepted so far. */
  public Tokens tokens() {
    return state.tokens();
  }

  /**
   * The K/V of the first {@code cache().length()} tokens. Cutting it is allowed at any time; the
   * token ids stay, and the rows can be computed again. The conversation closes it.
   */
  public KvCache cache() {
    return cache;
  }

  /** Tokens whose K/V is on disk. */
  public synchronized long committedTokens() {
    return state.committed();
  }

  /** Bytes of its block files that are mapped now. */
  public long mappedBytes() {
    return blocks.mappedBytes();
  }

  /** Bytes of its mapped block files that are in memory now; -1 where the system does not tell. */
  public long residentBytes() {
    return blocks.residentBytes();
  }

  /** Commits since it was opened. */
  public synchronized long commits() {
    return commits;
  }

  /**
   * Adds token ids to the sequence. Commits first if {@link StoreOptions#commitEvery} says so.
   *
   * @throws IllegalArgumentException if an id is negative; nothing was accepted
   * @throws DiskFullException if the journal has no room; nothing was accepted
   */
  public synchronized void accept(int[] ids, int from, int count) {
    checkUsable();
    Objects.checkFromIndexSize(from, count, ids.length);
    for (int i = from; i < from + count; i++) {
      if (ids[i] < 0) {
        throw new IllegalArgumentException(
            "token id %d at index %d is negative".formatted(ids[i], i));
      }
    }
    commitIfDue();
    int records = Math.ceilDiv(count, JournalRecord.Ids.MOST);
    journal.reserve(
        (long) JournalRecord.Ids.MOST_OF_AN_ID * count
            + records * (long) (JournalRecord.Ids.MOST_BESIDE_IDS + JournalScan.FRAME));
    for (int done = 0; done < count; ) {
      int batch = Math.min(JournalRecord.Ids.MOST, count - done);
      append(header.ids(tokens().count(), ids, from + done, batch));
      done += batch;
    }
    store.counters().tokensAccepted.add(count);
    forceSoon();
  }

  /** Adds one token id to the sequence. */
  public void accept(int id) {
    accept(new int[] {id}, 0, 1);
  }

  /**
   * Commits if {@link StoreOptions#commitEvery} says so: if the sequence passed a multiple of that
   * many rows of its last block since the last commit. Multiples of rows, not of tokens since the
   * last commit, because then commits end at page borders and no page is written twice.
   *
   * @return whether it committed
   */
  public synchronized boolean commitIfDue() {
    int every = options.commitEvery();
    long length = cache.length();
    if (every == 0 || length <= state.committed()) {
      return false;
    }
    long runStart = cache.live().runStart(cache.live().runs() - 1);
    boolean newRun = state.committed() <= runStart;
    long before = newRun ? 0 : (state.committed() - runStart) / every;
    boolean due = (length - runStart) / every > before;
    boolean longAgo = length - state.committed() >= every;
    if (due || (newRun && longAgo)) {
      commit();
      return true;
    }
    return false;
  }

  /**
   * Makes everything durable: the token ids accepted and the K/V advanced over so far. When it
   * returns, both survive the loss of power.
   *
   * @throws IllegalStateException if the cache holds K/V of more tokens than were accepted
   * @throws DiskFullException if the journal has no room; nothing was committed, nothing was lost
   * @throws StoreFailedException if a write failed; the handle is of no more use
   */
  public synchronized void commit() {
    checkUsable();
    CommitEvent event = new CommitEvent();
    event.begin();
    long length = cache.length();
    if (length > tokens().count()) {
      throw new IllegalStateException(
          "the cache holds K/V of %d tokens, but only %d token ids were accepted"
              .formatted(length, tokens().count()));
    }
    List<KvRun> promised = cache.promise(length);
    List<RunState> next = new ArrayList<>(promised.size());
    List<KvBlock> dirty = new ArrayList<>();
    long dirtyBytes = 0;
    for (int i = 0; i < promised.size(); i++) {
      KvRun run = promised.get(i);
      RunState before = i < state.runs().size() ? state.runs().get(i) : null;
      if (before != null && before.block() != run.block().id()) {
        before = null;
      }
      next.add(checksummed(run, before));
      if (before == null || before.tokens() < run.tokens()) {
        dirty.add(run.block());
        int from = before == null ? 0 : before.tokens();
        dirtyBytes += BlockCheck.pageBytes(layout(), from, run.tokens());
      }
    }
    boolean openTail = openTail(promised);
    if (next.equals(state.runs()) && openTail == state.openTail()) {
      journal.force();
      return;
    }
    JournalRecord.Rows rows = state.change(next, openTail, System.currentTimeMillis());
    journal.reserve(JournalScan.FRAME + rows.mostBytes());
    for (KvBlock block : dirty) {
      force(block);
    }
    noteDropped(next);
    blocks.mapBeforeRemoval(dropped::contains);
    append(rows);
    for (KvBlock block : dirty) {
      blocks.journaled(block);
    }
    journal.force();
    for (int i = 0; i < promised.size() - 1; i++) {
      if (blocks.sealed(promised.get(i).block())) {
        vouching.take(promised.get(i).block().id(), state);
      }
    }
    commits++;
    store.counters().commits.increment();
    store.counters().bytesWritten.add(dirtyBytes);
    event.conversation = id();
    event.tokens = length;
    event.bytes = dirtyBytes;
    event.commit();
    sweep();
  }

  /** The last run may grow in place if its block is ours and no row behind it was promised. */
  private boolean openTail(List<KvRun> runs) {
    if (runs.isEmpty()) {
      return false;
    }
    KvRun last = runs.getLast();
    long id = last.block().id();
    boolean journaled = state.runs().stream().anyMatch(run -> run.block() == id);
    boolean wasOpen = state.openTail() && state.runs().getLast().block() == id;
    // Once a block was journaled as anything but the open tail, forks may share it unannounced.
    return blocks.writable(last.block())
        && last.block().frozenTokens() == last.tokens()
        && (!journaled || wasOpen);
  }

  private RunState checksummed(KvRun run, RunState before) {
    if (before != null && before.tokens() == run.tokens()) {
      return before;
    }
    if (before != null && before.tokens() > run.tokens()) {
      return before.cut(run.tokens());
    }
    return Checksums.extend(layout(), run, before);
  }

  private void force(KvBlock block) {
    try {
      blocks.force(block);
    } catch (IOException | RuntimeException | InternalError e) {
      throw health.fail("forcing block %016x".formatted(block.id()), e);
    }
  }

  /**
   * Cuts the sequence at a position: token ids and K/V. Takes the same time whatever the length.
   *
   * <p>Rows that were not committed are simply dropped. A cut into the last run of committed rows
   * reuses the rest of its block, if no fork, view or reader was promised those rows: the journal
   * first says, durably, that they are no longer part of the sequence. Any other cut leaves the
   * rows, and the next append goes to a fresh block.
   *
   * @throws IllegalArgumentException if there are fewer tokens
   * @throws DiskFullException if the journal has no room to say so; nothing was cut
   */
  public synchronized void truncate(long position) {
    checkUsable();
    if (position < 0 || position > tokens().count()) {
      throw new IllegalArgumentException(
          "cannot truncate to %d tokens: the conversation has %d"
              .formatted(position, tokens().count()));
    }
    boolean wasOpen = state.openTail();
    List<RunState> before = state.runs();
    boolean cutsRows = position < state.committed();
    journal.reserve(JournalScan.FRAME + JournalRecord.Ids.MOST_BESIDE_IDS);
    cache.truncate(Math.min(position, cache.length()));
    if (cutsRows) {
      // As soon as the journal names them no more, anybody may remove them.
      Set<Long> cut = state.blocksFrom(position);
      blocks.mapBeforeRemoval(cut::contains);
    }
    if (position < tokens().count()) {
      append(header.ids((int) position, new int[0], 0, 0));
    }
    if (cutsRows) {
      for (int i = state.runs().size(); i < before.size(); i++) {
        dropped.add(before.get(i).block());
      }
      if (wasOpen && state.runs().size() == before.size() && cache.length() == position) {
        reuseTail();
      }
    }
    forceSoon();
  }

  /** Lets the next append go behind the last row, if nobody was promised what stands there. */
  private void reuseTail() {
    RunState tail = state.runs().getLast();
    KvRun run = cache.promise(cache.length()).getLast();
    if (run.block().id() != tail.block() || run.block().references() != 1) {
      return;
    }
    try (LockFile.Hold _ = place.lock()) {
      if (LockFile.hasReaders(files.lock())
          || place.blocks().sharedRows(tail.block(), layout().blockTokens()) > tail.tokens()) {
        return;
      }
      if (!Checksums.lastFits(layout(), run, tail)) {
        // Damage that nobody has looked for yet: a new checksum would hide it for good.
        return;
      }
      List<RunState> next = new ArrayList<>(state.runs());
      next.set(next.size() - 1, Checksums.endingAt(layout(), run, tail));
      append(state.change(next, true, System.currentTimeMillis()));
      journal.force();
      if (LockFile.hasReaders(files.lock())) {
        // It came while the journal was forced and may have seen the longer sequence.
        append(state.change(next, false, System.currentTimeMillis()));
        journal.force();
      } else {
        cache.reclaim();
      }
    } catch (IOException | DamageException e) {
      // Whoever cannot look does not write there: the next append goes to a fresh block.
      System.getLogger("io.gatun.store")
          .log(
              System.Logger.Level.DEBUG,
              "could not look for others that use %s: %s"
                  .formatted(files.folder(), IoFailure.reason(e)));
    }
  }

  private void append(JournalRecord record) {
    long before = journal.end();
    journal.append(record);
    state.apply(record);
    store.counters().bytesWritten.add(journal.end() - before);
  }

  private void noteDropped(List<RunState> next) {
    Set<Long> kept = new HashSet<>();
    next.forEach(run -> kept.add(run.block()));
    for (RunState run : state.runs()) {
      if (!kept.contains(run.block())) {
        dropped.add(run.block());
      }
    }
  }

  /**
   * Removes the block files that nobody needs any more, now that the journal says so durably. The
   * commit stands whatever happens here; what fails is tried again by the next one.
   */
  private void sweep() {
    if (!dropped.isEmpty()) {
      try {
        state.runs().forEach(run -> dropped.remove(run.block()));
        place.collect(Set.copyOf(dropped), erasing, header.owner(), () -> !othersMayName());
        dropped.clear();
      } catch (GatunException e) {
        System.getLogger("io.gatun.store")
            .log(System.Logger.Level.WARNING, "blocks that are not needed stay: " + e.getMessage());
      }
    }
  }

  /** Whether another conversation may name our blocks. Store's lock held. */
  private boolean othersMayName() {
    return !header.hasStamps() || journal.forked();
  }

  private void forceSoon() {
    if (options.tokenDelay().isZero()) {
      journal.force();
    } else if (forceScheduled.compareAndSet(false, true)) {
      ForceTimer.runIn(options.tokenDelay().toNanos(), this::forceLate);
    }
  }

  private void forceLate() {
    forceScheduled.set(false);
    try {
      if (!closed && !health.failed()) {
        journal.force();
      }
    } catch (StoreFailedException e) {
      // The handle is poisoned now: its next call throws this.
      System.getLogger("io.gatun.store").log(System.Logger.Level.ERROR, e.getMessage());
    }
  }

  /**
   * Writes down that the conversation was closed, with the stamps that vouch for its blocks; in a
   * journal that is written anew if most of this one is dead, or is of an older version.
   */
  private void markClosed() {
    for (RunState run : state.runs()) {
      if (blocks.mayHaveWritten(run.block())) {
        vouching.take(run.block(), state);
      }
    }
    JournalRecord.Mark mark =
        new JournalRecord.Mark(JournalRecord.Mark.CLOSED, System.currentTimeMillis());
    List<JournalRecord.Stamps> stamps = vouching.records(state);
    long live = JournalCompaction.liveBytes(state);
    long dead = journal.end() - live;
    if (erasing || !header.hasStamps() || dead > live && dead > JournalCompaction.WORTHWHILE) {
      journal.force();
      stamps.forEach(state::apply);
      state.apply(mark);
      if (rewritten()) {
        return;
      }
      if (erasing) {
        notErased.add("ids that were cut off stay: the journal could not be written anew");
      }
    }
    if (header.hasStamps()) {
      stamps.forEach(this::append);
    }
    append(mark);
  }

  /**
   * Has closing overwrite all that was cut off: ids, and rows that no other conversation holds.
   *
   * @see ConversationStore#truncate(String, long, boolean)
   */
  synchronized void eraseOnClose() {
    checkUsable();
    erasing = true;
  }

  /** What could not be overwritten, a sentence each; known once it is closed. */
  List<String> notErased() {
    return List.copyOf(notErased);
  }

  private void eraseBehindRows() {
    CutRows rows = new CutRows(place, files, header);
    notErased.addAll(
        rows.erase(
            state,
            cache.promise(cache.length()),
            record -> {
              append(record);
              journal.force();
            },
            block -> vouching.take(block, state)));
  }

  /** Writes the journal anew; what fails leaves the old one in its place. */
  private boolean rewritten() {
    try (LockFile.Hold _ = place.lock()) {
      JournalCompaction.run(files, header, state, !header.hasStamps() || journal.forked(), erasing);
      return true;
    } catch (IOException | GatunException e) {
      System.getLogger("io.gatun.store")
          .log(
              System.Logger.Level.DEBUG,
              "%s was not written anew: %s".formatted(files.journal(), IoFailure.reason(e)));
      return false;
    }
  }

  private void checkUsable() {
    if (closed) {
      throw new IllegalStateException("conversation '%s' is closed".formatted(id()));
    }
    health.check();
  }

  /**
   * Commits, unless {@link StoreOptions#commitOnClose} is off, notes that the conversation was
   * closed, and lets go of its files, also if that fails. Views of the cache stay valid until they
   * are closed.
   */
  @Override
  public synchronized void close() {
    if (closed) {
      return;
    }
    try (LockFile.Hold _ = writerLock) {
      try {
        if (!health.failed()) {
          if (options.commitOnClose()) {
            commit();
          }
          // Without this mark the next opening checks everything, and gives up what is damaged.
          journal.force();
          sweep();
          if (erasing) {
            eraseBehindRows();
          }
          if (!blocks.damaged()) {
            markClosed();
          }
          journal.force();
          place.touch(files);
        }
      } finally {
        closed = true;
        cache.close();
        blocks.close();
        journal.close();
        store.closed(this);
      }
    }
  }
}
