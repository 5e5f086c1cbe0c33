package io.gatun.tools.recall;

import static io.gatun.tools.recall.RecallDesign.*;
import static org.assertj.core.api.Assertions.assertThat;

import io.gatun.cache.KvType;
import io.gatun.tools.safetensors.SafetensorsWriter;
import java.util.Arrays;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.EnumSource;

/**
 * The margins that the package's description states, over every distance up to the longest context,
 * with keys rounded as the cache rounds them.
 */
class MarginsTest {
  private static float stored(KvType type, float value) {
    return switch (type) {
      case F32 -> value;
      case F16 -> Float.float16ToFloat(Float.floatToFloat16(value));
      case BF16 -> Float.intBitsToFloat(SafetensorsWriter.toBf16(value) << 16);
      default -> throw new IllegalArgumentException("no margin is claimed for " + type);
    };
  }

  /** Distances other than the wanted one score at least 63.2 less, all but the neighbours 137. */
  @Test
  void noDistanceComesNearTheWantedOne() {
    double[] frequencies = frequencies();
    double neighbour = Double.MAX_VALUE;
    double other = Double.MAX_VALUE;
    for (int off = -MATCH; off < MAX_POSITIONS; off++) {
      double gap = 0;
      for (int pair = 0; pair < DISTANCE_PAIRS; pair++) {
        gap += DISTANCE_SCORE * (1 - Math.cos(off * frequencies[pair]));
      }
      if (Math.abs(off) == 1) {
        neighbour = Math.min(neighbour, gap);
      } else if (off != 0) {
        other = Math.min(other, gap);
      }
    }
    assertThat(neighbour).isBetween(63.2, 63.3);
    assertThat(other).isBetween(137.0, 139.0);
  }

  private static double[] frequencies() {
    double[] frequencies = new double[PAIRS];
    for (int pair = 0; pair < PAIRS; pair++) {
      frequencies[pair] = frequency(pair);
    }
    return frequencies;
  }

  /** With the keys as they are stored, what the other tokens get is less than f32 can tell from 0. */
  @ParameterizedTest
  @CsvSource({"F32, 62", "F16, 62", "BF16, 57"})
  void roundedKeysStillSelectTheDistance(KvType type, double least) {
    float[] keys = distanceKeys(type); // [position][pair][cos, sin]
    Random random = new Random(1);
    double worst = Double.MAX_VALUE;
    for (int trial = 0; trial < 48; trial++) {
      int back = 1 + trial % MATCH;
      int t =
          trial < MATCH ? MAX_POSITIONS - 1 - trial : back + random.nextInt(MAX_POSITIONS - back);
      float[] query = new float[2 * DISTANCE_PAIRS];
      for (int pair = 0; pair < DISTANCE_PAIRS; pair++) {
        double angle = (t - back) * frequency(pair);
        query[2 * pair] = (float) (DISTANCE_SCORE * Math.cos(angle));
        query[2 * pair + 1] = (float) (DISTANCE_SCORE * Math.sin(angle));
      }
      double wanted = score(query, keys, t - back);
      double others = 0;
      for (int p = 0; p <= t; p++) {
        if (p != t - back) {
          double gap = wanted - score(query, keys, p);
          worst = Math.min(worst, gap);
          others += Math.exp(-gap);
        }
      }
      assertThat(others).as("%s at %d, %d back", type, t, back).isLessThan(0x1p-25);
    }
    assertThat(worst).as("least gap, %s", type).isGreaterThan(least);
  }

  private static float[] distanceKeys(KvType type) {
    double[] frequencies = frequencies();
    float[] keys = new float[MAX_POSITIONS * 2 * DISTANCE_PAIRS];
    for (int p = 0; p < MAX_POSITIONS; p++) {
      for (int pair = 0; pair < DISTANCE_PAIRS; pair++) {
        int at = 2 * (p * DISTANCE_PAIRS + pair);
        keys[at] = stored(type, (float) Math.cos(p * frequencies[pair]));
        keys[at + 1] = stored(type, (float) Math.sin(p * frequencies[pair]));
      }
    }
    return keys;
  }

  private static double score(float[] query, float[] keys, int position) {
    double score = 0;
    for (int i = 0; i < query.length; i++) {
      score += (double) query[i] * keys[position * query.length + i];
    }
    return score;
  }

  /** A sign of a whole byte is stored exactly, at every position, in every type. */
  @ParameterizedTest
  @EnumSource(
      value = KvType.class,
      names = {"F16", "BF16"})
  void signsOfWholeBytesAreStoredExactly(KvType type) {
    double angle = MAX_POSITIONS * frequency(SIGN_PAIRS);
    float cos = (float) Math.cos(angle);
    float sin = (float) Math.sin(angle);
    for (int x = -1; x <= 1; x += 2) {
      for (int y = -1; y <= 1; y += 2) {
        // Within the norm's 0.1 %, which the first tokens' half-filled slots can make.
        float turned = (float) (KEY_SIGN * (x * cos - y * sin));
        assertThat(stored(type, turned)).isEqualTo((float) KEY_SIGN * x);
      }
    }
  }

