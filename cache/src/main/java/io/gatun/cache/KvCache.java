package io.gatun.cache;

import java.lang.foreign.MemorySegment;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.Objects;

/**
 * The keys and values of one sequence, outside the Java heap: a list of runs, each the first rows
 * of a block. It grows a block at a time, so no capacity has to be known.
 *
 * <p>One step of a decoder, for a batch of {@code n >= 1} tokens:
 *
 * <pre>
 *   for each layer:  append(layer, keys, values, n)     rows become readable in live(), this layer
 *                    attention over live()
 *   advance(n)                                          rows become readable for everybody
 * </pre>
 *
 * Appended rows that were not advanced over are <em>pending</em>: {@link #truncate} drops them, and
 * so does closing.
 *
 * <p>Rows that somebody was promised (a {@link #view}, a {@link #fork}, a commit) are never written
 * again. After a {@link #truncate} into such rows the next append goes to a fresh block, and the
 * rows before the cut stay where they are.
 *
 * <p>Thread rules: one writer thread at a time; {@link #view} and {@link #length} may be called
 * from any thread.
 */
public final class KvCache implements AutoCloseable {
  private final KvLayout layout;
  private final BlockSource source;
  private final boolean ownsSource;
  private final RowWriter rowWriter;
  private final Live live = new Live();

  private final RunList runs;

  private volatile long length;

  /** Rows that each layer was given beyond {@link #length}. */
  private final int[] pending;

  private int mostPending;
  private volatile boolean closed;

  private KvCache(BlockSource source, boolean ownsSource) {
    this.layout = source.layout();
    this.source = source;
    this.ownsSource = ownsSource;
    this.pending = new int[layout.shape().layers()];
    this.runs = new RunList(layout.blockTokens());
    this.rowWriter = new RowWriter(layout);
  }

  /** Starts the description of a cache; the defaults are F32, anonymous memory, 1,024 tokens. */
  public static Builder builder(KvShape shape) {
    return new Builder(shape);
  }

  /** An empty cache whose blocks come from {@code source}, which stays the caller's to close. */
  public static KvCache of(BlockSource source) {
    return new KvCache(source, false);
  }

  /**
   * A cache over runs that exist already, as a store finds them when it opens a conversation. Their
   * rows are frozen. One reference to each block passes to the cache.
   *
   * @param source where further blocks come from; stays the caller's to close
   * @param ownsLast whether the rows behind the last run are this cache's to write; if not, the
   *     next append takes a fresh block
   */
  public static KvCache of(BlockSource source, List<KvRun> runs, boolean ownsLast) {
    KvCache cache = new KvCache(source, false);
    int blockTokens = cache.layout.blockTokens();
    for (KvRun run : runs) {
      if (run.tokens() < 1 || run.tokens() > blockTokens) {
        throw new IllegalArgumentException(
            "a run of %d tokens in a block of %d".formatted(run.tokens(), blockTokens));
      }
      run.block().freeze(run.tokens());
      cache.runs.add(run.block(), cache.length, ownsLast && run == runs.getLast());
      cache.length += run.tokens();
    }
    cache.runs.settle(cache.length);
    return cache;
  }

  /** Where the rows of each block lie. */
  public KvLayout layout() {
    return layout;
  }

  /** Layers, heads and widths. */
  public KvShape shape() {
    return layout.shape();
  }

  /** Tokens that were advanced over. */
  public long length() {
    return length;
  }

  /** Rows that a layer was given beyond {@link #length}. */
  public int pending(int layer) {
    return pending[layer];
  }

  /** Bytes of the blocks that this cache refers to, shared ones included. */
  public synchronized long blockBytes() {
    return Math.multiplyExact((long) runs.count(), layout.blockBytes());
  }

