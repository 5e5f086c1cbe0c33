package io.gatun.attention;

import io.gatun.attention.code.Floats;
import io.gatun.attention.code.MachineCode;
import io.gatun.cache.KvLayout;
import io.gatun.cache.KvView;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.Arrays;

/**
 * A set of query rows that share a KV head, and their running softmax: the query heads of a group
 * for one token or several. Every row comes out the same, bit for bit, whatever rows stand beside
 * it and however the calls are cut, because all that is rounded follows absolute positions: tiles
 * of {@link #TILE} tokens are taken in one after the other within a split of {@link #SPLIT} tokens,
 * splits are merged one after the other, and a token that a row does not see changes nothing.
 *
 * <p>Thread rules: scratch of one worker.
 */
final class RowBlock {
  /** Tokens of a tile: its keys and values stay in the first or second cache while it is used. */
  static final int TILE = 128;

  /** Tokens of a split, which is what a task of decode works through. */
  static final int SPLIT = 512;

  /**
   * How many tokens ahead of the kernels keys are prefetched: long enough for memory to answer, short
   * enough for the first cache.
   */
  private static final int LEAD = 24;

  /**
   * The same where some blocks of rows take a tile in one after the other: the first of them wants
   * all of it, and each asks for its part of the next.
   */
  private static final int LEAD_OF_SOME = TILE;

  /** The same for a kernel that takes a tile into many blocks: it wants so many rows at once. */
  private static final int LEAD_OF_MANY = 32;

  /** From so many blocks of rows on it pays to bring keys and values of a tile into another form. */
  private static final int MANY_BLOCKS = MachineCode.LEAST_BLOCKS;

  /** What is read ahead at a time where nothing can be prefetched: half of a second cache. */
  private static final int AHEAD_BYTES = 1 << 19;

  private static final int ROWS = Kernels.ROWS;
  private static final ValueLayout.OfFloat FLOAT = ValueLayout.JAVA_FLOAT;

  /**
   * Bytes of rows that one call of a kernel works through, if that is a split or more: some 100
   * microseconds, for which a garbage collection may have to wait.
   */
  private static final int CALL_BYTES = 1 << 20;

  private final AttentionOptions options;
  private final KeyKernel keyKernel;
  private final ValueKernel valueKernel;
  private final SoftmaxKernel softmax;

  /** All three in one, or null. */
  private final TileKernel tileKernel;

  private final TileKernel.Rows tileRows;
  private final int valueDim;
  private final int group;
  private final int lanes;
  private final int stateFloats;
  private final Tile tile;

  private final RowsAhead rowsAhead;
  private final boolean valuesApart;

  private final int bytesPerToken;

  /** Tokens that are read ahead at a time where nothing can be prefetched. */
  private final int aheadTokens;

  /** Keys before this were asked for, since {@link #restart}. */
  private long aheadEnd;

  /** Where asking ends: what lies behind it is another worker's. */
  private long aheadLimit;

  private long preparedCall;
  private int preparedName;
  private int rows;
  private long lowest;
  private long highest;

  /** The tree whose tokens the rows are of, or null; and the position where it begins. */
  private TokenTree tree;

  private long treeStart;

  private int paths;

  /** The paths that the rows are taken with, and where the rows of each end. */
  private final int[] pathNumbers;

  private final int[] pathEnds;

  /** Position of each row's token. */
  private final long[] positions;

  private final Floats q; // [rows][keyStride]
  private final Floats scores; // [weightPlanes or blocks][TILE / T][ROWS][T]
  private final Floats state; // [rows / ROWS][3][ROWS][T]
  private final Floats tileSums; // [ROWS][valueStride], of the current tile
  private final Floats sums; // [rows][valueStride], of the current split
  private final Floats maxima; // [rows], of the splits merged so far
  private final Floats totals; // [rows]
  private final Floats merged; // [rows][valueStride]

