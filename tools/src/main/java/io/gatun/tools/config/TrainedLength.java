package io.gatun.tools.config;

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

  /** Whether a sequence of so many tokens stays within the limit. */
  public boolean allows(long length) {
    return tokens == 0 || length <= tokens;
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
