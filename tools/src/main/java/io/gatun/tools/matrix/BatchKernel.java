package io.gatun.tools.matrix;

import java.lang.foreign.Arena;

/**
 * Multiplies panels of weight rows with a batch of tokens. One for each {@link MatrixProduct}:
 * it keeps the activations of the call under way.
 *
 * <p>Thread rules: one call of {@link #begin} at a time; its tasks and panels by any
 * thread, each panel by one at a time.
 */
interface BatchKernel {
  /** Weight rows of a panel. */
  int rows();

  /**
   * Takes a call's activations.
   *
   * @return how many tasks it takes to put them in the kernel's own order; 0 if it reads them where
   *     they lie
   */
  int begin(Activations x, int tokens);

  /** Does one of those tasks. */
  void order(int task);

  /** Room for one panel, and for its products. */
  Panel panel();

  /** Some rows of a weight matrix, and their products. */
  interface Panel {
    /**
     * Multiplies rows with all tokens of the call under way.
     *
     * @param weight of as many columns as the activations
     * @param from the first row; none is read but those asked for
     * @param rows 1 to {@link BatchKernel#rows}
     */
    void multiply(Matrix weight, long from, int rows);

    /**
     * Gets a token's products with the rows.
     *
     * @param out gets {@code [rows]}
     */
    void products(int token, float[] out);
  }

  /** Makes kernels. */
  interface Factory {
    /** A kernel for a team of so many threads, and for batches of so many tokens and columns at most. */
    BatchKernel make(int threads, int maxTokens, int maxCols, Arena arena);
  }
}
