package io.gatun.attention.latent;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import io.gatun.attention.NotFiniteException;
import io.gatun.attention.Team;
import io.gatun.cache.KvCache;
import io.gatun.cache.KvLayout;
import io.gatun.cache.KvShape;
import io.gatun.cache.KvType;
import io.gatun.cache.KvView;
import io.gatun.cache.RowReader;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.Random;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** The absorbed form over the latent cache against the un-absorbed formula in double. */
class LatentAttentionTest {
  private static final ValueLayout.OfFloat FLOAT = ValueLayout.JAVA_FLOAT;
  private static final long SEED = 576;

  private final Arena arena = Arena.ofShared();
  private final Team team = Team.of(2);
  private final Random random = new Random(SEED);

  @AfterEach
  void close() {
    team.close();
    arena.close();
  }

  private MemorySegment gaussian(long count, double spread) {
    MemorySegment segment = arena.allocate(4 * count, 64);
    for (long i = 0; i < count; i++) {
      segment.setAtIndex(FLOAT, i, (float) (spread * random.nextGaussian()));
    }
    return segment;
  }

  private KvCache cache(KvType type, int latentDim, int ropeDim, int tokens, int blockTokens) {
    KvCache cache =
        KvCache.builder(KvShape.latent(2, latentDim, ropeDim))
            .type(type)
            .blockTokens(blockTokens)
            .build();
    for (int layer = 0; layer < 2; layer++) {
      cache.append(layer, gaussian((long) tokens * (latentDim + ropeDim), 1), null, tokens);
    }
    cache.advance(tokens);
    return cache;
  }

  private static float scale(int nopeDim, int ropeDim) {
    return (float) (1 / Math.sqrt(nopeDim + ropeDim));
  }

  @ParameterizedTest(name = "{0}: {1} heads, nope {2}, rope {3}, latent {4}, value {5}, {6} tokens")
  @CsvSource({
    "F32, 128, 128, 64, 512, 128, 33", // DeepSeek-V2 and V3
    "BF16, 16, 128, 64, 512, 128, 200",
    "F16, 16, 128, 64, 512, 128, 200",
    "F32, 3, 13, 6, 37, 11, 70", // widths that fill no vector
    "F32, 1, 1, 1, 1, 1, 1",
  })
  void isTheUnabsorbedFormula(
      KvType type, int heads, int nopeDim, int ropeDim, int latentDim, int valueDim, int tokens) {
    MemorySegment up =
        gaussian((long) heads * (nopeDim + valueDim) * latentDim, 1 / Math.sqrt(latentDim));
    MemorySegment q = gaussian((long) heads * (nopeDim + ropeDim), 1);
    MemorySegment out = gaussian((long) heads * valueDim, 1);
    try (KvCache cache = cache(type, latentDim, ropeDim, tokens, 16);
        LatentAttention attention =
            new LatentAttention(
                cache.layout(), heads, nopeDim, valueDim, scale(nopeDim, ropeDim), 1, team)) {
      attention.attend(cache.live(), 1, 1, up, q, out);
      double error = 0;
      double largest = 0;
      for (int head = 0; head < heads; head++) {
        double[] expected =
            unabsorbed(cache.live(), head, nopeDim, ropeDim, latentDim, valueDim, up, q);
        for (int d = 0; d < valueDim; d++) {
          double actual = out.getAtIndex(FLOAT, (long) head * valueDim + d);
          error = Math.max(error, Math.abs(actual - expected[d]));
          largest = Math.max(largest, Math.abs(expected[d]));
        }
      }
      System.out.printf(
          "latent attention, %s, %d heads: error %.1e of the largest output (seed %d)%n",
          type.label(), heads, error / largest, SEED);
      // The reference reads the stored rows, so that the element type's rounding is no error here.
      assertThat(error / largest).as("seed %d", SEED).isLessThan(2e-6);
    }
  }

  /** The absorbed query, the mean of latents, or the output leaves the range of floats. */
  @ParameterizedTest
  @CsvSource({"1e30, 1e20, 1, true", "1, 1e30, 1e10, true", "1, 1e10, 1e20, false"})
  void whatLeavesTheRangeOfFloatsIsRightOrNamed(
      float query, float projection, float latent, boolean refused) {
    KvShape shape = KvShape.latent(2, 64, 16);
    MemorySegment up = gaussian(3L * (32 + 32) * 64, projection);
    MemorySegment q = gaussian(3L * (32 + 16), query);
    MemorySegment out = gaussian(3L * 32, 1);
    try (KvCache cache = KvCache.builder(shape).type(KvType.F32).blockTokens(16).build();
        LatentAttention attention =
            new LatentAttention(cache.layout(), 3, 32, 32, scale(32, 16), 1, team)) {
      for (int layer = 0; layer < 2; layer++) {
        cache.append(layer, gaussian(70L * 80, latent), null, 70);
      }
      cache.advance(70);
      if (refused) {
        assertThatThrownBy(() -> attention.attend(cache.live(), 1, 1, up, q, out))
            .isInstanceOf(NotFiniteException.class)
            .hasMessageMatching("layer 1, head [0-2]: .*(query|output) value .*");
        return;
      }
      attention.attend(cache.live(), 1, 1, up, q, out);
      double[] expected = unabsorbed(cache.live(), 2, 32, 16, 64, 32, up, q);
      for (int d = 0; d < 32; d++) {
        assertThat((double) out.getAtIndex(FLOAT, 64 + d))
            .isCloseTo(expected[d], within(1e-5 * Math.abs(expected[d]) + 1e24));
      }
    }
  }