  /**
   * Appends rows to a layer, behind those it has.
   *
   * @param keys f32, {@code [tokens][kvHeads][keyDim]}, native or heap
   * @param values f32, {@code [tokens][kvHeads][valueDim]}; ignored where values lie in the keys
   * @throws GatunException if a value is not finite, or too large for the element type; it names
   *     layer, head, token and value, and nothing was appended
   * @throws DiskFullException if a new block is needed and has no room; nothing was appended
   */
  public void append(int layer, MemorySegment keys, MemorySegment values, int tokens) {
    checkOpen();
    Objects.checkIndex(layer, pending.length);
    checkTokens(tokens);
    long start = length + pending[layer];
    rowWriter.check(layer, start, keys, values, tokens);
    ensureRoom(start + tokens);
    int done = 0;
    for (int run = runs.runOf(start); done < tokens; run++) {
      int row = (int) (start + done - runs.start(run));
      int rows = Math.min(tokens - done, runs.limit(run) - row);
      rowWriter.write(runs.block(run), layer, row, keys, values, done, rows);
      done += rows;
    }
    pending[layer] += tokens;
    mostPending = Math.max(mostPending, pending[layer]);
  }

  /**
   * Makes the next {@code tokens} tokens part of the sequence.
   *
   * @throws IllegalStateException if a layer was given fewer rows; it names the layer
   */
  public void advance(int tokens) {
    checkOpen();
    checkTokens(tokens);
    checkPending(tokens);
    for (int layer = 0; layer < pending.length; layer++) {
      pending[layer] -= tokens;
    }
    mostPending -= tokens;
    // The volatile write comes last: whoever reads the new length sees the rows.
    length += tokens;
  }

  /**
   * Makes some of the pending tokens part of the sequence, in their order, and drops the others:
   * after a tree of drafts was verified, those of the accepted path. Their rows are moved together,
   * one token's at a time; rows of the sequence are not touched.
   *
   * @param accepted which of the pending tokens, counted from 0, ascending; none drops them all
   * @throws IllegalArgumentException if they do not ascend
   * @throws IllegalStateException if a layer was given fewer rows; it names the layer
   */
  public void keep(int... accepted) {
    checkOpen();
    for (int i = 0; i < accepted.length; i++) {
      if (accepted[i] < (i == 0 ? 0 : accepted[i - 1] + 1)) {
        throw new IllegalArgumentException(
            "pending tokens %s do not ascend from 0 on".formatted(Arrays.toString(accepted)));
      }
    }
    if (accepted.length > 0) {
      checkPending(accepted[accepted.length - 1] + 1);
      RowMover mover = new RowMover(layout, runs);
      for (int i = 0; i < accepted.length; i++) {
        if (accepted[i] != i) {
          mover.move(length + accepted[i], length + i);
        }
      }
      advance(accepted.length);
    }
    truncate(length);
  }

  /**
   * Drops every token from position {@code tokens} on, and all pending rows: O(1) apart from giving
   * back the blocks that hold none of what is left.
   */
  public synchronized void truncate(long tokens) {
    checkOpen();
    if (tokens < 0 || tokens > length) {
      throw new IllegalArgumentException(
          "cannot truncate to %d tokens: the cache has %d".formatted(tokens, length));
    }
    Arrays.fill(pending, 0);
    mostPending = 0;
    length = tokens;
    runs.cut(tokens);
  }

  /**
   * After {@link #truncate}: makes the rows behind the end of the sequence writable again, so that
   * the next append needs no fresh block. For an owner of the blocks that knows that nobody else
   * was promised those rows; does nothing if a view or a fork of this cache holds the block.
   *
   * @return whether the next append goes behind the last row
   */
  public synchronized boolean reclaim() {
    checkOpen();
    return runs.reclaim(length);
  }

  /**
   * A cache with the first {@code tokens} tokens of this one: no row is copied, the blocks are
   * shared. Both sides go on independently; pending rows stay with this one.
   *
   * @throws IllegalArgumentException if there are fewer tokens
   */
  public synchronized KvCache fork(long tokens) {
    checkOpen();
    if (tokens < 0 || tokens > length) {
      throw new IllegalArgumentException(
          "cannot fork at %d tokens: the cache has %d".formatted(tokens, length));
    }
    KvCache child = new KvCache(source, false);
    for (KvRun run : runs.promise(tokens)) {
      child.runs.add(run.block().retain(), child.length, false);
      child.length += run.tokens();
    }
    child.runs.settle(child.length);
    return child;
  }

