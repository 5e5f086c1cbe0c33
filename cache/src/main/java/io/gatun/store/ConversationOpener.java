package io.gatun.store;

import io.gatun.cache.GatunException;
import io.gatun.cache.KvBlock;
import io.gatun.cache.KvCache;
import io.gatun.cache.KvLayout;
import io.gatun.cache.KvRun;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.Callable;
import java.util.concurrent.ConcurrentHashMap;

/**
 * Opens a conversation for writing, recovering it if need be: the longest prefix of its journal that
 * checks, and the K/V of as many tokens as have sound blocks. Reads with plain reads only; can be
 * interrupted and repeated at any point. One use, with the writer's lock held.
 *
 * <p>Everything that is needed is read before the first byte is written: rows are given up only for
 * {@link DamageException}, and any other failure leaves the files as they are.
 */
final class ConversationOpener {
  /** Threads that open block files: what waits is the disk, not the processor. */
  private static final int OPENERS = 16;

  private final ConversationStore store;
  private final StoreFolder place;
  private final ConversationFiles files;
  private final StoreOptions options;
  private final int reused;
  private final List<String> findings = new ArrayList<>();

  /** Whether the journal is the file that it was written as, not a copy of it. */
  private boolean original;

  /** Stamps of the files whose rows were compared with their checksums. */
  private final Map<Long, Long> stamps = new ConcurrentHashMap<>();

  /** An opener; {@code reused} tokens of a conversation just made came from another one. */
  ConversationOpener(
      ConversationStore store, ConversationFiles files, StoreOptions options, int reused) {
    this.reused = reused;
    this.store = store;
    this.place = store.place();
    this.files = files;
    this.options = options;
  }

  /**
   * Opens it, or lets go of the lock.
   *
   * @param wanted fingerprint with the layout
   */
  Conversation open(LockFile.Hold writer, Fingerprint wanted, KvLayout layout) throws IOException {
    Health health = new Health("conversation '%s'".formatted(files.id()));
    Journal journal = null;
    KvCache cache = null;
    OpenEvent event = new OpenEvent();
    event.begin();
    try {
      JournalFile found = JournalFile.read(files.journal());
      requireSame(found.header(), wanted, layout);
      noteTail(found);
      long identity = FileStamp.identity(files.journal());
      original = identity != FileStamp.UNKNOWN && found.home() == identity;
      JournalState state = found.state();
      boolean cleanExit = state.closed();
      boolean validate =
          switch (options.validation()) {
            case NEVER -> false;
            case AFTER_UNCLEAN_EXIT -> !cleanExit;
            case ALWAYS -> true;
          };
      List<Long> present = place.blocks().blocks(found.header().owner());
      Set<Long> named = new HashSet<>();
      state.runs().forEach(run -> named.add(run.block()));
      StoreBlocks blocks = blocks(found.header(), state, present, health);
      // The mark of a clean exit was forced behind everything that it vouches for.
      boolean late = cleanExit && !validate && findings.isEmpty();
      cache = cache(found.header(), state, blocks, validate, late ? present : null);
      // From here on files are changed.
      found.clearTail();
      Folders.create(place.blocks().folder(found.header().owner()));
      journal = Journal.open(files.journal(), health, found.end(), found.crc());
      JournalRecord.Mark mark =
          new JournalRecord.Mark(JournalRecord.Mark.OPENED, System.currentTimeMillis());
      journal.append(mark);
      state.apply(mark);
      if (!cleanExit) {
        // What the last writer left may stand in the page cache only; this also publishes it.
        journal.force();
      }
      if (cache.length() < state.committed()) {
        giveUpDamagedRows(state, cache.length(), journal);
      }
      if (!original) {
        closeTail(state, journal);
        if (found.header().hasStamps()) {
          journal.home(identity);
        }
      }
      removeLeftovers(present, named);
      place.touch(files);
      OpenReport report =
          new OpenReport(
              cleanExit, validate, cache.length(), state.tokens().count(), reused, findings);
      Conversation conversation =
          new Conversation(
              store,
              files,
              options,
              health,
              found.header(),
              state,
              journal,
              blocks,
              cache,
              writer,
              new Vouching(place.blocks(), stamps),
              report);
      event.conversation = files.id();
      event.knownTokens = report.knownTokens();
      event.committedTokens = report.committedTokens();
      event.cleanExit = cleanExit;
      event.findings = findings.size();
      event.commit();
      return conversation;
    } catch (IOException | RuntimeException | Error e) {
      if (cache != null) {
        cache.close();
      }
      if (journal != null) {
        journal.close();
      }
      writer.close();
      throw e;
    }
  }

