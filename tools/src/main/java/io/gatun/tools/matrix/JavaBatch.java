package io.gatun.tools.matrix;

import java.util.Arrays;
import java.util.function.Function;

/**
 * Batches on a {@link PanelKernel}: rows are decoded a block of columns at a time, activations are
 * read where they lie.
 */
final class JavaBatch implements BatchKernel {
  /** Rows of a panel: 32 x 448 decoded weights fit the second-level cache. */
  private static final int ROWS = 32;

  /** Threads from which on panels have half as many rows, since each thread would want one. */
  private static final int MANY_THREADS = 17;

  private final Function<WeightType, RowKernel> kernels;
  private final PanelKernel kernel;
  private final int rows;
  private final int maxTokens;

  // The call under way.
  private Activations x;
  private int tokens;

  JavaBatch(
      Function<WeightType, RowKernel> kernels, PanelKernel kernel, int threads, int maxTokens) {
    this.kernels = kernels;
    this.kernel = kernel;
    this.rows = threads < MANY_THREADS ? ROWS : ROWS / 2;
    this.maxTokens = maxTokens;
  }

  @Override
  public int rows() {
    return rows;
  }

  @Override
  public int begin(Activations activations, int count) {
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

  /** A block of columns, decoded, and the sums of those that went before. */
  private final class Store implements Panel {
    private final float[] block = new float[rows * PanelKernel.ROW];
    private final float[] sums = new float[kernel.storeSize(rows / PanelKernel.GROUP, maxTokens)];
    private final LastColumns last = new LastColumns(rows, kernel.lanes());
    private int panelRows;
    private int groups;

    @Override
    public void multiply(Matrix weight, long from, int count) {
      RowKernel decoder = kernels.apply(weight.type());
      panelRows = count;
      groups = Math.ceilDiv(count, PanelKernel.GROUP);
      Arrays.fill(sums, 0, kernel.storeSize(groups, tokens), 0);
      int whole = weight.cols() - weight.cols() % kernel.lanes();
      for (int start = 0; start < whole; start += Activations.BLOCK) {
        int cols = Math.min(Activations.BLOCK, whole - start);
        decoder.widen(weight, from, count, start, cols, block);
        kernel.accumulate(block, groups, x.data(), x.offset(0, start), tokens, cols, sums);
      }
      last.take(decoder, weight, from, count);
    }

    @Override
    public void products(int token, float[] out) {
      for (int row = 0; row < panelRows; row++) {
        out[row] = kernel.sum(sums, kernel.offset(row, token, groups));
      }
      last.add(x, token, out);
    }
  }
}
