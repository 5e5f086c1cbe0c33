package io.gatun.attention;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import io.gatun.cache.KvCache;
import io.gatun.cache.KvShape;
import java.lang.foreign.MemorySegment;
import java.util.Arrays;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class GqaLayerTest {
  private static final int MODEL = 24;
  private static final int DIM = 6;
  private static final int TOKENS = 9;

  private static double[] gaussian(Random random, int count) {
    return random.doubles(count).map(x -> random.nextGaussian()).toArray();
  }

  /** Repeats each head's rows, as repeat_interleave along the heads does. */
  private static double[] repeatInterleave(double[] weights, int heads, int times) {
    int rows = weights.length / heads;
    double[] repeated = new double[weights.length * times];
    for (int head = 0; head < heads * times; head++) {
      System.arraycopy(weights, head / times * rows, repeated, head * rows, rows);
    }
    return repeated;
  }

  /** Multi-head attention, one head after the other with matrices of its own. */
  private static double[] multiHead(
      double[] x, double[] wq, double[] wk, double[] wv, double[] wo, int heads) {
    double[][] y = new double[TOKENS][MODEL];
    for (int head = 0; head < heads; head++) {
      double[][] q = matrix(x, wq, head);
      double[][] k = matrix(x, wk, head);
      double[][] v = matrix(x, wv, head);
      for (int t = 0; t < TOKENS; t++) {
        double total = 0;
        double[] mixed = new double[DIM];
        for (int u = 0; u <= t; u++) {
          double dot = 0;
          for (int d = 0; d < DIM; d++) {
            dot += q[t][d] * k[u][d];
          }
          double weight = Math.exp(dot / Math.sqrt(DIM));
          total += weight;
          for (int d = 0; d < DIM; d++) {
            mixed[d] += weight * v[u][d];
          }
        }
        for (int m = 0; m < MODEL; m++) {
          for (int d = 0; d < DIM; d++) {
            y[t][m] += wo[m * heads * DIM + head * DIM + d] * mixed[d] / total;
          }
        }
      }
    }
    return Arrays.stream(y).flatMapToDouble(Arrays::stream).toArray();
  }

  private static double[][] matrix(double[] x, double[] w, int head) {
    double[][] result = new double[TOKENS][DIM];
    for (int t = 0; t < TOKENS; t++) {
      for (int d = 0; d < DIM; d++) {
        for (int m = 0; m < MODEL; m++) {
          result[t][d] += x[t * MODEL + m] * w[(head * DIM + d) * MODEL + m];
        }
      }
    }
    return result;
  }

  /** 1/1, MHA and MQA are among them. */
  @ParameterizedTest
  @CsvSource({"1,1", "4,2", "8,2", "6,6", "6,1", "14,2", "71,1"})
  void equalsMultiHeadAttentionWithRepeatedKvHeads(int numHeads, int numKvHeads) {
    Random random = new Random(numHeads * 100L + numKvHeads);
    double[] wq = gaussian(random, numHeads * DIM * MODEL);
    double[] wk = gaussian(random, numKvHeads * DIM * MODEL);
    double[] wv = gaussian(random, numKvHeads * DIM * MODEL);
    double[] wo = gaussian(random, MODEL * numHeads * DIM);
    double[] x = Arrays.stream(gaussian(random, TOKENS * MODEL)).map(v -> v / 8).toArray();
    int times = numHeads / numKvHeads;
    double[] expected =
        multiHead(
            x,
            wq,
            repeatInterleave(wk, numKvHeads, times),
            repeatInterleave(wv, numKvHeads, times),
            wo,
            numHeads);
    double[] actual =
        new GqaLayer(MODEL, numHeads, numKvHeads, DIM, wq, wk, wv, wo).forward(x, TOKENS);
    for (int i = 0; i < expected.length; i++) {
      assertThat(actual[i]).isCloseTo(expected[i], within(1e-11));
    }
    assertThat(actual).hasSameSizeAs(expected);
  }

  @Test
  void theCachedAttentionComputesTheMiddleOfIt() {
    Random random = new Random(7);
    int heads = 8;
    int kvHeads = 2;
    double[] q = gaussian(random, TOKENS * heads * DIM);
    double[] k = gaussian(random, TOKENS * kvHeads * DIM);
    double[] v = gaussian(random, TOKENS * kvHeads * DIM);
    GqaLayer layer =
        new GqaLayer(
            1,
            heads,
            kvHeads,
            DIM,
            new double[heads * DIM],
            new double[kvHeads * DIM],
            new double[kvHeads * DIM],
            new double[heads * DIM]);
    double[] expected = layer.attend(rounded(q), rounded(k), rounded(v), TOKENS);
    float[] out = new float[q.length];
    try (Team team = Team.of(1);
        KvCache cache = KvCache.builder(new KvShape(1, kvHeads, DIM, DIM)).build();
        GqaAttention attention =
            GqaAttention.create(cache.layout(), AttentionOptions.of(heads, DIM), team)) {
      cache.append(0, floats(k), floats(v), TOKENS);
      attention.prefill(cache.live(), 0, TOKENS, floats(q), MemorySegment.ofArray(out));
    }
    for (int i = 0; i < out.length; i++) {
      assertThat((double) out[i]).isCloseTo(expected[i], within(2e-6));
    }
  }

  private static double[] rounded(double[] values) {
    return Arrays.stream(values).map(v -> (float) v).toArray();
  }

  private static MemorySegment floats(double[] values) {
    float[] floats = new float[values.length];
    for (int i = 0; i < floats.length; i++) {
      floats[i] = (float) values[i];
    }
    return MemorySegment.ofArray(floats);
  }

  @Test
  void namesWhatDoesNotFit() {
    double[] w = new double[4 * DIM * MODEL];
    assertThatThrownBy(() -> new GqaLayer(MODEL, 4, 3, DIM, w, w, w, w))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessage("numHeads is 4, not a multiple of numKvHeads = 3");
    assertThatThrownBy(() -> new GqaLayer(MODEL, 4, 2, DIM, w, w, w, w))
        .hasMessage("wk has 576 values, not 2 heads x 6 dims x 24 model dims = 288");
    GqaLayer layer = new GqaLayer(MODEL, 4, 4, DIM, w, w, w, w);
    assertThatThrownBy(() -> layer.forward(new double[5], 1))
        .hasMessage("x has 5 values, not 1 tokens x 24 model dims");
  }
}
