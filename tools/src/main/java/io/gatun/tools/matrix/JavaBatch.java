package io.gatun.tools.matrix;

import java.util.Arrays;

/** Batches on a {@link PanelKernel}: activations are read where they lie. */
final class JavaBatch implements BatchKernel {
  /** Rows of a panel: 32 x 448 decoded weights fit the second-level cache. */
  private static final int ROWS = 32;

  /** Threads from which on panels have half as many rows, since each thread would want one. */
  private static final int MANY_THREADS = 17;

  private final PanelKernel kernel;
  private final int rows;
  private final int maxTokens;

  // The call under way.
  private Activations x;
  private int tokens;

  JavaBatch(PanelKernel kernel, int threads, int maxTokens) {
    this.kernel = kernel;
    this.rows = threads < MANY_THREADS ? ROWS : ROWS / 2;
    this.maxTokens = maxTokens;
  }

  @Override
  public int lanes() {
    return kernel.lanes();
  }

  @Override
  public int rows() {
    return rows;
  }

  @Override
  public int order(Activations activations, int count) {
    x = activations;
    tokens = count;
    return 0;
  }

  @Override
  public void order(int task) {
    throw new IllegalStateException("there is nothing to put in order");
  }

  @Override
  public Panel panel() {
    return new Store();
  }

  /** A block of columns, and the sums of those that went before. */
  private final class Store implements Panel {
    private final float[] block = new float[rows * ROW];
    private final float[] sums = new float[kernel.storeSize(rows / PanelKernel.GROUP, maxTokens)];
    private int panelRows;
    private int groups;

    @Override
    public float[] block() {
      return block;
    }

    @Override
    public void begin(int count) {
      panelRows = count;
      groups = Math.ceilDiv(count, PanelKernel.GROUP);
      Arrays.fill(sums, 0, kernel.storeSize(groups, tokens), 0);
    }

    @Override
    public void add(int start, int cols) {
      kernel.accumulate(block, groups, x.data(), x.offset(0, start), tokens, cols, sums);
    }

    @Override
    public void end() {
      // The sums are taken from their lanes where they are asked for.
    }

    @Override
    public void products(int token, float[] out) {
      for (int row = 0; row < panelRows; row++) {
        out[row] = kernel.sum(sums, kernel.offset(row, token, groups));
      }
    }
  }
}
