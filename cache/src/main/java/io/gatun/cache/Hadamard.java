package io.gatun.cache;

import java.util.Objects;

/**
 * The orthonormal Walsh-Hadamard transform, {@code x' = H x / sqrt(n)}, in blocks of {@code n}
 * values. It spreads what one value holds evenly over its block, and is its own inverse. Since it
 * keeps dot products, turned keys against a turned query give the scores of the originals, and the
 * weighted sum of turned values, turned once more, is that of the originals (QuaRot, Ashkboos et al.
 * 2024, section 4).
 *
 * <p>The sums are taken in f32 in one order: stage by stage, partners 1, 2, 4, ... apart, each pair
 * (a, b) becoming (a + b, a - b), and last each value times 1/sqrt(n). So the bits are the same
 * everywhere. The result is within (log2(n) + 2) x 2^-24 of the norm of the block.
 */
public final class Hadamard {
  /** Widest block. */
  public static final int MAX_BLOCK = 256;

  private Hadamard() {}

  /** The block for rows of {@code dim} values: the largest power of two in it, at most 256. */
  public static int block(int dim) {
    return Math.min(Integer.lowestOneBit(dim), MAX_BLOCK);
  }

  /**
   * Transforms {@code values[at .. at + count)} in place, block by block.
   *
   * @param count a multiple of {@code block}
   * @param block a power of two from 1 to {@link #MAX_BLOCK}; 1 changes nothing
   * @throws IllegalArgumentException if block or count is none
   */
  public static void rotate(float[] values, int at, int count, int block) {
    if (Integer.bitCount(block) != 1 || block > MAX_BLOCK) {
      throw new IllegalArgumentException(
          "block is %d, not a power of two from 1 to %d".formatted(block, MAX_BLOCK));
    }
    if (count % block != 0) {
      throw new IllegalArgumentException(
          "%d values are not whole blocks of %d".formatted(count, block));
    }
    Objects.checkFromIndexSize(at, count, values.length);
    if (block == 1) {
      return;
    }
    RowMath.best().rotate(values, at, count, block);
  }

  /** 1/sqrt(block), rounded once. */
  static float factor(int block) {
    return (float) (1 / Math.sqrt(block));
  }
}