  /** Room for so many rows. */
  RowBlock(
      KvLayout layout,
      AttentionOptions options,
      Kernels kernels,
      KeyKernel keyKernel,
      ValueKernel valueKernel,
      int mostRows,
      Arena arena) {
    this.options = options;
    this.keyKernel = keyKernel;
    this.valueKernel = valueKernel;
    this.softmax = kernels.softmax(valueKernel);
    this.valueDim = layout.shape().valueDim();
    this.group = kernels.tokensPerVector();
    this.lanes = ROWS * group;
    this.valuesApart = kernels.asksForValues();
    this.rowsAhead = new RowsAhead(layout, valuesApart);
    this.bytesPerToken = bytesPerToken(layout);
    this.aheadTokens = Math.clamp(AHEAD_BYTES / bytesPerToken, TILE, SPLIT) / TILE * TILE;
    this.stateFloats = 3 * lanes;
    this.tile = new Tile(layout, group, TILE, arena);
    int padded = padded(mostRows);
    pathNumbers = new int[padded / ROWS];
    pathEnds = new int[padded / ROWS];
    positions = new long[padded];
    q = Floats.of(padded * keyKernel.stride());
    tileKernel =
        kernels.tile(layout, keyKernel, valueKernel, options.numHeads() / layout.shape().kvHeads());
    int planes = tileKernel == null ? valueKernel.weightPlanes() : Math.max(1, padded / ROWS);
    scores = Floats.of(TILE * ROWS * planes);
    state = Floats.of(padded / ROWS * stateFloats);
    tileSums = Floats.of(ROWS * valueKernel.stride());
    sums = Floats.of(padded * valueKernel.stride());
    maxima = Floats.of(padded);
    totals = Floats.of(padded);
    merged = Floats.of(padded * valueKernel.stride());
    boolean many = tileKernel != null && padded / ROWS >= MANY_BLOCKS;
    MemorySegment scratch =
        many ? arena.allocate(tileKernel.scratchBytes(padded / ROWS), 64) : MemorySegment.NULL;
    tileRows = new TileKernel.Rows(q, scores, state, sums, scratch);
  }

  /** Bytes of a token's key row and value row. */
  private static int bytesPerToken(KvLayout layout) {
    return layout.keyRowBytes() + (layout.shape().valuesInKeys() ? 0 : layout.valueRowBytes());
  }

  /** So many rows, filled up to whole blocks. */
  static int padded(int rows) {
    return Math.ceilDiv(rows, ROWS) * ROWS;
  }

  /** Rows that there is room for, a multiple of {@link Kernels#ROWS}. */
  int capacity() {
    return positions.length;
  }

  /** Whether the rows are those of this name in this call, from the split before. */
  boolean holds(long call, int name) {
    return preparedCall == call && preparedName == name;
  }

  /**
   * Begins with no rows and nothing seen.
   *
   * @param call a number greater than 0 that names the call
   * @param name says within the call whose rows will be added, for {@link #holds}
   */
  void begin(long call, int name) {
    preparedCall = call;
    preparedName = name;
    tree = null;
    treeStart = Long.MAX_VALUE;
    paths = 0;
    tile.followNone();
    rows = 0;
    lowest = Long.MAX_VALUE;
    highest = -1;
  }

  /** Adds a row, {@code f32 [keyDim]} at {@code offset}, of the token at {@code position}. */
  void add(MemorySegment from, long offset, long position) {
    tileRows.changed();
    keyKernel.prepare(from, offset, q.array(), rows * keyKernel.stride());
    positions[rows++] = position;
    lowest = Math.min(lowest, position);
    highest = Math.max(highest, position);
  }

  /**
   * The rows to come are of a tree's tokens, path by path, each at its depth behind {@code start}.
   */
  void beginTree(TokenTree newTree, long start) {
    tree = newTree;
    treeStart = start;
  }

  /** The rows since the last path's end were taken with this path; fills up the last block. */
  void endPath(int path) {
    ready();
    rows = padded(rows);
    pathNumbers[paths] = path;
    pathEnds[paths++] = rows;
  }

  /** All rows have been added: completes the last block with rows of zeros. */
  void ready() {
    tileRows.changed();
    Arrays.fill(q.array(), rows * keyKernel.stride(), padded(rows) * keyKernel.stride(), 0f);
    Arrays.fill(positions, rows, padded(rows), rows == 0 ? -1 : positions[rows - 1]);
  }

