package io.gatun.tools.matrix;

import java.lang.foreign.Arena;

/**
 * Multiplies panels of decoded weight rows with a batch of tokens. One for each {@link MatrixProduct}:
 * it keeps the activations of the call under way.
 *
 * <p>Thread rules: one call of {@link #order(Activations, int)} at a time; its tasks and panels by any
 * thread, each panel by one at a time.
 */
interface BatchKernel {
  /** Columns that are summed side by side. What is left of a row's columns is the caller's to add. */
  int lanes();

  /** Weight rows of a panel. */
  int rows();

  /**
   * Takes a call's activations.
   *
   * @return how many tasks it takes to put them in the kernel's own order; 0 if it reads them where
   *     they lie
   */
  int order(Activations x, int tokens);

  /** Does one of those tasks. */
  void order(int task);

  /** Room for one panel, and for its products. */
  Panel panel();

  /** A panel of weight rows: columns are put in a block at a time, then products are taken out. */
  interface Panel {
    /**
     * Elements from one row of a block to the next: an odd number of cache lines, so that rows do not
     * push each other out of the first cache.
     */
    int ROW = Activations.BLOCK + 16;

    /** A block of columns of the panel's rows, decoded: {@code [rows][ROW]}; to be filled. */
    float[] block();

    /** Begins a panel of so many rows. */
    void begin(int rows);

    /**
     * Takes in what stands in {@link #block}.
     *
     * @param start the first column
     * @param cols so many of them, a multiple of {@link #lanes}
     */
    void add(int start, int cols);

    /** Ends the panel: all columns have been added. */
    void end();

    /** Gets a token's products with the panel's rows. */
    void products(int token, float[] out);
  }

  /** Makes kernels. */
  interface Factory {
    /** A kernel for a team of so many threads, and for batches of so many tokens and columns at most. */
    BatchKernel make(int threads, int maxTokens, int maxCols, Arena arena);
  }
}
