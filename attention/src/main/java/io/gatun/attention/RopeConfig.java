package io.gatun.attention;

import java.util.List;
import java.util.Objects;

/**
 * The angles of a rotary position embedding (Su et al., RoFormer, section 3.2.2): pair {@code i} of
 * a row turns by {@code position * theta^(-2i / rotaryDim)}.
 *
 * @param headDim values of a row
 * @param rotaryDim front values that turn, even; the others stay (partial rotary embedding)
 * @param theta base of the frequencies, {@code rope_theta}
 * @param scaling how the frequencies are stretched for longer contexts
 */
public record RopeConfig(int headDim, int rotaryDim, double theta, Scaling scaling) {
  /** How frequencies are stretched. */
  public sealed interface Scaling permits None, Linear, Llama3, Dynamic, Yarn, LongRope {
    /**
     * Radians per position of pair {@code i}, in {@code [0, rotaryDim / 2)}.
     *
     * @param theta base of the frequencies
     */
    double frequency(int pair, int rotaryDim, double theta);

    /** What sines and cosines are multiplied with: queries and keys get longer by it, each. */
    default double attentionFactor() {
      return 1;
    }

    /** Checks that it fits rows of which {@code rotaryDim} values turn. */
    default void check(int rotaryDim) {}
  }

  /** Frequencies as they are. */
  public record None() implements Scaling {
    @Override
    public double frequency(int pair, int rotaryDim, double theta) {
      return plain(pair, rotaryDim, theta);
    }
  }

  /**
   * Position interpolation (Chen et al., 2023): every frequency is divided by {@code factor}.
   *
   * @param factor at least 1; {@code rope_scaling.factor} of type {@code linear}
   */
  public record Linear(double factor) implements Scaling {
    /** Checks the factor. */
    public Linear {
      checkFactor(factor);
    }

    @Override
    public double frequency(int pair, int rotaryDim, double theta) {
      return plain(pair, rotaryDim, theta) / factor;
    }
  }

  /**
   * The scaling of Llama 3.1 and later: frequencies whose wave is short against the context of the
   * first training stay, those whose wave is long are divided by {@code factor}, and between the
   * two limits the share changes evenly. The fields are those of {@code rope_scaling} of type
   * {@code llama3} in a Hugging Face {@code config.json}.
   *
   * @param factor at least 1
   * @param lowFreqFactor waves longer than {@code originalMaxPositions / lowFreqFactor} are divided
   * @param highFreqFactor waves shorter than {@code originalMaxPositions / highFreqFactor} stay;
   *     greater than {@code lowFreqFactor}
   * @param originalMaxPositions positions of the first training
   */
  public record Llama3(
      double factor, double lowFreqFactor, double highFreqFactor, long originalMaxPositions)
      implements Scaling {
    /** Checks every number; the message names the one that is wrong. */
    public Llama3 {
      checkFactor(factor);
      if (!(lowFreqFactor > 0) || !(highFreqFactor > lowFreqFactor)) {
        throw new IllegalArgumentException(
            "low_freq_factor is %s and high_freq_factor %s, not 0 < low < high"
                .formatted(lowFreqFactor, highFreqFactor));
      }
      if (originalMaxPositions < 1) {
        throw new IllegalArgumentException(
            "original_max_position_embeddings is %d, not at least 1"
                .formatted(originalMaxPositions));
      }
    }

    @Override
    public double frequency(int pair, int rotaryDim, double theta) {
      double frequency = plain(pair, rotaryDim, theta);
      double waves = originalMaxPositions * frequency / (2 * Math.PI);
      if (waves < lowFreqFactor) {
        return frequency / factor;
      }
      if (waves > highFreqFactor) {
        return frequency;
      }
      double kept = (waves - lowFreqFactor) / (highFreqFactor - lowFreqFactor);
      return (1 - kept) * frequency / factor + kept * frequency;
    }
  }

