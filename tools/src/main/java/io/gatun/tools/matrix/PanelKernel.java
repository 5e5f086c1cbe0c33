package io.gatun.tools.matrix;

import java.lang.foreign.MemorySegment;

/**
 * Multiplies a panel of decoded weight rows with a batch of tokens, a block of columns at a time.
 * Sums that are not complete yet, the lanes of one accumulator each, wait in a store:
 *
 * <pre>
 *   panel   f32 [rows][1,040]            a block of 1,024 columns of some rows, the rest unused
 *   store   f32 [tile of tokens][group of 4 rows][row][token of the tile][lanes]
 * </pre>
 *
 * Any thread; keeps no state.
 */
interface PanelKernel {
  /** Rows of a group. */
  int GROUP = 4;

  /** Floats of an accumulator. */
  int lanes();

  /**
   * Adds the products of a block's columns to the sums in the store.
   *
   * @param groups groups of rows in the panel
   * @param x activations, {@code [tokens][1,040]} from byte {@code xAt} on
   * @param cols columns of the block, a multiple of {@link #lanes}
   */
  void accumulate(
      MemorySegment panel,
      int groups,
      MemorySegment x,
      long xAt,
      int tokens,
      int cols,
      MemorySegment store);

  /** The sum of one accumulator's lanes, in its fixed order. */
  float sum(MemorySegment store, long at);

  /** Offset in the store of the accumulator of a row of the panel and a token. */
  default long offset(int row, int token, int groups) {
    int tile = token / Activations.TILE;
    long group = (long) tile * groups + row / GROUP;
    int place = row % GROUP * Activations.TILE + token % Activations.TILE;
    return (group * GROUP * Activations.TILE + place) * lanes() * Float.BYTES;
  }

  /** Bytes of the store for so many rows and tokens. */
  default long storeBytes(int groups, int tokens) {
    return offset(0, Math.ceilDiv(tokens, Activations.TILE) * Activations.TILE, groups);
  }
}
