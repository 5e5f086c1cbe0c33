package io.gatun.tools.model;

/** In which form a model's matrices are computed with. */
public enum WeightForm {
  /** As the checkpoint has them. */
  MODEL,
  /**
   * Rounded to 8 bits with a scale for 64 columns, in a file of their own; see {@link Q8File}. Rows
   * of the embedding, gains and biases stay as the checkpoint has them.
   */
  Q8
}