  /** Clears what splits are merged to. */
  private void clearMerged(int first, int count) {
    Arrays.fill(maxima.array(), first, first + count, Float.NEGATIVE_INFINITY);
    Arrays.fill(totals.array(), first, first + count, 0f);
    int stride = valueKernel.stride();
    Arrays.fill(merged.array(), first * stride, (first + count) * stride, 0f);
  }

  /** Works through all splits that the rows see, and merges them. */
  void splits(KvView view, int layer, int kvHead) {
    clearMerged(0, rows);
    restart(Long.MAX_VALUE);
    long window = options.windowStart(lowest);
    for (long start = 0; start <= highest; start += SPLIT) {
      if (start < options.sinkTokens() || start + SPLIT > window) {
        split(view, layer, kvHead, start);
        mergeSplit();
      }
    }
  }

  /**
   * Says which tokens come next: splits that follow each other up to the position {@code limit}.
   * Rows are brought in ahead up to there.
   */
  void restart(long limit) {
    aheadEnd = -1;
    aheadLimit = limit;
  }

  /** Begins a split: nothing is seen yet. */
  private void clear() {
    for (int block = 0; block < rows; block += ROWS) {
      softmax.clear(state.array(), block / ROWS * stateFloats);
    }
    Arrays.fill(sums.array(), 0, padded(rows) * valueKernel.stride(), 0f);
  }

  /**
   * Works through splits that follow each other, from {@code start} on, and leaves all rows' results
   * as {@link #store} does, if there is a kernel that does this at once.
   *
   * @param most splits that are wanted
   * @param storeBytes from a split's results to those of the next
   * @return how many were done; 0 if the first one is to be worked through by {@link #split}
   */
  int splits(
      KvView view,
      int layer,
      int kvHead,
      long start,
      int most,
      MemorySegment store,
      long storeAt,
      long storeBytes) {
    if (tileKernel == null || !tileKernel.stores(rows)) {
      return 0;
    }
    int atOnce = Math.clamp(CALL_BYTES / (bytesPerToken * SPLIT), 1, most);
    int count = wholeTiles(view, start, start + (long) atOnce * SPLIT) / (SPLIT / TILE);
    if (count == 0) {
      return 0;
    }
    clear();
    int tiles = count * (SPLIT / TILE);
    ahead(view, layer, kvHead, start, start + (long) count * SPLIT, true);
    prepare(0, Math.ceilDiv(rows, ROWS), rows);
    tileRows.splits = count;
    tileRows.store = store;
    tileRows.storeAt = storeAt;
    tileRows.storeBytes = storeBytes;
    tile.takeAll(tileKernel, view, layer, kvHead, start, tiles, tileRows, rowsAhead);
    rowsAhead.finish();
    return count;
  }

  /** Works through the split that begins at {@code start}, from nothing. */
  void split(KvView view, int layer, int kvHead, long start) {
    clear();
    for (long from = start; from < start + SPLIT && from <= highest; ) {
      int tiles = wholeTiles(view, from, start + SPLIT);
      if (tiles > 0) {
        long to = from + (long) tiles * TILE;
        ahead(view, layer, kvHead, from, to, true);
        prepare(0, Math.ceilDiv(rows, ROWS), rows);
        tile.takeAll(tileKernel, view, layer, kvHead, from, tiles, tileRows, rowsAhead);
        rowsAhead.finish();
        from = to;
      } else {
        tile(view, layer, kvHead, from, Math.min(from + TILE, highest + 1));
        from += TILE;
      }
    }
  }

  /** How many tiles, from this position on, the rows see in whole and a kernel can take at once. */
  private int wholeTiles(KvView view, long from, long end) {
    if (tileKernel == null
        || rows >= MANY_BLOCKS * ROWS
        || options.softCap() != 0
        || options.windowStart(highest) > from) {
      return 0;
    }
    int run = view.runAt(from);
    long inRun = view.runStart(run) + view.runTokens(run);
    long to = Math.min(Math.min(end, inRun), Math.min(lowest + 1, treeStart));
    return Math.max(0, (int) ((to - from) / TILE));
  }

