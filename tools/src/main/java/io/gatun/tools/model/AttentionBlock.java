package io.gatun.tools.model;

/** Attention of all layers, for batches of one size. */
interface AttentionBlock {
  /** Queries, keys and values of the tokens, turned by position. */
  void project(int layer, int tokens);

  /** Appends keys and values to the cache. */
  void append(int layer, int tokens);

  /** Attends, and writes or adds the output projection to the stream's target. */
  void attend(int layer, int tokens);

  /** Copies the queries of the last token to another size's first. */
  void copyLast(int tokens, AttentionBlock to);
}