  /**
   * A full match, at any distance, beats whatever lacks one sign, at any distance: the least gap over
   * both, with the greatest error that rounded keys and f32 sums can make.
   */
  @ParameterizedTest
  @CsvSource({"F32, 67000", "F16, 64000", "BF16, 42000"})
  void aFullMatchBeatsEverythingElse(KvType type, double least) {
    double[][] weights = weights();
    double full = Double.MAX_VALUE;
    double[] rival = new double[PAIRS]; // best score of a key that lacks the lesser sign of a pair
    Arrays.fill(rival, -Double.MAX_VALUE);
    for (int distance = 0; distance < MAX_POSITIONS; distance += 64) {
      double recency = -RECENCY_SCORE * Math.sin(distance * frequency(RECENCY_PAIR));
      double sum = recency;
      for (int pair = PARITY_PAIRS; pair < PAIRS; pair++) {
        sum += (weights[pair][0] + weights[pair][1]) * Math.cos(distance * frequency(pair));
      }
      full = Math.min(full, sum);
      for (int pair = PARITY_PAIRS; pair < PAIRS; pair++) {
        double angle = distance * frequency(pair);
        double low = Math.min(weights[pair][0], weights[pair][1]);
        double both = weights[pair][0] + weights[pair][1];
        // (high, -low) against (high, low): what stays, and what the turn lets across, at most.
        double lacks = -2 * low * Math.cos(angle) + both * Math.abs(Math.sin(angle));
        rival[pair] = Math.max(rival[pair], sum + lacks);
      }
    }
    double best = Arrays.stream(rival, PARITY_PAIRS, PAIRS).max().orElseThrow();
    double gap = full - best - 2 * error(type, weights);
    assertThat(gap).as("least gap, %s", type).isGreaterThan(least);
  }

  /** Scores of the two dimensions of each pair, when equal. */
  private static double[][] weights() {
    double[][] weights = new double[PAIRS][2];
    for (int back = 1; back <= MATCH; back++) {
      for (int sign = 0; sign < (back <= WHOLE ? ByteCode.DIM : 1); sign++) {
        int dim = back <= WHOLE ? signDim(back, sign) : parityDim(back);
        weights[dim % PAIRS][dim / PAIRS] = back <= WHOLE ? signScore(back) : PARITY_SCORE;
      }
    }
    return weights;
  }

  private static double error(KvType type, double[][] weights) {
    double unit = type == KvType.F32 ? 0x1p-24 : type == KvType.F16 ? 0x1p-11 : 0x1p-8;
    double keys = RECENCY_SCORE * unit * Math.sqrt(2);
    for (int pair = PARITY_PAIRS; pair < SIGN_PAIRS; pair++) {
      keys += (weights[pair][0] + weights[pair][1]) * unit * Math.sqrt(2);
    }
    double sums = HEAD_DIM * Math.ulp((float) (fullScore() / Math.log(2)));
    return keys + sums;
  }

  /**
   * The least spacing from which on the later of two equal passages wins by 3 nats, wherever they
   * stand, in contexts of a given length.
   */
  @ParameterizedTest
  @CsvSource({
    "F32, 16384, 12",
    "F32, 131072, 12",
    "F32, 262144, 25",
    "F16, 16384, 20",
    "F16, 131072, 135",
    "F16, 262144, 155",
    "BF16, 16384, 110",
    "BF16, 131072, 1040",
    "BF16, 262144, 1210",
  })
  void laterOfEqualPassagesWins(KvType type, int context, int spacing) {
    double frequency = frequency(RECENCY_PAIR);
    float[] cos = new float[context];
    float[] sin = new float[context];
    for (int p = 0; p < context; p++) {
      cos[p] = stored(type, (float) Math.cos(p * frequency));
      sin[p] = stored(type, (float) Math.sin(p * frequency));
    }
    // Both sums run over the same numbers but for the recency: they differ by a few last places.
    double sums = 4 * Math.ulp((float) fullScore());
    int widest = 0;
    for (int t : new int[] {context - 1, context * 3 / 4, context / 2, context / 4, context / 8}) {
      double[] leastFrom = new double[t + 1];
      for (int p = t; p >= 0; p--) {
        double score =
            RECENCY_SCORE * (Math.cos(t * frequency) * sin[p] - Math.sin(t * frequency) * cos[p]);
        leastFrom[p] = p == t ? score : Math.min(score, leastFrom[p + 1]);
        double needed = score + 3 + sums;
        int later = p; // the last position that does not win clearly
        for (int step = Integer.highestOneBit(t + 1); step > 0; step /= 2) {
          if (later + step <= t && leastFrom[later + step] < needed) {
            later += step;
          }
        }
        widest = Math.max(widest, later - p + 1);
      }
    }
    assertThat(widest).as("%s, %d tokens", type, context).isLessThanOrEqualTo(spacing);
  }
}