  private void tile(KvView view, int layer, int kvHead, long tileStart, long end) {
    long window = options.windowStart(lowest);
    long start = tileStart;
    long to = end;
    if (tileStart >= options.sinkTokens()) {
      if (end <= window) {
        return;
      }
      if (tileStart < window) {
        start = window - window % group;
      }
    } else if (end <= window) {
      to = Math.min(end, options.sinkTokens());
    }
    ahead(view, layer, kvHead, start, to, end >= window);
    if (end <= treeStart) {
      tile.locate(view, layer, kvHead, start, to);
      blocks(0, rows, start, to);
      rowsAhead.finish();
      return;
    }
    for (int path = 0, from = 0; path < paths; from = pathEnds[path++]) {
      long pathEnd = Math.min(to, positions[pathEnds[path] - 1] + 1);
      if (start < pathEnd) {
        int number = pathNumbers[path];
        tile.follow(treeStart, tree.pathTokens(number), tree.straightTokens(number));
        tile.locate(view, layer, kvHead, start, pathEnd);
        blocks(from, pathEnds[path], start, pathEnd);
      }
    }
    rowsAhead.finish();
  }

  /**
   * Sees to it that the tile {@code [start, to)} was asked for, and sets out for what comes after
   * it.
   *
   * @param goesOn whether the next tile begins where this one ends
   */
  private void ahead(KvView view, int layer, int kvHead, long start, long to, boolean goesOn) {
    // Rows of a longer sequence than the view's may stand in the block, where beginnings are
    // shared.
    long last = Math.min(Math.min(highest + 1, view.length(layer)), aheadLimit);
    long limit = goesOn ? Math.max(to, last) : to;
    if (!Prefetch.available()) {
      if (aheadEnd < to) {
        aheadEnd = Math.max(to, Math.min(start + aheadTokens, limit));
        rowsAhead.begin(view, layer, kvHead, start, aheadEnd, start, aheadEnd);
      }
      return;
    }
    boolean two = tileKernel != null && tileKernel.most() > 1 && options.softCap() == 0;
    boolean atOnce = rows <= (two ? 2 * ROWS : ROWS);
    int lead = atOnce ? LEAD : rows >= MANY_BLOCKS * ROWS ? LEAD_OF_MANY : LEAD_OF_SOME;
    if (aheadEnd < start) {
      aheadEnd = Math.min(start + lead, to);
      long valuesEnd = valuesApart ? aheadEnd : start;
      rowsAhead.begin(view, layer, kvHead, start, aheadEnd, start, valuesEnd);
      rowsAhead.finish();
    }
    long goal = Math.max(aheadEnd, Math.min(to + lead, limit));
    long valuesFrom = valuesApart ? aheadEnd : start;
    long valuesEnd = valuesApart ? goal : to;
    rowsAhead.begin(view, layer, kvHead, aheadEnd, goal, valuesFrom, valuesEnd);
    aheadEnd = goal;
  }

