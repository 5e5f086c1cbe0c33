package io.gatun.attention;

import io.gatun.cache.KvShape;
import io.gatun.cache.KvView;
import io.gatun.cache.RowReader;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.Arrays;

/**
 * What {@link GqaAttention} computes, written from the formula in double: all scores, their
 * softmax, the weighted sum. Slow and plain; it is the oracle of the tests and may serve as one to
 * others. Shares no code with the kernels.
 *
 * <pre>
 *   s[t]   = scale * q . k[t]                          for every token t that the query sees
 *   s[t]   = softCap * tanh(s[t] / softCap)            if there is a soft cap
 *   out[d] = sum over t of e^(s[t] - max s) v[t][d]  /  sum over t of e^(s[t] - max s)
 * </pre>
 *
 * (Vaswani et al., 2017, section 3.2.1; heads grouped as in Ainslie et al., 2023, section 2.2.)
 */
public final class ReferenceAttention {
  private static final ValueLayout.OfFloat FLOAT = ValueLayout.JAVA_FLOAT_UNALIGNED;

  private ReferenceAttention() {}

  /**
   * Attends for the last {@code tokens} tokens of a layer, as {@link GqaAttention#prefill} does.
   *
   * @param q f32 {@code [tokens][numHeads][keyDim]}
   * @return {@code [tokens][numHeads][valueDim]}
   */
  public static double[] attend(
      KvView view, int layer, AttentionOptions options, int tokens, MemorySegment q) {
    return attend(view, layer, options, null, tokens, q);
  }

  /**
   * The same with a learned sink for each head: {@code e^(sink - max s)} more in the denominator.
   *
   * @param sinkLogits {@code [numHeads]}, or null for none
   */
  public static double[] attend(
      KvView view,
      int layer,
      AttentionOptions options,
      float[] sinkLogits,
      int tokens,
      MemorySegment q) {
    return attend(view, layer, options, sinkLogits, TokenTree.chain(tokens), q);
  }

  /**
   * Attends for the last tokens of a layer, which are a tree, as {@link GqaAttention#prefillTree}
   * does: each sees the tokens before the tree and those of its path.
   */
  public static double[] attend(
      KvView view,
      int layer,
      AttentionOptions options,
      float[] sinkLogits,
      TokenTree tree,
      MemorySegment q) {
    KvShape shape = view.layout().shape();
    int group = options.numHeads() / shape.kvHeads();
    long start = view.length(layer) - tree.tokens();
    double[] out = new double[tree.tokens() * options.numHeads() * shape.valueDim()];
    for (int token = 0; token < tree.tokens(); token++) {
      int[] path = tree.path(token);
      long[] seen = new long[Math.toIntExact(start + path.length)];
      Arrays.setAll(seen, t -> t < start ? t : start + path[(int) (t - start)]);
      for (int head = 0; head < options.numHeads(); head++) {
        int row = token * options.numHeads() + head;
        double[] query = new double[shape.keyDim()];
        for (int d = 0; d < query.length; d++) {
          query[d] = q.get(FLOAT, ((long) row * query.length + d) * Float.BYTES);
        }
        double[] result =
            attend(
                view,
                layer,
                head / group,
                options,
                sinkLogits == null ? Double.NEGATIVE_INFINITY : sinkLogits[head],
                query,
                seen);
        System.arraycopy(result, 0, out, row * shape.valueDim(), shape.valueDim());
      }
    }
    return out;
  }

  /** {@code tokens[t]} is the one at position {@code t}, the last of them the query's own. */
  private static double[] attend(
      KvView view,
      int layer,
      int kvHead,
      AttentionOptions options,
      double sinkLogit,
      double[] query,
      long[] tokens) {
    KvShape shape = view.layout().shape();
    double[] scores = new double[tokens.length];
    float[] key = new float[shape.keyDim()];
    double maximum = sinkLogit;
    for (int t = 0; t < scores.length; t++) {
      scores[t] = Double.NEGATIVE_INFINITY;
      if (!options.sees(tokens.length - 1, t)) {
        continue;
      }
      RowReader.key(view, layer, kvHead, tokens[t], key);
      double dot = 0;
      for (int d = 0; d < key.length; d++) {
        dot += query[d] * key[d];
      }
      scores[t] = dot * options.scale();
      if (options.softCap() > 0) {
        scores[t] = options.softCap() * Math.tanh(scores[t] / options.softCap());
      }
      maximum = Math.max(maximum, scores[t]);
    }
    double total = Math.exp(sinkLogit - maximum);
    double[] out = new double[shape.valueDim()];
    float[] value = new float[shape.valueDim()];
    for (int t = 0; t < scores.length; t++) {
      double weight = Math.exp(scores[t] - maximum);
      if (weight == 0) {
        continue;
      }
      total += weight;
      RowReader.value(view, layer, kvHead, tokens[t], value);
      for (int d = 0; d < value.length; d++) {
        out[d] += weight * value[d];
      }
    }
    for (int d = 0; d < out.length; d++) {
      out[d] /= total;
    }
    return out;
  }
}
