package io.gatun.tools.report;

/**
 * Parameters and operations of an attention layer with its projections.
 *
 * <pre>
 *   Wq, Wo   hidden x numHeads headDim each         Wk, Wv   hidden x numKvHeads headDim each
 *   projections of one token:   2 x parameters FLOPs (a multiplication and an addition each)
 *   core of one token:          4 x numHeads x headDim x context FLOPs (q.k and p v, 2 each)
 * </pre>
 *
 * The core has no numKvHeads in it.
 */
record AttentionCost(int hidden, int numHeads, int numKvHeads, int headDim) {
  /** Weights of Wq, Wk, Wv and Wo. */
  long parameters() {
    return 2L * hidden * headDim * (numHeads + numKvHeads);
  }

  /** FLOPs of the projections for one token. */
  long projectionFlops() {
    return 2 * parameters();
  }

  /** FLOPs of scores and weighted values for one token that sees {@code context} tokens. */
  long coreFlops(long context) {
    return 4L * numHeads * headDim * context;
  }

  /** The share of MHA's parameters that is saved. */
  double saved() {
    return 1
        - (double) parameters()
            / new AttentionCost(hidden, numHeads, numHeads, headDim).parameters();
  }

  /** Numbers of KV heads that divide the query heads, from MHA to MQA. */
  static int[] divisors(int numHeads) {
    return java.util.stream.IntStream.rangeClosed(1, numHeads)
        .map(i -> numHeads + 1 - i)
        .filter(kv -> numHeads % kv == 0)
        .toArray();
  }

  /** MHA, MQA, or GQA with its number of KV heads. */
  static String kind(int numHeads, int numKvHeads) {
    return numKvHeads == numHeads ? "MHA" : numKvHeads == 1 ? "MQA" : "GQA " + numKvHeads;
  }
}