  /** Takes the tile that was located into the rows {@code [fromRow, toRow)}. */
  private void blocks(int fromRow, int toRow, long start, long to) {
    int vectors = (int) Math.ceilDiv(to - start, group);
    // Each block of rows asks for its part of what comes next.
    int asked = Math.ceilDiv((int) (to - start) * ROWS, (toRow - fromRow) * group) * group;
    for (int block = fromRow; block < toRow; block += ROWS) {
      long last = positions[Math.min(block + ROWS, rows) - 1];
      if (last < start) {
        continue;
      }
      int count = Math.min(ROWS, rows - block);
      boolean allSeen = allSeen(block, start, to);
      int many = allSeen ? manyBlocks(block, toRow, start, to) : 0;
      if (many > 0) {
        prepare(block, many, many * ROWS);
        tile.takeBlocks(tileKernel, tileRows, rowsAhead);
        block += (many - 1) * ROWS;
        continue;
      }
      if (allSeen && tileKernel != null && tile.whole() && options.softCap() == 0) {
        boolean two =
            tileKernel.most() > 1 && block + ROWS < toRow && allSeen(block + ROWS, start, to);
        prepare(block, two ? 2 : 1, two ? Math.min(2 * ROWS, rows - block) : count);
        tile.take(tileKernel, tileRows, rowsAhead, two ? 2 * asked : asked);
        block += two ? ROWS : 0;
        continue;
      }
      tile.scores(keyKernel, q, block * keyKernel.stride(), count, scores, rowsAhead);
      softmax.markOverflow(scores.array(), 0, vectors);
      float factor = options.scale() * Exp2.LOG2_E;
      if (options.softCap() > 0) {
        softmax.cap(scores.array(), 0, vectors, options.scale(), options.softCap());
        factor = Exp2.LOG2_E;
      }
      if (!allSeen) {
        for (int row = 0; row < ROWS; row++) {
          mask(row, positions[block + row], start, to, vectors);
        }
      }
      softmax.step(
          rowsAhead.call(),
          scores,
          0,
          vectors,
          factor,
          valueKernel.weightScale(),
          state,
          block / ROWS * stateFloats,
          sums,
          block * valueKernel.stride(),
          valueKernel.stride());
      // A tile's sum by itself: chains of additions are then of 128 tokens, not of 512.
      Arrays.fill(tileSums.array(), 0f);
      tile.accumulate(valueKernel, scores, tileSums, 0, count, rowsAhead);
      softmax.add(
          rowsAhead.call(), tileSums, sums, block * valueKernel.stride(), tileSums.array().length);
    }
  }

  /** How many blocks from this one on see the whole tile, if a kernel can take them all at once. */
  private int manyBlocks(int block, int toRow, long start, long to) {
    if (tileKernel == null
        || !tile.whole()
        || options.softCap() != 0
        || toRow - block < MANY_BLOCKS * ROWS) {
      return 0;
    }
    int end = block + ROWS;
    while (end < toRow && allSeen(end, start, to)) {
      end += ROWS;
    }
    int blocks = (end - block) / ROWS;
    return blocks < MANY_BLOCKS ? 0 : blocks;
  }

  /** Sets the rows of some blocks for the kernel that takes whole tiles. */
  private void prepare(int block, int blocks, int count) {
    tileRows.splits = 0;
    tileRows.blocks = blocks;
    tileRows.queriesAt = block * keyKernel.stride();
    tileRows.stateAt = block / ROWS * stateFloats;
    tileRows.sumsAt = block * valueKernel.stride();
    tileRows.count = count;
    tileRows.factor = options.scale() * Exp2.LOG2_E;
  }

  /**
   * Whether the rows of a block see all of a tile's tokens, and no vector of scores has lanes to
   * spare: so it is as a rule, and then there is nothing to mask.
   */
  private boolean allSeen(int block, long start, long end) {
    if ((end - start) % group != 0) {
      return false;
    }
    for (int row = block; row < block + ROWS; row++) {
      long position = positions[row];
      if (position + 1 < end
          || options.windowStart(position) > start && end > options.sinkTokens()) {
        return false;
      }
    }
    return true;
  }

  /** Sets the scores of one row to minus infinity where it does not see the token. */
  private void mask(int row, long position, long start, long end, int vectors) {
    int columns = vectors * group;
    int visibleEnd = Math.clamp(Math.min(end, position + 1) - start, 0, columns);
    for (int column = visibleEnd; column < columns; column++) {
      hide(row, column);
    }
    long window = options.windowStart(position);
    int hiddenFrom = Math.clamp(options.sinkTokens() - start, 0, visibleEnd);
    int hiddenTo = Math.clamp(window - start, 0, visibleEnd);
    for (int column = hiddenFrom; column < hiddenTo; column++) {
      hide(row, column);
    }
  }

  private void hide(int row, int column) {
    scores.array()[column / group * lanes + row * group + column % group] = Float.NEGATIVE_INFINITY;
  }