  /** Output of one head for the last token: every key and value made, all in double. */
  private static double[] unabsorbed(
      KvView view,
      int head,
      int nopeDim,
      int ropeDim,
      int latentDim,
      int valueDim,
      MemorySegment up,
      MemorySegment q) {
    int tokens = Math.toIntExact(view.length());
    long w = (long) head * (nopeDim + valueDim) * latentDim;
    long query = (long) head * (nopeDim + ropeDim);
    double[] scores = new double[tokens];
    double[][] values = new double[tokens][valueDim];
    double largest = Double.NEGATIVE_INFINITY;
    float[] row = new float[latentDim + ropeDim];
    for (int t = 0; t < tokens; t++) {
      RowReader.key(view, 1, 0, t, row);
      double score = 0;
      for (int d = 0; d < nopeDim; d++) {
        double key = 0;
        for (int l = 0; l < latentDim; l++) {
          key += (double) up.getAtIndex(FLOAT, w + (long) d * latentDim + l) * row[l];
        }
        score += q.getAtIndex(FLOAT, query + d) * key;
      }
      for (int d = 0; d < ropeDim; d++) {
        score += (double) q.getAtIndex(FLOAT, query + nopeDim + d) * row[latentDim + d];
      }
      scores[t] = score / Math.sqrt(nopeDim + ropeDim);
      largest = Math.max(largest, scores[t]);
      for (int d = 0; d < valueDim; d++) {
        for (int l = 0; l < latentDim; l++) {
          values[t][d] +=
              (double) up.getAtIndex(FLOAT, w + (long) (nopeDim + d) * latentDim + l) * row[l];
        }
      }
    }
    double sum = 0;
    double[] out = new double[valueDim];
    for (int t = 0; t < tokens; t++) {
      double weight = Math.exp(scores[t] - largest);
      sum += weight;
      for (int d = 0; d < valueDim; d++) {
        out[d] += weight * values[t][d];
      }
    }
    for (int d = 0; d < valueDim; d++) {
      out[d] /= sum;
    }
    return out;
  }

  @Test
  void severalTokensAreEachTokenAlone() {
    int heads = 4;
    int tokens = 9;
    MemorySegment up = gaussian(heads * 48L * 64, 0.1);
    MemorySegment q = gaussian(tokens * heads * 40L, 1);
    MemorySegment out = gaussian(tokens * heads * 16L, 1);
    MemorySegment one = gaussian(heads * 16L, 1);
    try (KvCache cache = cache(KvType.BF16, 64, 8, 50, 16);
        LatentAttention attention =
            new LatentAttention(cache.layout(), heads, 32, 16, 0.2f, tokens, team)) {
      attention.attend(cache.live(), 1, tokens, up, q, out);
      for (int t = 0; t < tokens; t++) {
        try (KvCache front = cache.fork(50 - tokens + t + 1)) {
          attention.attend(front.live(), 1, 1, up, q.asSlice(4L * t * heads * 40), one);
          assertThat(one.mismatch(out.asSlice(4L * t * heads * 16, one.byteSize()))).isEqualTo(-1);
        }
      }
    }
  }

  @Test
  void theCacheHoldsOneRowATokenAndNoValues() {
    KvLayout layout = KvLayout.of(KvShape.latent(61, 512, 64), KvType.BF16);
    assertThat(layout.bytesPerToken()).isEqualTo(70_272);
    assertThat(layout.valuesBytes()).isZero();
  }

  @Test
  void refused() {
    KvLayout plain = KvLayout.of(new KvShape(1, 1, 64, 64), KvType.F32);
    assertThatThrownBy(() -> new LatentAttention(plain, 4, 32, 16, 1, 1, team))
        .hasMessageContaining("not one latent row");
    KvLayout latent = KvLayout.of(KvShape.latent(1, 64, 8), KvType.F32);
    assertThatThrownBy(() -> new LatentAttention(latent, 0, 32, 16, 1, 1, team))
        .hasMessageContaining("0 heads");
    try (KvCache cache = cache(KvType.F32, 64, 8, 3, 16);
        LatentAttention attention = new LatentAttention(cache.layout(), 4, 32, 16, 1, 2, team)) {
      MemorySegment small = gaussian(3, 1);
      assertThatThrownBy(() -> attention.attend(cache.live(), 0, 3, small, small, small))
          .hasMessage("3 tokens, not 1 to 2");
      assertThatThrownBy(() -> attention.attend(cache.live(), 0, 1, small, small, small))
          .hasMessage("up takes 49152 bytes, the segment has 12");
    }
  }
}