  private void requireSame(JournalHeader header, Fingerprint wanted, KvLayout layout) {
    KvLayout stored = header.layout();
    boolean sameForm =
        stored.shape().equals(layout.shape())
            && stored.keyType() == layout.keyType()
            && stored.valueType() == layout.valueType();
    if (sameForm && header.fingerprint().equals(wanted)) {
      return;
    }
    String difference =
        sameForm
            ? "by another model"
            : "as %s; this run has %s".formatted(form(stored), form(layout));
    throw new GatunException(
        "conversation '%s' was stored %s (fingerprint stored %s, now %s); use the same model and type, or another conversation"
            .formatted(files.id(), difference, header.fingerprint(), wanted));
  }

  private static String form(KvLayout layout) {
    return "%s, keys %s, values %s"
        .formatted(layout.shape(), layout.keyType().label(), layout.valueType().label());
  }

  private void noteTail(JournalFile found) {
    if (found.stopped() != null || found.dropped() > 0) {
      findings.add(
          "%s: dropped %,d bytes from offset %,d on (%s); a copy is in journal.dropped"
              .formatted(
                  files.journal(),
                  found.dropped(),
                  found.end(),
                  found.stopped() == null ? "no record" : found.stopped()));
    }
  }

  /** Removes blocks of ours that a crash left behind. What fails here is tried by the next opening. */
  private void removeLeftovers(List<Long> present, Set<Long> named) {
    Set<Long> unnamed = new HashSet<>(present);
    unnamed.removeAll(named);
    if (!unnamed.isEmpty()) {
      try {
        place.collect(unnamed);
      } catch (GatunException e) {
        findings.add("blocks that a crash left behind were not removed: " + e.getMessage());
      }
    }
  }

  private StoreBlocks blocks(
      JournalHeader header, JournalState state, List<Long> present, Health health) {
    int next = state.nextNumber();
    for (long block : present) {
      next = Math.max(next, (int) block + 1);
    }
    String remedy =
        "Close conversation '%s' and open it again: it keeps all tokens, and says which need a prefill"
            .formatted(files.id());
    return new StoreBlocks(
        place.blocks(),
        header.owner(),
        next,
        header.layout(),
        header.fingerprint(),
        health,
        store::beforeAllocating,
        remedy);
  }

  /**
   * The cache over the committed runs, up to the first that is not sound.
   *
   * <p>After a clean exit the files that the journal vouches for by their stamps are not opened,
   * except for the last one, which may be written to: a block is mapped and checked when its rows
   * are first used, so that opening takes about the same time whatever the length. The rows of any
   * other file are compared with their checksums, in several threads.
   *
   * @param present the owner's files; null to open all blocks now, and to compare rows only if
   *     {@code validate} says so
   */
  private KvCache cache(
      JournalHeader header,
      JournalState state,
      StoreBlocks blocks,
      boolean validate,
      List<Long> present)
      throws IOException {
    List<RunState> runs = state.runs();
    boolean mayWrite =
        state.openTail()
            && runs.getLast().tokens() < header.layout().blockTokens()
            && mayWriteBehind(header, runs.getLast());
    Set<Long> known = present == null ? Set.of() : named(header.owner(), present, runs);
    List<Callable<OpenedRun>> tasks = new ArrayList<>();
    int opening = 0;
    for (int i = 0; i < runs.size(); i++) {
      RunState run = runs.get(i);
      boolean writable = mayWrite && i == runs.size() - 1;
      boolean vouched = present != null && known.contains(run.block()) && vouched(run, state);
      if (!writable && vouched) {
        tasks.add(() -> new OpenedRun(blocks.late(run.block()), run.tokens(), null));
      } else {
        // A copy, or a file that changed since: its rows are compared with their checksums.
        boolean check = validate || present != null && !vouched;
        opening++;
        tasks.add(() -> openRun(header, run, blocks, writable, check));
      }
    }
    List<OpenedRun> opened;
    try {
      // Threads cost more than they bring where only the last block is opened.
      opened = InParallel.all(tasks, opening > 1 ? OPENERS : 1);
    } catch (IOException e) {
      blocks.abandon();
      throw new IOException(
          "a block could not be read (%s); nothing was changed, try again. Rows are given up only for files that are proved damaged or missing"
              .formatted(IoFailure.reason(e)),
          e);
    } catch (RuntimeException | Error e) {
      // One refuses the whole conversation: the others' maps must not stay behind.
      blocks.abandon();
      throw e;
    }
    List<KvRun> sound = new ArrayList<>();
    boolean whole = true;
    for (int i = 0; i < opened.size(); i++) {
      OpenedRun run = opened.get(i);
      if (whole && run.finding != null) {
        findings.add(run.finding);
      }
      if (whole && run.block != null) {
        sound.add(new KvRun(run.block, run.sound));
      } else if (run.block != null) {
        run.block.release();
      }
      whole &= run.block != null && run.sound == runs.get(i).tokens();
    }
    return KvCache.of(blocks, sound, whole && mayWrite);
  }

