package io.gatun.attention;

import io.gatun.attention.code.Floats;
import io.gatun.cache.KvLayout;
import io.gatun.cache.KvView;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;

/**
 * Where the rows of one tile lie: pieces of whole groups of tokens, a group being what one score
 * vector holds. A group that straddles two runs is copied together, as stored, so that the kernels
 * never see a border. Pieces follow each other; all but the last hold whole groups.
 *
 * <p>Thread rules: scratch of one worker.
 */
final class Tile {
  private final int group;
  private final int tokens;

  /** Staged rows as in a block: behind the rows, from a multiple of the alignment on, their scales. */
  private final MemorySegment stagedKeys;

  private final MemorySegment stagedValues;
  private final long stagedKeyScales;
  private final long stagedValueScales;
  private final Piece[] all;
  private int pieces;

  /** From this position on the tokens are those of {@link #path}. */
  private long pathFrom = Long.MAX_VALUE;

  /** Position of the token that {@link #path} counts from. */
  private long pathBase;

  private int[] path;

  /**
   * Rows that follow each other in memory.
   *
   * <p>Design note: not arrays of segments. C2 takes the array of an interface's type for one of
   * objects when it checks what is stored, finds that it is not, gives up the method that the store
   * is inlined into and compiles it anew, once for each such store.
   */
  private static final class Piece {
    MemorySegment keys;
    MemorySegment values;
    long keyOffset;
    long valueOffset;
    long keyScales;
    long valueScales;
    int count;
  }

  /**
   * Room for a tile.
   *
   * @param group tokens of a group
   * @param tokens most tokens of a tile, a multiple of {@code group}
   */
  Tile(KvLayout layout, int group, int tokens, Arena arena) {
    this.group = group;
    this.tokens = tokens;
    stagedKeyScales = aligned((long) tokens * layout.keyRowBytes());
    stagedValueScales = aligned((long) tokens * layout.valueRowBytes());
    stagedKeys =
        arena.allocate(
            stagedKeyScales + (long) tokens * layout.keyScaleBytes(), KvLayout.RUN_ALIGNMENT);
    stagedValues =
        layout.shape().valuesInKeys()
            ? stagedKeys
            : arena.allocate(
                stagedValueScales + (long) tokens * layout.valueScaleBytes(),
                KvLayout.RUN_ALIGNMENT);
    // At worst every group is a piece of its own.
    all = new Piece[tokens / group];
    for (int i = 0; i < all.length; i++) {
      all[i] = new Piece();
    }
  }

  /**
   * Takes, in what is located next, the token {@code base + path[i]} for the one at position {@code
   * base + i}: a path of a tree. It is copied together to where it would stand alone.
   *
   * @param straight how many tokens at the front of the path are 0, 1, 2, ..., and stay in place
   */
  void follow(long base, int[] newPath, int straight) {
    pathBase = base;
    path = newPath;
    pathFrom = base + straight;
  }

  /** Takes all tokens in their order again. */
  void followNone() {
    pathFrom = Long.MAX_VALUE;
    path = null;
  }

  private long token(long position) {
    return position < pathFrom ? position : pathBase + path[(int) (position - pathBase)];
  }

  private static long aligned(long bytes) {
    return Math.ceilDiv(bytes, KvLayout.RUN_ALIGNMENT) * KvLayout.RUN_ALIGNMENT;
  }

  /** Finds the rows {@code [from, to)} of a layer and head; {@code from} begins a group. */
  void locate(KvView view, int layer, int kvHead, long from, long to) {
    if (to - from > tokens) {
      throw new IllegalArgumentException("%d tokens in a tile of %d".formatted(to - from, tokens));
    }
    KvLayout layout = view.layout();
    pieces = 0;
    int run = view.runAt(from);
    long at = from;
    while (at < to) {
      int row = (int) (at - view.runStart(run));
      int inRun = (int) Math.min(Math.min(to, pathFrom) - at, view.runTokens(run) - row);
      int whole = at + inRun == to ? inRun : inRun - inRun % group;
      if (whole > 0) {
        addOf(view, run, layer, kvHead, at, whole);
        at += whole;
      } else {
        int count = (int) Math.min(group, to - at);
        stage(view, run, layer, kvHead, at, count, (int) (at - from));
        at += count;
      }
      while (at < to && at >= view.runStart(run) + view.runTokens(run)) {
        run++;
      }
    }
  }