  /**
   * Dynamic NTK scaling ({@code dynamic}): the base grows with the length of the text, so that the
   * slowest pair turns as far as it did in the training. The angles of a cache cannot change once
   * keys stand in it, so the length is fixed here: for texts up to the trained length nothing is
   * stretched.
   *
   * @param factor at least 1
   * @param trainedPositions {@code max_position_embeddings}
   * @param length tokens that the angles are made for
   */
  public record Dynamic(double factor, long trainedPositions, long length) implements Scaling {
    /** Checks every number; the message names the one that is wrong. */
    public Dynamic {
      checkFactor(factor);
      if (trainedPositions < 1 || length < 1) {
        throw new IllegalArgumentException(
            "max_position_embeddings is %d and the length %d, not both at least 1"
                .formatted(trainedPositions, length));
      }
    }

    @Override
    public void check(int rotaryDim) {
      if (rotaryDim < 4) {
        throw new IllegalArgumentException(
            "rope type dynamic needs at least 4 dims that turn, not %d".formatted(rotaryDim));
      }
    }

    @Override
    public double frequency(int pair, int rotaryDim, double theta) {
      if (length <= trainedPositions) {
        return plain(pair, rotaryDim, theta);
      }
      double stretch = factor * length / trainedPositions - (factor - 1);
      double base = theta * Math.pow(stretch, rotaryDim / (rotaryDim - 2.0));
      return plain(pair, rotaryDim, base);
    }
  }

  /**
   * YaRN (Peng et al., 2023, sections 3.2 and 3.4): pairs that turn more than {@code betaFast}
   * times over the first training's context stay, those that turn less than {@code betaSlow} times
   * are divided by {@code factor}, and between the two limits the share changes evenly with the
   * index of the pair.
   *
   * @param factor at least 1
   * @param originalMaxPositions positions of the first training
   * @param betaFast greater than {@code betaSlow}
   * @param betaSlow greater than 0
   * @param truncate whether the two limits are moved outwards to whole pairs
   * @param attentionFactor greater than 0
   */
  public record Yarn(
      double factor,
      long originalMaxPositions,
      double betaFast,
      double betaSlow,
      boolean truncate,
      double attentionFactor)
      implements Scaling {
    /** Checks every number; the message names the one that is wrong. */
    public Yarn {
      checkFactor(factor);
      if (originalMaxPositions < 1) {
        throw new IllegalArgumentException(
            "original_max_position_embeddings is %d, not at least 1"
                .formatted(originalMaxPositions));
      }
      if (!(betaSlow > 0) || !(betaFast >= betaSlow)) {
        throw new IllegalArgumentException(
            "beta_slow is %s and beta_fast %s, not 0 < slow <= fast".formatted(betaSlow, betaFast));
      }
      checkAttentionFactor(attentionFactor);
    }

    /** The attention factor that the paper recommends (equation 22): 0.1 ln(factor) + 1. */
    public static double recommendedAttentionFactor(double factor) {
      return magnitude(factor, 1);
    }

    /** {@code 0.1 weight ln(factor) + 1}, DeepSeek's form with a weight; 1 for a factor of 1. */
    public static double magnitude(double factor, double weight) {
      return factor <= 1 ? 1 : 0.1 * weight * Math.log(factor) + 1;
    }

    @Override
    public double frequency(int pair, int rotaryDim, double theta) {
      double low = limit(betaFast, rotaryDim, theta);
      double high = limit(betaSlow, rotaryDim, theta);
      if (truncate) {
        low = Math.floor(low);
        high = Math.ceil(high);
      }
      low = Math.max(low, 0);
      high = Math.min(high, rotaryDim - 1);
      // Where both limits are one, a step: the width is that of transformers.
      double width = low == high ? 0.001 : high - low;
      double divided = Math.clamp((pair - low) / width, 0.0, 1.0);
      double frequency = plain(pair, rotaryDim, theta);
      return frequency / factor * divided + frequency * (1 - divided);
    }

    /** The index, not whole, of the pair that turns so many times over the first context. */
    private double limit(double turns, int rotaryDim, double theta) {
      double wave = originalMaxPositions / (turns * 2 * Math.PI);
      return rotaryDim * Math.log(wave) / (2 * Math.log(theta));
    }
  }

