package io.gatun.tools.sampling;

import io.gatun.cache.GatunException;

/**
 * How the next token is chosen.
 *
 * @param temperature logits are divided by it; 0 takes the most likely token always
 * @param topK only the {@code topK} most likely tokens are considered; 0 for all
 * @param topP of those, only the most likely ones that together have this probability (Holtzman et
 *     al., 2020, section 3.1); 1 for all
 * @param seed of the random numbers: the same seed, logits and positions give the same tokens
 */
public record SamplingOptions(double temperature, int topK, double topP, long seed) {
  /** Always the most likely token. */
  public static final SamplingOptions GREEDY = new SamplingOptions(0, 0, 1, 0);

  /** Checks every number; the message names the one that is wrong. */
  public SamplingOptions {
    if (!(temperature >= 0) || !Double.isFinite(temperature)) {
      throw new GatunException(
          "temperature is %s, not 0 (the most likely token) or more".formatted(temperature));
    }
    if (topK < 0) {
      throw new GatunException("top-k is %d, not 0 (all tokens) or more".formatted(topK));
    }
    if (!(topP > 0 && topP <= 1)) {
      throw new GatunException("top-p is %s, not above 0 and at most 1".formatted(topP));
    }
  }

  /** Whether no random number is used. */
  public boolean isGreedy() {
    return temperature == 0;
  }
}
