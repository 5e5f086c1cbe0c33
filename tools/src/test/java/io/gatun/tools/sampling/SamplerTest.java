package io.gatun.tools.sampling;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import io.gatun.cache.GatunException;
import java.lang.foreign.MemorySegment;
import java.util.Arrays;
import java.util.Comparator;
import java.util.List;
import java.util.Random;
import java.util.SplittableRandom;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class SamplerTest {
  private static final int VOCAB = 50;
  private static final int DRAWS = 60_000;

  private static float[] logits(long seed) {
    Random random = new Random(seed);
    float[] logits = new float[VOCAB];
    for (int i = 0; i < VOCAB; i++) {
      // Whole numbers, so that there are ties.
      logits[i] = Math.round(3 * random.nextGaussian());
    }
    return logits;
  }

  @Test
  void greedyTakesTheFirstOfTheLargest() {
    float[] logits = {1, 5, Float.NEGATIVE_INFINITY, 5, 2};
    Sampler sampler = new Sampler(SamplingOptions.GREEDY, 5);
    assertThat(sampler.sample(MemorySegment.ofArray(logits), 0)).isEqualTo(1);
  }

  /** The distribution by its definition: sort, cut, normalise. */
  private static double[] expected(float[] logits, double temperature, int topK, double topP) {
    List<Integer> order =
        IntStream.range(0, logits.length)
            .boxed()
            .sorted(Comparator.comparingDouble((Integer id) -> -logits[id]))
            .limit(topK == 0 ? logits.length : topK)
            .toList();
    double sum = order.stream().mapToDouble(id -> Math.exp(logits[id] / temperature)).sum();
    double[] p = new double[logits.length];
    double kept = 0;
    for (int id : order) {
      if (kept < topP * (1 - 1e-9)) {
        p[id] = Math.exp(logits[id] / temperature) / sum;
        kept += p[id];
      }
    }
    for (int id = 0; id < p.length; id++) {
      p[id] /= kept;
    }
    return p;
  }

  @ParameterizedTest
  @CsvSource({
    "1, 0, 1",
    "0.7, 0, 1",
    "2, 0, 0.9",
    "1, 5, 1",
    "1.5, 20, 0.8",
    "1, 1, 1",
    "1, 0, 0.01",
    "0.1, 50, 0.5",
    "3, 60, 0.999"
  })
  void drawsFollowTheDistribution(double temperature, int topK, double topP) {
    float[] logits = logits(3);
    double[] expected = expected(logits, temperature, topK, topP);
    Sampler sampler = new Sampler(new SamplingOptions(temperature, topK, topP, 99), VOCAB);
    int[] counts = new int[VOCAB];
    for (int i = 0; i < DRAWS; i++) {
      counts[sampler.sample(MemorySegment.ofArray(logits), i)]++;
    }
    for (int id = 0; id < VOCAB; id++) {
      if (expected[id] == 0) {
        assertThat(counts[id]).as("token %d is cut off", id).isZero();
      }
      double deviation = Math.sqrt(expected[id] * (1 - expected[id]) / DRAWS);
      assertThat((double) counts[id] / DRAWS)
          .as("token %d", id)
          .isCloseTo(expected[id], within(5 * deviation + 1e-12));
    }
  }

  @Test
  void aPositionHasItsRandomNumberWhateverCameBefore() {
    float[] flat = new float[1 << 16];
    SamplingOptions options = new SamplingOptions(1, 0, 1, 4321);
    SplittableRandom random = new SplittableRandom(4321);
    int[] expected = new int[100];
    for (int i = 0; i < 100; i++) {
      expected[i] = (int) (random.nextDouble() * flat.length);
    }
    Sampler whole = new Sampler(options, flat.length);
    assertThat(IntStream.range(0, 100).map(i -> whole.sample(MemorySegment.ofArray(flat), i)))
        .containsExactly(Arrays.stream(expected).boxed().toArray(Integer[]::new));
    Sampler resumed = new Sampler(options, flat.length);
    assertThat(resumed.sample(MemorySegment.ofArray(flat), 60)).isEqualTo(expected[60]);
  }

  @Test
  void logitsThatAreNoNumbersAreRefused() {
    for (float bad : new float[] {Float.NaN, Float.POSITIVE_INFINITY}) {
      MemorySegment logits = MemorySegment.ofArray(new float[] {1, bad, 2});
      assertThatThrownBy(() -> new Sampler(SamplingOptions.GREEDY, 3).sample(logits, 0))
          .isInstanceOf(GatunException.class)
          .hasMessageContaining("gave token 1 the logit " + bad);
    }
  }

  @ParameterizedTest
  @CsvSource({
    "-1, 0, 1, temperature is -1.0", "NaN, 0, 1, temperature is NaN", "1, -2, 1, top-k is -2",
    "1, 0, 0, top-p is 0.0", "1, 0, 1.1, top-p is 1.1", "1, 0, NaN, top-p is NaN"
  })
  void wrongOptionsAreRefused(double temperature, int topK, double topP, String message) {
    assertThatThrownBy(() -> new SamplingOptions(temperature, topK, topP, 0))
        .isInstanceOf(GatunException.class)
        .hasMessageContaining(message);
  }
}
