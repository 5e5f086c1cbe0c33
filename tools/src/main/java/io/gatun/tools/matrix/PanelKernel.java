package io.gatun.tools.matrix;

import java.lang.foreign.MemorySegment;

/**
 * Multiplies a panel of decoded weight rows with a batch of tokens, a block of columns at a time.
 * Sums that are not complete yet, the lanes of one accumulator each, wait in a store:
 *
 * <pre>
 *   panel   [row][448 + 16]            a block of columns of some rows, the rest unused
 *   store   [tile of 4 tokens][group of 4 rows][row of the group][token of the tile][lane]
 * </pre>
 *
 * Any thread; keeps no state.
 *
 * <p>Design note: panel and store are small and lie on the heap, because C2 inlines array accesses
 * more cheaply than those of segments; with segments throughout it gives up on a tile and puts every
 * vector on the heap.
 */
interface PanelKernel {
  /** Rows of a group. */
  int GROUP = 4;

  /** Accumulators of a tile of tokens and a group of rows. */
  int TILE_SUMS = GROUP * Activations.TILE;

  /**
   * Elements from one row of a panel to the next: an odd number of cache lines, so that rows do not
   * push each other out of the first cache.
   */
  int ROW = Activations.BLOCK + 16;

  /** Floats of an accumulator. */
  int lanes();

  /**
   * Adds the products of a block's columns to the sums in the store.
   *
   * @param groups groups of rows in the panel
   * @param x activations, rows of {@link Activations#ROW_BYTES} from byte {@code xAt} on; those up to
   *     the next multiple of a tile are read as well
   * @param cols columns of the block, a multiple of {@link #lanes}
   */
  void accumulate(
      float[] panel, int groups, MemorySegment x, long xAt, int tokens, int cols, float[] store);

  /** The sum of one accumulator's lanes, in its fixed order. */
  float sum(float[] store, int at);

  /** Where the accumulator of a row of the panel and a token lies in the store. */
  default int offset(int row, int token, int groups) {
    int tile = token / Activations.TILE * groups + row / GROUP;
    int sum = tile * TILE_SUMS + row % GROUP * Activations.TILE + token % Activations.TILE;
    return sum * lanes();
  }

  /** Elements of the store for so many rows and tokens. */
  default int storeSize(int groups, int tokens) {
    return Math.multiplyExact(Math.ceilDiv(tokens, Activations.TILE) * groups, TILE_SUMS * lanes());
  }
}
