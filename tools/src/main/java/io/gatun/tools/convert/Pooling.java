package io.gatun.tools.convert;

/** How the heads of a group become one (Ainslie et al. 2023, section 2.1 and figure 4). */
public enum Pooling {
  /** Their mean: the best of the three in the paper. */
  MEAN,
  /** The first of them. */
  FIRST,
  /** None of them: gaussian weights of the same spread, biases of 0. */
  RANDOM
}
