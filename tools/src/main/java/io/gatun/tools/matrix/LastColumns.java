package io.gatun.tools.matrix;

/**
 * The columns of a panel behind the last whole vector, decoded: {@code [row][lanes - 1]}. Their
 * products are added to a sum one after the other (see {@link Lanes}).
 *
 * <p>Thread rules: one thread at a time.
 */
final class LastColumns {
  private final int lanes;
  private final int most;
  private final float[] weights; // see above
  private int rows;
  private int first;
  private int count;

  /** Room for so many rows. */
  LastColumns(int maxRows, int lanes) {
    this.lanes = lanes;
    this.most = lanes - 1;
    this.weights = new float[maxRows * most];
  }

  /** Decodes those of some rows. */
  void take(RowKernel decoder, Matrix weight, long from, int rows) {
    this.rows = rows;
    count = weight.cols() % lanes;
    first = weight.cols() - count;
    for (int row = 0; count > 0 && row < rows; row++) {
      decoder.widen(weight.data(), weight.cols(), from + row, first, count, weights, row * most);
    }
  }

  /** Adds their products with a token's activations to sums of the rows. */
  void add(Activations x, int token, float[] sums) {
    for (int c = 0; c < count; c++) {
      float value = x.data().get(MatrixProduct.FLOAT, x.offset(token, first + c));
      for (int row = 0; row < rows; row++) {
        sums[row] = Math.fma(weights[row * most + c], value, sums[row]);
      }
    }
  }
}
