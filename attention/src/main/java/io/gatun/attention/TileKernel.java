package io.gatun.attention;

import io.gatun.attention.code.Floats;
import java.lang.foreign.MemorySegment;

/**
 * Scores, softmax and weighted sums of a tile in one go, where all rows see all of its tokens and
 * there is no soft cap: the same bits as from {@link KeyKernel}, {@link SoftmaxKernel} and {@link
 * ValueKernel} one after the other. Immutable; any thread.
 */
interface TileKernel {
  /**
   * {@link Kernels#ROWS} rows and what they have taken in. Scratch of one worker.
   *
   * <p>Not a record: one object is used for all of a worker's calls.
   */
  final class Rows {
    /** Prepared rows {@code [ROWS][stride]} from index {@link #queriesAt} on. */
    final Floats queries;

    /** Room for scores of each block that is taken at once, {@code [blocks][TILE / T][ROWS][T]}. */
    final Floats scores;

    /** The rows' state {@code [3][ROWS][T]} from index {@link #stateAt} on. */
    final Floats state;

    /** Their sums {@code [ROWS][stride]} from index {@link #sumsAt} on. */
    final Floats sums;

    int queriesAt;
    int stateAt;
    int sumsAt;

    /** Blocks of {@link Kernels#ROWS} rows, which follow each other in all of these but the scores. */
    int blocks;

    /** How many of the rows count: others fill up the last block, and nothing of them is asked for. */
    int count;

    /** Its scratch, {@link #scratchBytes}. */
    final MemorySegment scratch;

    /** Whole splits that the tiles make up, whose results are stored; or 0. */
    int splits;

    /** Where the first one's result goes, {@code [count][stride + 2]}, and the bytes to the next's. */
    MemorySegment store;

    long storeAt;
    long storeBytes;

    /** Where the queries begin that {@link #takeBlocks} has copied to the scratch, and how many blocks. */
    private int copiedAt;

    private int copied;

    /** Factor of the scores, {@code log2(e)} in it. */
    float factor;

    Rows(Floats queries, Floats scores, Floats state, Floats sums, MemorySegment scratch) {
      this.queries = queries;
      this.scores = scores;
      this.state = state;
      this.sums = sums;
      this.scratch = scratch;
    }

    /** Notes that queries have changed. */
    void changed() {
      copied = 0;
    }

    /** Whether the scratch has all queries of these blocks. */
    boolean areCopied() {
      return copiedAt == queriesAt && copied >= blocks;
    }

    /** Notes that the scratch has all queries of these blocks. */
    void copied() {
      if (!areCopied()) {
        copiedAt = queriesAt;
        copied = blocks;
      }
    }
  }

  /** Bytes of scratch, at a multiple of 64, that {@link #takeBlocks} needs for so many blocks. */
  long scratchBytes(int blocks);

  /**
   * Takes a tile into many blocks, for which scores has room: {@code [blocks][TILE / T][ROWS][T]}. As
   * {@link #take} otherwise.
   */
  void takeBlocks(
      MemorySegment keys,
      long keyOffset,
      long keyScales,
      MemorySegment values,
      long valueOffset,
      long valueScales,
      int tokens,
      Rows rows,
      RowsAhead ahead);

  /** Whether {@link #take} stores the results of whole splits of so many rows. */
  boolean stores(int rows);

  /** How many blocks {@link #take} takes at once: where there are more, one after the other. */
  int most();

  /**
   * Takes a tile in, or several that follow each other.
   *
   * @param keys rows {@code [tokens][keyDim]} from byte {@code keyOffset} on
   * @param keyScales where in {@code keys} the scales of the first row lie
   * @param values rows {@code [tokens][valueDim]} from byte {@code valueOffset} on
   * @param valueScales where in {@code values} the scales of the first row lie
   * @param tokens of a tile, whole vectors of scores; {@link RowBlock#TILE} where there are several
   * @param rows with splits to store only if it {@link #stores} so many
   * @param asked for how many tokens rows to come are asked for
   */
  void take(
      MemorySegment keys,
      long keyOffset,
      long keyScales,
      MemorySegment values,
      long valueOffset,
      long valueScales,
      int tokens,
      int tiles,
      Rows rows,
      RowsAhead ahead,
      int asked);
}