  /** An immutable view of the tokens advanced over so far; close it when done. Any thread. */
  public synchronized KvView view() {
    checkOpen();
    return new SnapshotView(layout, runs.promise(length));
  }

  /**
   * The runs that hold the first {@code tokens} tokens, their rows frozen from now on. The blocks
   * are not retained for the caller.
   */
  public synchronized List<KvRun> promise(long tokens) {
    checkOpen();
    return runs.promise(tokens);
  }

  /** The writer's own view, always the same object; see {@link KvView}. */
  public KvView live() {
    return live;
  }

  /** Gives all blocks back. Views of this cache keep theirs until they are closed. */
  @Override
  public synchronized void close() {
    if (closed) {
      return;
    }
    closed = true;
    runs.clear();
    if (ownsSource) {
      source.close();
    }
  }

  private void ensureRoom(long tokens) {
    while (runs.room() < tokens) {
      addFresh(source.allocate());
    }
  }

  private synchronized void addFresh(KvBlock block) {
    runs.add(block, runs.room(), true);
  }

  private void checkPending(int tokens) {
    for (int layer = 0; layer < pending.length; layer++) {
      if (pending[layer] < tokens) {
        throw new IllegalStateException(
            "cannot advance by %d tokens: layer %d was given %d"
                .formatted(tokens, layer, pending[layer]));
      }
    }
  }

  private void checkOpen() {
    if (closed) {
      throw new IllegalStateException("the cache is closed");
    }
  }

  private static void checkTokens(int tokens) {
    if (tokens < 1) {
      throw new IllegalArgumentException("tokens is %d, not at least 1".formatted(tokens));
    }
  }

  /** The writer's view: reads the cache's own state, so that a step allocates nothing. */
  private final class Live implements KvView {
    @Override
    public KvLayout layout() {
      return layout;
    }

    @Override
    public long length() {
      return length;
    }

    @Override
    public long length(int layer) {
      return length + pending[layer];
    }

    @Override
    public int runs() {
      return runs.count();
    }

    @Override
    public long runStart(int run) {
      return runs.start(run);
    }

    @Override
    public int runTokens(int run) {
      long used = length + mostPending - runs.start(run);
      return Math.clamp(used, 0, runs.limit(run));
    }

    @Override
    public MemorySegment keys(int run) {
      checkOpen();
      return runs.block(run).keys();
    }

    @Override
    public MemorySegment values(int run) {
      checkOpen();
      return runs.block(run).values();
    }

    @Override
    public void close() {}
  }

  /** The description of a cache; see {@link KvCache#builder}. */
  public static final class Builder {
    private final KvShape shape;
    private KvType keyType = KvType.F32;
    private KvType valueType = KvType.F32;
    private int blockTokens = KvLayout.DEFAULT_BLOCK_TOKENS;
    private Path folder;

    private Builder(KvShape shape) {
      this.shape = Objects.requireNonNull(shape, "shape");
    }

    /** Element type of keys and values. */
    public Builder type(KvType type) {
      return types(type, type);
    }

    /** Element types of keys and of values. */
    public Builder types(KvType keys, KvType values) {
      this.keyType = Objects.requireNonNull(keys, "keys");
      this.valueType = Objects.requireNonNull(values, "values");
      return this;
    }

    /** Tokens of a block, a power of two from 16 to 2^20. */
    public Builder blockTokens(int tokens) {
      this.blockTokens = tokens;
      return this;
    }

    /**
     * Puts the blocks into mapped scratch files of this folder, which must exist: for contexts
     * larger than RAM. The files have no names and vanish with the cache; a cache that is to be
     * found again belongs in a {@code ConversationStore}.
     */
    public Builder mappedIn(Path folder) {
      this.folder = Objects.requireNonNull(folder, "folder");
      return this;
    }

    /** The cache, empty. */
    public KvCache build() {
      KvLayout layout = new KvLayout(shape, keyType, valueType, blockTokens);
      BlockSource source =
          folder == null ? new AnonymousBlocks(layout) : new ScratchFileBlocks(layout, folder);
      return new KvCache(source, true);
    }
  }
}
