package io.gatun.attention;

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
  public sealed interface Scaling permits None, Linear, Llama3 {
    /** The frequency, in radians per position, that takes the place of {@code frequency}. */
    double scaled(double frequency);
  }

  /** Frequencies as they are. */
  public record None() implements Scaling {
    @Override
    public double scaled(double frequency) {
      return frequency;
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
    public double scaled(double frequency) {
      return frequency / factor;
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
    public double scaled(double frequency) {
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
    return scaling.scaled(Math.pow(theta, -2.0 * pair / rotaryDim));
  }

  private static void checkFactor(double factor) {
    if (!(factor >= 1) || !Double.isFinite(factor)) {
      throw new IllegalArgumentException(
          "rope scaling factor is %s, not finite and at least 1".formatted(factor));
    }
  }
}
