package io.gatun.store;

import io.gatun.cache.BlockSource;
import io.gatun.cache.GatunException;
import io.gatun.cache.KvBlock;
import io.gatun.cache.KvCache;
import io.gatun.cache.KvLayout;
import io.gatun.cache.KvRun;
import io.gatun.cache.KvView;
import java.io.IOException;
import java.io.RandomAccessFile;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;

/**
 * A conversation that is open for reading, possibly while a writer in this or another process goes
 * on with it. Shows committed tokens only; {@link #refresh} takes what was committed since, without
 * reopening.
 *
 * <p>As long as it is open, no committed row that it can have seen is written again.
 *
 * <p>Thread rules: one thread at a time; views may be used by any number of threads.
 */
public final class ConversationReader implements AutoCloseable {
  /** How often a state may vanish under us before that is an error: each time a newer one came. */
  private static final int PATIENCE = 1_000;

  private final StoreFolder store;
  private final ConversationFiles files;
  private final LockFile.Hold readerLock;
  private RandomAccessFile journal;

  /** Which file is open: a writer may put a new one in its place. */
  private long identity;

  private final JournalHeader header;
  private JournalState state;
  private final StoreBlocks blocks;
  private final Map<Long, KvBlock> mapped = new HashMap<>();

  /** Rows of blocks that are known to be those of the journal. */
  private final Map<Long, Integer> sound = new HashMap<>();

  private KvCache cache;
  private long end;
  private int crc;
  private boolean closed;

  private ConversationReader(
      StoreFolder store,
      ConversationFiles files,
      LockFile.Hold readerLock,
      RandomAccessFile journal,
      long identity,
      byte[] page) {
    this.store = store;
    this.files = files;
    this.readerLock = readerLock;
    this.journal = journal;
    this.identity = identity;
    this.header = JournalHeader.decode(page, files.journal());
    this.state = new JournalState(header.owner(), header.layout().blockTokens());
    this.blocks =
        StoreBlocks.forReading(
            store.blocks(),
            header.layout(),
            header.fingerprint(),
            "Run 'gatun conversations verify %s'".formatted(files.id()));
    this.cache = KvCache.of((BlockSource) blocks);
    this.end = JournalHeader.BYTES;
    this.crc = JournalHeader.crc(page);
  }

  static ConversationReader open(StoreFolder store, ConversationFiles files) throws IOException {
    FileLook.requireFolder(files.folder());
    LockFile.Hold lock = LockFile.reader(files.lock());
    RandomAccessFile journal = null;
    ConversationReader reader = null;
    try {
      long identity = FileStamp.identity(files.journal());
      journal = FileLook.open(files.journal());
      byte[] page = JournalFile.page(journal, files.journal());
      reader = new ConversationReader(store, files, lock, journal, identity, page);
      reader.refresh();
      return reader;
    } catch (IOException | RuntimeException | Error e) {
      if (reader != null) {
        // It may have mapped some of the blocks before the one that it was refused for.
        reader.close();
      } else if (journal != null) {
        journal.close();
      }
      lock.close();
      throw e;
    }
  }

  /** Its name in the store. */
  public String id() {
    return files.id();
  }

  /** Where rows lie. */
  public KvLayout layout() {
    return header.layout();
  }

  /** The fingerprint, element types and shape included. */
  public Fingerprint fingerprint() {
    return header.fingerprint();
  }

  /**
   * The token ids that were on disk at the last {@link #refresh}; changes with it, and is another
   * object once a writer has written the journal anew.
   */
  public Tokens tokens() {
    return state.tokens();
  }

  /** Tokens whose K/V was on disk at the last {@link #refresh}. */
  public long committedTokens() {
    return state.committed();
  }

  /** The committed K/V as of the last {@link #refresh}; close it when done. */
  public KvView view() {
    checkOpen();
    return cache.view();
  }

  /**
   * Takes what was committed since the last time.
   *
   * @return whether there was anything
   * <p>The blocks are mapped here, since the writer may remove one at any time; their headers are
   * checked when a view's memory is first used, which throws {@link GatunException} for a block that
   * is not what it should be.
   *
   * @throws GatunException if the conversation was cut back by a recovery, or a block is missing or
   *     cut off
   */
  public boolean refresh() {
    checkOpen();
    try {
      boolean changed = reopenIfReplaced();
      for (int tries = 0; ; tries++) {
        changed |= readJournal();
        try {
          mapBlocks();
          return changed;
        } catch (DamageException e) {
          // A writer may have dropped the block after the state that we read: then there is a
          // newer.
          if (tries == PATIENCE || published() <= end) {
            throw e;
          }
        }
      }
    } catch (IOException e) {
      throw IoFailure.of("cannot read conversation '%s'".formatted(id()), files.folder(), e);
    }
  }

