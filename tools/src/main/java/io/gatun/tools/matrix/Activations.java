package io.gatun.tools.matrix;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;

/**
 * The inputs of a matrix product for a batch of tokens, outside the heap, in blocks of columns:
 *
 * <pre>
 *   [block of 448 columns][token][464]     f32, the last 16 of each row unused
 * </pre>
 *
 * <p>Design note: a tile of tokens and a block of columns lie close together and leave room in the
 * first-level cache for the weights that stream through it; the odd stride keeps the rows of a tile
 * from falling on the same cache lines. (Machine code brings them into an order of its own.) For one
 * token the blocks follow each other without the unused columns, as a plain vector.
 */
public final class Activations {
  /** Columns of a block. */
  public static final int BLOCK = 448;

  /** Bytes from one token's row of a block to the next token's. */
  static final long ROW_BYTES = 4L * (BLOCK + 16);

  /** Tokens are computed in tiles; rows up to the next multiple of this exist and are ignored. */
  static final int TILE = 4;

  /** Rows that exist behind the last token's, and are ignored: some kernel reads 16 at once. */
  private static final int SPARE = 16;

  private final int tokens;
  private final int cols;
  private final long blockBytes;
  private final MemorySegment data;

  /** Room for {@code tokens} rows of {@code cols} values, zero at first. */
  public Activations(int tokens, int cols, Arena arena) {
    this.tokens = tokens;
    this.cols = cols;
    if (tokens == 1) {
      blockBytes = 4L * BLOCK;
      data = arena.allocate(4L * cols, 64);
    } else {
      blockBytes = Math.ceilDiv(tokens, TILE) * TILE * ROW_BYTES;
      data = arena.allocate(Math.ceilDiv(cols, BLOCK) * blockBytes + SPARE * ROW_BYTES, 64);
    }
  }

  /** Tokens that there is room for. */
  public int tokens() {
    return tokens;
  }

  /** Values of one token. */
  public int cols() {
    return cols;
  }

  /** The memory; for one token {@code [cols]}. */
  public MemorySegment data() {
    return data;
  }

  /** Offset of a value; those of one block of columns follow each other. */
  public long offset(int token, int col) {
    return (col / BLOCK) * blockBytes + token * ROW_BYTES + 4L * (col % BLOCK);
  }

  /** Takes a token's row from f32 {@code [cols]} at byte {@code at} of {@code from}. */
  public void set(int token, MemorySegment from, long at) {
    for (int col = 0; col < cols; col += BLOCK) {
      long bytes = 4L * Math.min(BLOCK, cols - col);
      MemorySegment.copy(from, at + 4L * col, data, offset(token, col), bytes);
    }
  }

  /** Takes a token's row from another's, of the same width. */
  public void set(int token, Activations from, int fromToken) {
    for (int col = 0; col < cols; col += BLOCK) {
      long bytes = 4L * Math.min(BLOCK, cols - col);
      MemorySegment.copy(from.data, from.offset(fromToken, col), data, offset(token, col), bytes);
    }
  }
}