  private void stage(
      KvView view, int firstRun, int layer, int kvHead, long from, int count, int slot) {
    KvLayout layout = view.layout();
    int run = firstRun;
    for (int i = 0; i < count; i++) {
      long token = token(from + i);
      while (token >= view.runStart(run) + view.runTokens(run)) {
        run++;
      }
      int row = (int) (token - view.runStart(run));
      MemorySegment.copy(
          view.keys(run),
          layout.keyOffset(layer, kvHead, row),
          stagedKeys,
          (long) (slot + i) * layout.keyRowBytes(),
          layout.keyRowBytes());
      MemorySegment.copy(
          view.keys(run),
          layout.keyScaleOffset(layer, kvHead, row),
          stagedKeys,
          stagedKeyScales + (long) (slot + i) * layout.keyScaleBytes(),
          layout.keyScaleBytes());
      if (!layout.shape().valuesInKeys()) {
        MemorySegment.copy(
            view.values(run),
            layout.valueOffset(layer, kvHead, row),
            stagedValues,
            (long) (slot + i) * layout.valueRowBytes(),
            layout.valueRowBytes());
        MemorySegment.copy(
            view.values(run),
            layout.valueScaleOffset(layer, kvHead, row),
            stagedValues,
            stagedValueScales + (long) (slot + i) * layout.valueScaleBytes(),
            layout.valueScaleBytes());
      }
    }
    add(
        stagedKeys,
        (long) slot * layout.keyRowBytes(),
        stagedKeyScales + (long) slot * layout.keyScaleBytes(),
        stagedValues,
        (long) slot * layout.valueRowBytes(),
        stagedValueScales + (long) slot * layout.valueScaleBytes(),
        count);
  }

  /** Tokens that lie in one run, from the position {@code at} on. */
  private void addOf(KvView view, int run, int layer, int kvHead, long at, int count) {
    KvLayout layout = view.layout();
    int row = (int) (at - view.runStart(run));
    add(
        view.keys(run),
        layout.keyOffset(layer, kvHead, row),
        layout.keyScaleOffset(layer, kvHead, row),
        view.values(run),
        layout.valueOffset(layer, kvHead, row),
        layout.valueScaleOffset(layer, kvHead, row),
        count);
  }

  private void add(
      MemorySegment key,
      long keyOffset,
      long keyScale,
      MemorySegment value,
      long valueOffset,
      long valueScale,
      int count) {
    Piece piece = all[pieces++];
    piece.keys = key;
    piece.keyOffset = keyOffset;
    piece.keyScales = keyScale;
    piece.values = value;
    piece.valueOffset = valueOffset;
    piece.valueScales = valueScale;
    piece.count = count;
  }

  /** Scores of all tokens of the tile against one block of rows. */
  void scores(KeyKernel kernel, Floats q, int qAt, int rows, Floats scores, RowsAhead ahead) {
    int at = 0;
    for (int i = 0; i < pieces; i++) {
      Piece piece = all[i];
      kernel.scores(
          piece.keys,
          piece.keyOffset,
          piece.keyScales,
          piece.count,
          q,
          qAt,
          rows,
          scores,
          at,
          ahead);
      at += piece.count * Kernels.ROWS;
    }
  }

  /** Adds the weighted values of all tokens of the tile to one block of rows. */
  void accumulate(
      ValueKernel kernel, Floats weights, Floats sums, int at, int rows, RowsAhead ahead) {
    int weightsAt = 0;
    for (int i = 0; i < pieces; i++) {
      Piece piece = all[i];
      kernel.accumulate(
          piece.values,
          piece.valueOffset,
          piece.valueScales,
          piece.count,
          weights,
          weightsAt,
          sums,
          at,
          rows,
          ahead);
      weightsAt += piece.count * Kernels.ROWS;
    }
  }

  /** Whether all tokens lie in one piece. */
  boolean whole() {
    return pieces == 1;
  }

  /** Takes all tokens of a tile that is {@link #whole} into one block of rows. */
  void take(TileKernel kernel, TileKernel.Rows rows, RowsAhead ahead, int asked) {
    take(kernel, all[0].count, 1, rows, ahead, asked);
  }

  /** The same into several blocks of rows. */
  void takeBlocks(TileKernel kernel, TileKernel.Rows rows, RowsAhead ahead) {
    Piece piece = all[0];
    kernel.takeBlocks(
        piece.keys,
        piece.keyOffset,
        piece.keyScales,
        piece.values,
        piece.valueOffset,
        piece.valueScales,
        piece.count,
        rows,
        ahead);
  }

  private void take(
      TileKernel kernel, int count, int tiles, TileKernel.Rows rows, RowsAhead ahead, int asked) {
    Piece piece = all[0];
    kernel.take(
        piece.keys,
        piece.keyOffset,
        piece.keyScales,
        piece.values,
        piece.valueOffset,
        piece.valueScales,
        count,
        tiles,
        rows,
        ahead,
        asked);
  }

  /**
   * Takes several whole tiles, which lie in the run of {@code from}, into one block of rows, and has
   * as many rows asked for.
   */
  void takeAll(
      TileKernel kernel,
      KvView view,
      int layer,
      int kvHead,
      long from,
      int tiles,
      TileKernel.Rows rows,
      RowsAhead ahead) {
    pieces = 0;
    addOf(view, view.runAt(from), layer, kvHead, from, tiles * tokens);
    take(kernel, tokens, tiles, rows, ahead, tiles * tokens);
  }
}
