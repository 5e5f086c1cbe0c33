package io.gatun.attention;

/**
 * What an attention layer does with its keys and values, apart from their shape.
 *
 * @param numHeads query heads, a multiple of the cache's KV heads; query head {@code h} reads KV
 *     head {@code h / (numHeads / numKvHeads)}
 * @param scale factor of the scores, usually {@code 1 / sqrt(headDim)}; greater than 0
 * @param window a query at position {@code p} sees the positions {@code p - window + 1} to {@code
 *     p}; 0 for all of them
 * @param sinkTokens first tokens of the sequence that stay visible behind the window
 *     (StreamingLLM, section 3.2); means nothing without a window
 * @param softCap scaled scores {@code s} become {@code softCap * tanh(s / softCap)}; 0 for none
 */
public record AttentionOptions(
    int numHeads, float scale, int window, int sinkTokens, float softCap) {
  /** Checks every number; the message names the one that is wrong. */
  public AttentionOptions {
    if (numHeads < 1) {
      throw new IllegalArgumentException("numHeads is %d, not at least 1".formatted(numHeads));
    }
    if (!(scale > 0) || !Float.isFinite(scale)) {
      throw new IllegalArgumentException(
          "scale is %s, not finite and greater than 0".formatted(scale));
    }
    if (window < 0) {
      throw new IllegalArgumentException("window is %d, not 0 or more".formatted(window));
    }
    if (sinkTokens < 0) {
      throw new IllegalArgumentException("sinkTokens is %d, not 0 or more".formatted(sinkTokens));
    }
    if (!(softCap >= 0) || !Float.isFinite(softCap)) {
      throw new IllegalArgumentException("softCap is %s, not 0 or more".formatted(softCap));
    }
  }

  /** Plain causal attention with the usual scale, {@code 1 / sqrt(headDim)}. */
  public static AttentionOptions of(int numHeads, int headDim) {
    if (headDim < 1) {
      throw new IllegalArgumentException("headDim is %d, not at least 1".formatted(headDim));
    }
    return new AttentionOptions(numHeads, (float) (1 / Math.sqrt(headDim)), 0, 0, 0);
  }

  /** The same with another scale. */
  public AttentionOptions withScale(float newScale) {
    return new AttentionOptions(numHeads, newScale, window, sinkTokens, softCap);
  }

  /** The same with a sliding window; 0 for none. */
  public AttentionOptions withWindow(int newWindow) {
    return new AttentionOptions(numHeads, scale, newWindow, sinkTokens, softCap);
  }

  /** The same with sink tokens before the window. */
  public AttentionOptions withSinkTokens(int newSinkTokens) {
    return new AttentionOptions(numHeads, scale, window, newSinkTokens, softCap);
  }

  /** The same with a soft cap on the scores; 0 for none. */
  public AttentionOptions withSoftCap(float newSoftCap) {
    return new AttentionOptions(numHeads, scale, window, sinkTokens, newSoftCap);
  }

  /** First position of the window of a query at {@code position}; sink tokens lie before it. */
  long windowStart(long position) {
    return window == 0 ? 0 : Math.max(0, position - window + 1);
  }

  /** Whether a query at {@code position} sees the token {@code token}. */
  boolean sees(long position, long token) {
    return token <= position && (token >= windowStart(position) || token < sinkTokens);
  }
}
