package io.gatun.tools.config;

/**
 * The residual stream: where it is normalised and what it is multiplied with.
 *
 * @param norms which norms a layer has
 * @param onePlusGain whether a norm's factor is one plus its weight (Gemma)
 * @param embedding factor of the embeddings
 * @param residual factor of what attention and MLP add
 * @param logits what the logits are divided by
 * @param softCap logits {@code l} become {@code softCap * tanh(l / softCap)}; 0 for none
 */
public record ResidualStream(
    NormPlaces norms,
    boolean onePlusGain,
    double embedding,
    double residual,
    double logits,
    double softCap) {
  /** Where a layer normalises. */
  public enum NormPlaces {
    /** What attention and MLP read. */
    BEFORE,
    /** What they give, before it is added (OLMo 2). */
    BEHIND,
    /** Both (Gemma 2 and 3). */
    AROUND
  }

  /** Norms before attention and MLP, nothing multiplied: Llama and most others. */
  public static final ResidualStream PLAIN =
      new ResidualStream(NormPlaces.BEFORE, false, 1, 1, 1, 0);
}
