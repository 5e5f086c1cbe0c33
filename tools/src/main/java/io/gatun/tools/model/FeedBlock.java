package io.gatun.tools.model;

/** What follows attention in a layer, for batches of one size. */
interface FeedBlock {
  /** Computes a layer's part from the stream's normed rows. */
  void run(int layer, int tokens);

  /** Whether it adds to the stream itself; else it leaves its part in the stream's branch. */
  boolean adds();
}