  /**
   * LongRoPE (Ding et al., 2024): every pair has a divisor of its own. Models of this kind have two
   * lists of them, for texts up to the first training's context and for longer ones; which one
   * holds is chosen where the model is read.
   *
   * @param divisors one for each pair, greater than 0
   * @param attentionFactor greater than 0
   */
  public record LongRope(List<Double> divisors, double attentionFactor) implements Scaling {
    /** Checks every number; the message names the one that is wrong. */
    public LongRope {
      divisors = List.copyOf(divisors);
      for (double divisor : divisors) {
        if (!(divisor > 0) || !Double.isFinite(divisor)) {
          throw new IllegalArgumentException(
              "a factor of longrope is %s, not finite and greater than 0".formatted(divisor));
        }
      }
      checkAttentionFactor(attentionFactor);
    }

    /**
     * The factor for a context {@code stretch} times as long: sqrt(1 + ln stretch / ln original).
     */
    public static double recommendedAttentionFactor(double stretch, long originalMaxPositions) {
      return stretch <= 1 ? 1 : Math.sqrt(1 + Math.log(stretch) / Math.log(originalMaxPositions));
    }

    @Override
    public void check(int rotaryDim) {
      if (divisors.size() != rotaryDim / 2) {
        throw new IllegalArgumentException(
            "longrope has %d factors for %d pairs that turn"
                .formatted(divisors.size(), rotaryDim / 2));
      }
    }

    @Override
    public double frequency(int pair, int rotaryDim, double theta) {
      return plain(pair, rotaryDim, theta) / divisors.get(pair);
    }
  }

  /** Checks every number; the message names the one that is wrong. */
  public RopeConfig {
    if (headDim < 2) {
      throw new IllegalArgumentException("headDim is %d, not at least 2".formatted(headDim));
    }
    if (rotaryDim < 2 || rotaryDim > headDim || rotaryDim % 2 != 0) {
      throw new IllegalArgumentException(
          "rotaryDim is %d, not an even number from 2 to headDim = %d"
              .formatted(rotaryDim, headDim));
    }
    if (!(theta > 0) || !Double.isFinite(theta)) {
      throw new IllegalArgumentException(
          "theta is %s, not finite and greater than 0".formatted(theta));
    }
    Objects.requireNonNull(scaling, "scaling");
    scaling.check(rotaryDim);
  }

  /** All of the row turns, unscaled. */
  public static RopeConfig of(int headDim, double theta) {
    return new RopeConfig(headDim, headDim, theta, new None());
  }

  /** The same with another number of front values that turn. */
  public RopeConfig withRotaryDim(int newRotaryDim) {
    return new RopeConfig(headDim, newRotaryDim, theta, scaling);
  }

  /** The same with another scaling. */
  public RopeConfig withScaling(Scaling newScaling) {
    return new RopeConfig(headDim, rotaryDim, theta, newScaling);
  }

  /** Radians per position of pair {@code i}, in {@code [0, rotaryDim / 2)}. */
  public double frequency(int pair) {
    Objects.checkIndex(pair, rotaryDim / 2);
    return scaling.frequency(pair, rotaryDim, theta);
  }

  /** What sines and cosines are multiplied with; 1 unless the scaling says otherwise. */
  public double attentionFactor() {
    return scaling.attentionFactor();
  }

  private static double plain(int pair, int rotaryDim, double theta) {
    return Math.pow(theta, -2.0 * pair / rotaryDim);
  }

  private static void checkAttentionFactor(double factor) {
    if (!(factor > 0) || !Double.isFinite(factor)) {
      throw new IllegalArgumentException(
          "attention_factor is %s, not finite and greater than 0".formatted(factor));
    }
  }

  private static void checkFactor(double factor) {
    if (!(factor >= 1) || !Double.isFinite(factor)) {
      throw new IllegalArgumentException(
          "rope scaling factor is %s, not finite and at least 1".formatted(factor));
    }
  }
}