  /** Whether a block's file is the one, unchanged, that the journal vouches for. */
  private boolean vouched(RunState run, JournalState state) throws IOException {
    long stamp = state.stamp(run.block());
    try {
      return stamp != FileStamp.UNKNOWN && stamp == FileStamp.of(place.blocks().file(run.block()));
    } catch (DamageException e) {
      // Opening the block says what is wrong with it.
      return false;
    }
  }

  /** The blocks of all owners among the runs that have a file of their name. */
  private Set<Long> named(int owner, List<Long> present, List<RunState> runs) throws IOException {
    Set<Long> named = new HashSet<>(present);
    Set<Integer> listed = new HashSet<>(Set.of(owner));
    for (RunState run : runs) {
      int other = BlockFolder.owner(run.block());
      if (listed.add(other)) {
        named.addAll(place.blocks().blocks(other));
      }
    }
    return named;
  }

  /**
   * A run as it was found.
   *
   * @param block null if no row of it is sound
   * @param sound rows that are
   * @param finding what is wrong, or null
   */
  private record OpenedRun(KvBlock block, int sound, String finding) {}

  private OpenedRun openRun(
      JournalHeader header, RunState run, StoreBlocks blocks, boolean writable, boolean validate)
      throws IOException {
    Path file = place.blocks().file(run.block());
    try {
      int sound = run.tokens();
      long stamp = FileStamp.of(file);
      if (validate) {
        BlockHeader expected = new BlockHeader(run.block(), header.layout(), header.fingerprint());
        sound = BlockCheck.soundRows(file, expected, run);
      }
      String finding =
          sound == run.tokens()
              ? null
              : "%s: rows from %d on are damaged (checksum); their tokens need a prefill"
                  .formatted(file, sound);
      KvBlock block =
          sound == 0 ? null : blocks.open(run.block(), sound, writable && finding == null);
      if (validate && finding == null) {
        stamps.put(run.block(), stamp);
      }
      return new OpenedRun(block, sound, finding);
    } catch (DamageException e) {
      return new OpenedRun(null, 0, e.getMessage());
    }
  }

  /** Writes down that rows were lost, so that nobody takes the damaged ones for sound again. */
  private static void giveUpDamagedRows(JournalState state, long sound, Journal journal) {
    List<RunState> left = new ArrayList<>();
    long start = 0;
    for (RunState run : state.runs()) {
      if (start >= sound) {
        break;
      }
      left.add(run.cut((int) Math.min(run.tokens(), sound - start)));
      start += run.tokens();
    }
    JournalRecord.Rows rows = state.change(left, false, System.currentTimeMillis());
    journal.append(rows);
    state.apply(rows);
    journal.force();
  }

  /**
   * Says that nobody writes behind the last row of a copied journal: its block may be of a later
   * moment, and conversations that were copied with it may hold rows there. Durable before the
   * journal is taken for an original.
   */
  private static void closeTail(JournalState state, Journal journal) {
    if (state.openTail()) {
      JournalRecord.Rows rows = state.change(state.runs(), false, System.currentTimeMillis());
      journal.append(rows);
      state.apply(rows);
      journal.force();
    }
  }

  private boolean mayWriteBehind(JournalHeader header, RunState run) throws IOException {
    if (!original || BlockFolder.owner(run.block()) != header.owner()) {
      return false;
    }
    // A reader may have come when the sequence was longer, and have been promised those rows.
    if (LockFile.hasReaders(files.lock())) {
      return false;
    }
    try {
      if (FileStamp.names(place.blocks().file(run.block())) > 1) {
        // Another name of the file may belong to a copy of the store, which is not ours to write.
        return false;
      }
      int shared = place.blocks().sharedRows(run.block(), header.layout().blockTokens());
      return shared <= run.tokens();
    } catch (DamageException e) {
      // Opening the block says what is wrong with it.
      return false;
    }
  }
}
