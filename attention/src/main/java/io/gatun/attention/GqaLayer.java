package io.gatun.attention;

import java.util.Objects;

/**
 * The grouped-query attention layer as the textbooks have it, in double: projections, causal
 * attention, output projection. Slow and plain; for teaching, for tests, and to compare other
 * implementations with. The fast way is {@link GqaAttention} over a cache.
 *
 * <pre>
 *   q = x Wq'   k = x Wk'   v = x Wv'                              (W' is W transposed)
 *   o[t][h] = sum over u <= t of softmax_u(q[t][h] . k[u][h / group] / sqrt(headDim)) v[u][h / group]
 *   y = o Wo'
 * </pre>
 *
 * with {@code group = numHeads / numKvHeads} (Ainslie et al., 2023, section 2.2). With {@code
 * numKvHeads = numHeads} this is multi-head attention (Vaswani et al., 2017, section 3.2.2), with
 * {@code numKvHeads = 1} multi-query attention (Shazeer, 2019, section 2.2).
 *
 * <p>Weights stand as checkpoints have them, {@code [outputs][inputs]}, row after row. Thread rules:
 * immutable as long as nobody writes to the arrays it was given; any thread.
 */
public final class GqaLayer {
  private final int modelDim;
  private final int numHeads;
  private final int numKvHeads;
  private final int headDim;
  private final double[] wq; // [numHeads][headDim][modelDim]
  private final double[] wk; // [numKvHeads][headDim][modelDim]
  private final double[] wv; // [numKvHeads][headDim][modelDim]
  private final double[] wo; // [modelDim][numHeads][headDim]

  /**
   * A layer with these weights, which are not copied.
   *
   * @param wq {@code [numHeads * headDim][modelDim]}
   * @param wk {@code [numKvHeads * headDim][modelDim]}
   * @param wv {@code [numKvHeads * headDim][modelDim]}
   * @param wo {@code [modelDim][numHeads * headDim]}
   * @throws IllegalArgumentException if {@code numKvHeads} does not divide {@code numHeads}, or an
   *     array has another size
   */
  public GqaLayer(
      int modelDim,
      int numHeads,
      int numKvHeads,
      int headDim,
      double[] wq,
      double[] wk,
      double[] wv,
      double[] wo) {
    if (modelDim < 1 || numHeads < 1 || numKvHeads < 1 || headDim < 1) {
      throw new IllegalArgumentException(
          "modelDim %d, numHeads %d, numKvHeads %d, headDim %d: each must be at least 1"
              .formatted(modelDim, numHeads, numKvHeads, headDim));
    }
    if (numHeads % numKvHeads != 0) {
      throw new IllegalArgumentException(
          "numHeads is %d, not a multiple of numKvHeads = %d".formatted(numHeads, numKvHeads));
    }
    this.modelDim = modelDim;
    this.numHeads = numHeads;
    this.numKvHeads = numKvHeads;
    this.headDim = headDim;
    this.wq = checked("wq", wq, numHeads);
    this.wk = checked("wk", wk, numKvHeads);
    this.wv = checked("wv", wv, numKvHeads);
    this.wo = checked("wo", wo, numHeads);
  }

  private double[] checked(String name, double[] weights, int heads) {
    Objects.requireNonNull(weights, name);
    long wanted = (long) heads * headDim * modelDim;
    if (weights.length != wanted) {
      throw new IllegalArgumentException(
          "%s has %d values, not %d heads x %d dims x %d model dims = %d"
              .formatted(name, weights.length, heads, headDim, modelDim, wanted));
    }
    return weights;
  }

  /**
   * The layer's output; each token sees those before it and itself.
   *
   * @param x {@code [tokens][modelDim]}
   * @return {@code [tokens][modelDim]}
   */
  public double[] forward(double[] x, int tokens) {
    if (tokens < 1 || x.length != (long) tokens * modelDim) {
      throw new IllegalArgumentException(
          "x has %d values, not %d tokens x %d model dims".formatted(x.length, tokens, modelDim));
    }
    double[] q = project(x, tokens, modelDim, wq, numHeads * headDim); // [tokens][heads][headDim]
    double[] k = project(x, tokens, modelDim, wk, numKvHeads * headDim);
    double[] v = project(x, tokens, modelDim, wv, numKvHeads * headDim);
    double[] o = attend(q, k, v, tokens);
    return project(o, tokens, numHeads * headDim, wo, modelDim);
  }

  /**
   * The attention between the projections.
   *
   * @param q {@code [tokens][numHeads][headDim]}
   * @param k {@code [tokens][numKvHeads][headDim]}
   * @param v {@code [tokens][numKvHeads][headDim]}
   * @return {@code [tokens][numHeads][headDim]}
   */
  public double[] attend(double[] q, double[] k, double[] v, int tokens) {
    double[] o = new double[tokens * numHeads * headDim];
    double[] weights = new double[tokens];
    int group = numHeads / numKvHeads;
    for (int t = 0; t < tokens; t++) {
      for (int head = 0; head < numHeads; head++) {
        int query = (t * numHeads + head) * headDim;
        int kvHead = head / group;
        double maximum = Double.NEGATIVE_INFINITY;
        for (int u = 0; u <= t; u++) {
          int key = (u * numKvHeads + kvHead) * headDim;
          double dot = 0;
          for (int d = 0; d < headDim; d++) {
            dot += q[query + d] * k[key + d];
          }
          weights[u] = dot / Math.sqrt(headDim);
          maximum = Math.max(maximum, weights[u]);
        }
        double total = 0;
        for (int u = 0; u <= t; u++) {
          weights[u] = Math.exp(weights[u] - maximum);
          total += weights[u];
        }
        for (int u = 0; u <= t; u++) {
          int value = (u * numKvHeads + kvHead) * headDim;
          for (int d = 0; d < headDim; d++) {
            o[query + d] += weights[u] / total * v[value + d];
          }
        }
      }
    }
    return o;
  }

  /** {@code x W'}: {@code [tokens][inputs]} to {@code [tokens][outputs]}. */
  private static double[] project(double[] x, int tokens, int inputs, double[] w, int outputs) {
    double[] y = new double[tokens * outputs];
    for (int t = 0; t < tokens; t++) {
      for (int o = 0; o < outputs; o++) {
        double sum = 0;
        for (int i = 0; i < inputs; i++) {
          sum += x[t * inputs + i] * w[o * inputs + i];
        }
        y[t * outputs + o] = sum;
      }
    }
    return y;
  }
}