  /** Merges the split just worked through with those before it. */
  private void mergeSplit() {
    int stride = valueKernel.stride();
    for (int row = 0; row < rows; row++) {
      int at = row / ROWS * stateFloats;
      merge(
          row,
          softmax.maximum(state.array(), at, row % ROWS),
          softmax.total(state.array(), at, row % ROWS),
          sums.array(),
          row * stride);
    }
  }

  /**
   * The merge of two partial softmaxes by their log-sum-exp (Flash-Decoding): with the new maximum
   * {@code m}, both sides are scaled by {@code 2^(own maximum - m)} and added.
   */
  private void merge(int row, float maximum, float total, float[] from, int at) {
    if (total == 0) {
      return;
    }
    int stride = valueKernel.stride();
    float before = maxima.array()[row];
    float joint = Math.max(before, maximum);
    float old = Exp2.of(before - joint);
    float add = Exp2.of(maximum - joint);
    maxima.array()[row] = joint;
    totals.array()[row] = Math.fma(totals.array()[row], old, total * add);
    softmax.merge(merged.array(), row * stride, old, from, at, add, stride);
  }

  /** Floats of one row in a store of splits. */
  static int storedFloats(ValueKernel kernel) {
    return kernel.stride() + 2;
  }

  /** Leaves {@code count} rows of the split just done in {@code store}, {@code [][storedFloats]}. */
  void store(int first, int count, MemorySegment store, long offset) {
    int stride = valueKernel.stride();
    long to = offset;
    for (int row = first; row < first + count; row++) {
      int at = row / ROWS * stateFloats;
      MemorySegment.copy(sums.array(), row * stride, store, FLOAT, to, stride);
      store.set(FLOAT, to + 4L * stride, softmax.maximum(state.array(), at, row % ROWS));
      store.set(FLOAT, to + 4L * stride + 4, softmax.total(state.array(), at, row % ROWS));
      to += 4L * storedFloats(valueKernel);
    }
  }

  /**
   * Merges rows of splits that {@link #store} left, split after split.
   *
   * @param offset of the first row of the first split
   * @param splitBytes from a split to the next
   */
  void mergeStored(
      int first, int count, MemorySegment store, long offset, long splitBytes, int splits) {
    clearMerged(first, count);
    if (softmax.mergeParts(
        rowsAhead.call(),
        store,
        offset,
        splitBytes,
        splits,
        count,
        maxima,
        totals,
        merged,
        first)) {
      return;
    }
    for (int row = 0; row < count; row++) {
      for (int split = 0; split < splits; split++) {
        mergeStored(
            first + row, store, offset + split * splitBytes + row * 4L * storedFloats(valueKernel));
      }
    }
  }

  private void mergeStored(int row, MemorySegment store, long offset) {
    int stride = valueKernel.stride();
    MemorySegment.copy(store, FLOAT, offset, sums.array(), row * stride, stride);
    merge(
        row,
        store.get(FLOAT, offset + 4L * stride),
        store.get(FLOAT, offset + 4L * stride + 4),
        sums.array(),
        row * stride);
  }

  /**
   * Writes the result of a row, {@code f32 [valueDim]} at {@code offset}.
   *
   * @param sinkLogit a score that takes weight but has no value; minus infinity for none
   * @return whether it is one: not if scores or sums went beyond the range of floats
   */
  boolean finish(int row, float sinkLogit, MemorySegment out, long offset) {
    float sink = sinkLogit * Exp2.LOG2_E;
    float joint = Math.max(maxima.array()[row], sink);
    float old = Exp2.of(maxima.array()[row] - joint);
    float total = Math.fma(totals.array()[row], old, Exp2.of(sink - joint));
    // Where the sink takes all the weight the divisor is infinite, and the result 0.
    float divisor = total == 0 ? 1 : total / old;
    valueKernel.finish(merged.array(), row * valueKernel.stride(), divisor, out, offset);
    // A score that overflowed is NaN, and so is the result. One that only its scale made too large
    // was held at the greatest float; if all are that low nothing has weight, though a row always
    // sees its own token.
    return totals.array()[row] != 0
        && maxima.array()[row] != Float.MAX_VALUE
        && softmax.finite(out, offset, valueDim);
  }
}
