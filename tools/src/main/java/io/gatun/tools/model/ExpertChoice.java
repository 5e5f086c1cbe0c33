package io.gatun.tools.model;

import io.gatun.cache.GatunException;
import io.gatun.tools.config.FeedForward.GroupScore;
import io.gatun.tools.config.FeedForward.Router;
import io.gatun.tools.config.FeedForward.Scoring;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.Arrays;

/**
 * Chooses a token's experts from the router's output and weighs them. Computes in double: there are
 * few numbers, and the sums are in one order. Of equal scores the lower index is chosen.
 *
 * <p>One thread. Allocates nothing per call.
 */
final class ExpertChoice {
  private final Router router;
  private final int count;
  private final double[] weights; // [experts], of which the chosen count
  private final double[] scores; // [experts], for the choice
  private final double[] groups; // [groups]
  private final boolean[] taken; // [experts]
  private final int[] chosen; // [router.chosen()], ascending

  ExpertChoice(Router router, int count) {
    this.router = router;
    this.count = count;
    this.weights = new double[count];
    this.scores = new double[count];
    this.groups = new double[router.groups()];
    this.taken = new boolean[count];
    this.chosen = new int[router.chosen()];
  }

  /**
   * Chooses for one token.
   *
   * @param logits the router's output, f32 {@code [experts]} from byte {@code at} on
   * @param correction f32 {@code [experts]} for the choice alone; null for none
   * @return the chosen experts, ascending; overwritten by the next call
   */
  int[] choose(MemorySegment logits, long at, MemorySegment correction) {
    for (int i = 0; i < count; i++) {
      weights[i] = logits.get(ValueLayout.JAVA_FLOAT_UNALIGNED, at + 4L * i);
      if (!Double.isFinite(weights[i])) {
        throw new GatunException(
            "the router's score of expert %d is %s, not finite".formatted(i, weights[i]));
      }
    }
    if (router.scoring() == Scoring.SIGMOID) {
      for (int i = 0; i < count; i++) {
        weights[i] = 1 / (1 + Math.exp(-weights[i]));
      }
    } else if (router.scoring() == Scoring.SOFTMAX) {
      softmaxOfAll();
    }
    for (int i = 0; i < count; i++) {
      double bias =
          correction == null ? 0 : correction.get(ValueLayout.JAVA_FLOAT_UNALIGNED, 4L * i);
      scores[i] = weights[i] + bias;
    }
    if (router.groups() > 1) {
      keepBestGroups();
    }
    Arrays.fill(taken, false);
    for (int k = 0; k < chosen.length; k++) {
      taken[best()] = true;
    }
    int k = 0;
    for (int i = 0; i < count; i++) {
      if (taken[i]) {
        chosen[k++] = i;
      }
    }
    weigh();
    return chosen;
  }

  /** The weight of an expert that was just chosen. */
  float weight(int expert) {
    return (float) weights[expert];
  }

  private void softmaxOfAll() {
    double max = Double.NEGATIVE_INFINITY;
    for (int i = 0; i < count; i++) {
      max = Math.max(max, weights[i]);
    }
    double sum = 0;
    for (int i = 0; i < count; i++) {
      weights[i] = Math.exp(weights[i] - max);
      sum += weights[i];
    }
    for (int i = 0; i < count; i++) {
      weights[i] /= sum;
    }
  }

  /** Takes the experts of all but the best groups out of the choice. */
  private void keepBestGroups() {
    int size = count / router.groups();
    for (int group = 0; group < router.groups(); group++) {
      double first = Double.NEGATIVE_INFINITY;
      double second = Double.NEGATIVE_INFINITY;
      for (int i = group * size; i < (group + 1) * size; i++) {
        second = Math.max(second, Math.min(first, scores[i]));
        first = Math.max(first, scores[i]);
      }
      groups[group] = router.groupScore() == GroupScore.BEST ? first : first + second;
    }
    for (int dropped = router.chosenGroups(); dropped < router.groups(); dropped++) {
      int worst = -1;
      for (int group = 0; group < router.groups(); group++) {
        // Of equal ones the higher index is dropped.
        if (!Double.isNaN(groups[group]) && (worst < 0 || groups[group] <= groups[worst])) {
          worst = group;
        }
      }
      groups[worst] = Double.NaN;
      Arrays.fill(scores, worst * size, (worst + 1) * size, Double.NEGATIVE_INFINITY);
    }
  }

  private int best() {
    int best = -1;
    for (int i = 0; i < count; i++) {
      if (!taken[i] && (best < 0 || scores[i] > scores[best])) {
        best = i;
      }
    }
    return best;
  }

  private void weigh() {
    if (router.scoring() == Scoring.SOFTMAX_OF_CHOSEN) {
      double max = Double.NEGATIVE_INFINITY;
      for (int expert : chosen) {
        max = Math.max(max, weights[expert]);
      }
      for (int expert : chosen) {
        weights[expert] = Math.exp(weights[expert] - max);
      }
    }
    double sum = 0;
    for (int expert : chosen) {
      sum += weights[expert];
    }
    boolean divided = router.normalised() || router.scoring() == Scoring.SOFTMAX_OF_CHOSEN;
    // The sum of sigmoids can be 0 in double; transformers adds the same.
    double divisor = divided ? sum + 1e-20 : 1;
    for (int expert : chosen) {
      weights[expert] = weights[expert] / divisor * router.scaling();
    }
  }
}
