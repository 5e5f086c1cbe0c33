package io.gatun.tools.model;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import com.fasterxml.jackson.databind.ObjectMapper;
import io.gatun.attention.Team;
import io.gatun.cache.KvCache;
import io.gatun.cache.KvType;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.Map;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/**
 * A small trained model, where it is at hand: its text, and what each type of the cache costs. The
 * folder is {@code shared/models/stories260K} in some folder above this one.
 */
class StoriesModelTest {
  private static final String PLACE = "shared/models/stories260K";

  /** Largest mean KL divergence, and least share of equal best tokens, by type of the cache. */
  private static final Map<KvType, double[]> LIMITS = new LinkedHashMap<>();

  static {
    LIMITS.put(KvType.F32, new double[] {1e-11, 1});
    LIMITS.put(KvType.F16, new double[] {3e-6, 0.995});
    LIMITS.put(KvType.BF16, new double[] {1e-4, 0.99});
    LIMITS.put(KvType.Q8, new double[] {2e-3, 0.98});
    LIMITS.put(KvType.Q4, new double[] {0.5, 0.6});
  }

  private Path folder;

  @BeforeEach
  void find() {
    for (Path up = Path.of("").toAbsolutePath(); up != null; up = up.getParent()) {
      if (Files.isDirectory(up.resolve(PLACE))) {
        folder = up.resolve(PLACE);
        return;
      }
    }
    System.out.printf("SKIPPED: no trained model, %s is in no folder above this one%n", PLACE);
    assumeTrue(false, "no folder above this one has " + PLACE);
  }

  private int[] greedy() throws IOException {
    return new ObjectMapper().readValue(folder.resolve("greedy.json").toFile(), int[].class);
  }

  private static int best(double[] logits) {
    int best = 0;
    for (int i = 1; i < logits.length; i++) {
      best = logits[i] > logits[best] ? i : best;
    }
    return best;
  }

  private static double[] copy(MemorySegment logits) {
    float[] values = logits.toArray(ValueLayout.JAVA_FLOAT);
    double[] doubles = new double[values.length];
    for (int i = 0; i < values.length; i++) {
      doubles[i] = values[i];
    }
    return doubles;
  }

  @Test
  void greedyDecodingGivesTheTokensOfTheReference() throws IOException {
    int[] expected = greedy();
    try (Team team = Team.of(2);
        Model model = Model.load(folder);
        KvCache cache = KvCache.builder(model.kvShape()).type(KvType.F32).build();
        Decoder decoder = new Decoder(model, cache, team)) {
      int[] found = new int[expected.length];
      found[0] = expected[0];
      for (int i = 1; i < found.length; i++) {
        found[i] = best(copy(decoder.decode(found[i - 1])));
      }
      assertThat(found).isEqualTo(expected);
      System.out.printf("stories260K: %d of %d greedy tokens%n", found.length - 1, 299);
    }
  }

  @Test
  void whatATypeOfTheCacheCosts() throws IOException {
    int[] tokens = greedy();
    double[][] reference = new ReferenceModel(folder).logits(tokens);
    try (Team team = Team.of(2);
        Model model = Model.load(folder)) {
      for (Map.Entry<KvType, double[]> limit : LIMITS.entrySet()) {
        KvType type = limit.getKey();
        double sum = 0;
        double worst = 0;
        int same = 0;
        try (KvCache cache = KvCache.builder(model.kvShape()).type(type).build();
            Decoder decoder = new Decoder(model, cache, team)) {
          for (int t = 0; t < tokens.length; t++) {
            double[] logits = copy(decoder.decode(tokens[t]));
            double kl = divergence(reference[t], logits);
            sum += kl;
            worst = Math.max(worst, kl);
            same += best(logits) == best(reference[t]) ? 1 : 0;
          }
        }
        double mean = sum / tokens.length;
        double top = (double) same / tokens.length;
        System.out.printf(
            "stories260K, %-4s K/V: mean KL %.1e, largest %.1e, top-1 %.1f %% of %d%n",
            type.label(), mean, worst, 100 * top, tokens.length);
        assertThat(mean).isLessThan(limit.getValue()[0]);
        assertThat(top).isGreaterThanOrEqualTo(limit.getValue()[1]);
      }
    }
  }

  /** Kullback-Leibler divergence of the second distribution from the first, in nats. */
  private static double divergence(double[] reference, double[] logits) {
    double[] p = logSoftmax(reference);
    double[] q = logSoftmax(logits);
    double sum = 0;
    for (int i = 0; i < p.length; i++) {
      sum += Math.exp(p[i]) * (p[i] - q[i]);
    }
    return sum;
  }

  private static double[] logSoftmax(double[] logits) {
    double max = logits[best(logits)];
    double sum = 0;
    for (double logit : logits) {
      sum += Math.exp(logit - max);
    }
    double[] result = new double[logits.length];
    for (int i = 0; i < result.length; i++) {
      result[i] = logits[i] - max - Math.log(sum);
    }
    return result;
  }
}