  /** Goes on with the journal that stands in the place of the one that is open, if there is one. */
  private boolean reopenIfReplaced() throws IOException {
    if (!FileLook.exists(files.journal())) {
      // Renamed or deleted: what is open stays readable.
      return false;
    }
    long now = FileStamp.identity(files.journal());
    if (now == identity) {
      return false;
    }
    RandomAccessFile replacement = FileLook.open(files.journal());
    byte[] page;
    try {
      page = JournalFile.page(replacement, files.journal());
      JournalHeader found = JournalHeader.decode(page, files.journal());
      if (found.owner() != header.owner()) {
        replacement.close();
        return false;
      }
    } catch (IOException | RuntimeException | Error e) {
      replacement.close();
      throw e;
    }
    journal.close();
    journal = replacement;
    identity = now;
    state = new JournalState(header.owner(), header.layout().blockTokens());
    end = JournalHeader.BYTES;
    crc = JournalHeader.crc(page);
    return true;
  }

  /**
   * Makes sure that the rows of a run are those that the journal promises: by the stamp of the file,
   * by a writer that is at work and has made sure itself, or by their checksums.
   */
  private void requireSound(RunState run) throws IOException {
    if (sound.getOrDefault(run.block(), 0) >= run.tokens()) {
      return;
    }
    Path file = store.blocks().file(run.block());
    long stamp = state.stamp(run.block());
    boolean vouched = stamp != FileStamp.UNKNOWN && stamp == FileStamp.of(file);
    if (!vouched && !store.openForWriting(files)) {
      BlockHeader expected = new BlockHeader(run.block(), header.layout(), header.fingerprint());
      int rows = BlockCheck.soundRows(file, expected, run);
      if (rows < run.tokens()) {
        throw new DamageException(
            "%s: rows from %d on are not those of the journal (checksum); run 'gatun conversations verify %s', or open the conversation for writing, which gives them up"
                .formatted(file, rows, id()));
      }
    }
    sound.put(run.block(), run.tokens());
  }

  private long published() throws IOException {
    byte[] word = new byte[8];
    journal.seek(JournalHeader.PUBLISHED);
    journal.readFully(word);
    long value = 0;
    for (int i = 7; i >= 0; i--) {
      value = value << 8 | (word[i] & 0xff);
    }
    return value;
  }

  /**
   * Takes the records up to the published end, and, if nobody writes now, whatever else checks: the
   * published end is not forced, so after a crash it may lie before what was acknowledged.
   */
  private boolean readJournal() throws IOException {
    long published = published();
    JournalScan scan = new JournalScan(journal, end, crc, Math.max(end, published));
    scan.applyTo(state);
    boolean reached = scan.end() >= published;
    if (reached && scan.more() && !store.openForWriting(files)) {
      scan.goOn();
      scan.applyTo(state);
    }
    boolean changed = scan.end() > end;
    end = scan.end();
    crc = scan.crc();
    if (!reached) {
      throw new DamageException(
          "%s: the record at offset %,d is damaged (%s); run 'gatun conversations verify %s'"
              .formatted(files.journal(), end, scan.stopped(), id()));
    }
    return changed;
  }

  private void mapBlocks() throws IOException {
    List<KvRun> runs = new ArrayList<>();
    try {
      for (RunState run : state.runs()) {
        KvBlock block = mapped.get(run.block());
        if (block == null) {
          block = blocks.mapped(run.block());
          mapped.put(run.block(), block);
        }
        requireSound(run);
        runs.add(new KvRun(block.retain(), run.tokens()));
      }
    } catch (IOException | RuntimeException | Error e) {
      runs.forEach(run -> run.block().release());
      throw e;
    }
    KvCache before = cache;
    cache = KvCache.of(blocks, runs, false);
    before.close();
    List<Long> needed = state.runs().stream().map(RunState::block).toList();
    mapped
        .entrySet()
        .removeIf(entry -> {
          boolean gone = !needed.contains(entry.getKey());
          if (gone) {
            entry.getValue().release();
          }
          return gone;
        });
  }

  private void checkOpen() {
    if (closed) {
      throw new IllegalStateException("the reader of '%s' is closed".formatted(id()));
    }
  }

  /** Lets go of the files. Views must not be used for longer than the reader is open. */
  @Override
  public void close() {
    if (closed) {
      return;
    }
    closed = true;
    try (LockFile.Hold _ = readerLock) {
      cache.close();
      mapped.values().forEach(KvBlock::release);
      journal.close();
    } catch (IOException e) {
      throw IoFailure.of("cannot close a reader", files.folder(), e);
    }
  }
}
