package io.gatun.tools.config;

import io.gatun.cache.GatunException;

/**
 * How many positions a model was trained for: a limit, unless its user says otherwise.
 *
 * @param tokens positions, after scaling; 0 if the file does not say
 * @param reason where the number comes from, for people
 * @param longer tokens that another choice of the rotary embedding's length allows; 0 for none
 */
public record TrainedLength(long tokens, String reason, long longer) {
  /** The limit that {@code max_position_embeddings} is. */
  public static TrainedLength of(long maxPositions) {
    return new TrainedLength(maxPositions, "max_position_embeddings", 0);
  }

  /**
   * Ends what would go past the limit.
   *
   * @param length tokens that the cache would hold
   * @throws GatunException if that is more than the model was trained for; it says what lifts it
   */
  public void check(long length) {
    if (tokens > 0 && length > tokens) {
      throw new GatunException(refusal(length));
    }
  }

  /** The sentence that says what the limit is, and what lifts it. */
  public String refusal(long length) {
    String lifts =
        longer > 0
            ? "; --rope-length %d makes the angles for longer texts, in a new conversation"
                .formatted(longer)
            : "";
    return "%,d tokens are more than the %,d that the model was trained for (%s)%s; --beyond-trained-length goes on regardless"
        .formatted(length, tokens, reason, lifts);
  }
}
