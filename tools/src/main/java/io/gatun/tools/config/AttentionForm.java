package io.gatun.tools.config;

import io.gatun.cache.KvShape;

/** Which projections an attention layer has, and how its scores are formed. */
public sealed interface AttentionForm {
  /** Query heads. */
  int numHeads();

  /** Width of a token's queries, all heads together. */
  int queryDim();

  /** Width of what the heads give for a token, all of them together. */
  int outputDim();

  /** Factor of the scores. */
  double scale();

  /** What a token leaves in a cache of so many layers. */
  KvShape kvShape(int layers);

  /** What is normalised of queries and keys before they are turned. */
  enum HeadNorm {
    /** Nothing. */
    NONE,
    /** Each head for itself, with one gain for all of them (Qwen3, Gemma 3). */
    PER_HEAD,
    /** All heads of a token together (OLMo 2). */
    WHOLE
  }

  /**
   * Grouped-query attention: a key and a value for each KV head.
   *
   * @param numHeads query heads
   * @param numKvHeads key/value heads; divides {@code numHeads}
   * @param headDim width of one head; need not be {@code hiddenSize / numHeads}
   * @param scale factor of the scores, usually {@code 1 / sqrt(headDim)}
   * @param softCap scaled scores {@code s} become {@code softCap * tanh(s / softCap)}; 0 for none
   * @param norm what is normalised before the rotation
   * @param qkvBias whether the query, key and value projections add a bias
   * @param outputBias whether the output projection adds a bias
   * @param fused whether queries, keys and values are one tensor, {@code qkv_proj} (Phi-3)
   * @param sinks whether each head has a learned score that takes its share and adds nothing
   */
  record Heads(
      int numHeads,
      int numKvHeads,
      int headDim,
      double scale,
      double softCap,
      HeadNorm norm,
      boolean qkvBias,
      boolean outputBias,
      boolean fused,
      boolean sinks)
      implements AttentionForm {
    /** Plain heads: the usual scale, no norm, no biases. */
    public static Heads of(int numHeads, int numKvHeads, int headDim) {
      double scale = 1 / Math.sqrt(headDim);
      return new Heads(
          numHeads, numKvHeads, headDim, scale, 0, HeadNorm.NONE, false, false, false, false);
    }

    /** The same with another scale. */
    public Heads withScale(double newScale) {
      return new Heads(
          numHeads,
          numKvHeads,
          headDim,
          newScale,
          softCap,
          norm,
          qkvBias,
          outputBias,
          fused,
          sinks);
    }

    /** The same with a soft cap; 0 for none. */
    public Heads withSoftCap(double newSoftCap) {
      return new Heads(
          numHeads,
          numKvHeads,
          headDim,
          scale,
          newSoftCap,
          norm,
          qkvBias,
          outputBias,
          fused,
          sinks);
    }

    /** The same with queries and keys normalised. */
    public Heads withNorm(HeadNorm newNorm) {
      return new Heads(
          numHeads,
          numKvHeads,
          headDim,
          scale,
          softCap,
          newNorm,
          qkvBias,
          outputBias,
          fused,
          sinks);
    }

    /** The same with biases. */
    public Heads withBiases(boolean ofQkv, boolean ofOutput) {
      return new Heads(
          numHeads, numKvHeads, headDim, scale, softCap, norm, ofQkv, ofOutput, fused, sinks);
    }

    /** The same with queries, keys and values in one tensor. */
    public Heads withFusedTensor() {
      return new Heads(
          numHeads, numKvHeads, headDim, scale, softCap, norm, qkvBias, outputBias, true, sinks);
    }

    /** The same with a learned sink for each head. */
    public Heads withSinks() {
      return new Heads(
          numHeads, numKvHeads, headDim, scale, softCap, norm, qkvBias, outputBias, fused, true);
    }

    @Override
    public int queryDim() {
      return Math.multiplyExact(numHeads, headDim);
    }

    @Override
    public int outputDim() {
      return queryDim();
    }

    /** Values of all key heads, or all value heads, of a token. */
    public int kvDim() {
      return Math.multiplyExact(numKvHeads, headDim);
    }

    @Override
    public KvShape kvShape(int layers) {
      return new KvShape(layers, numKvHeads, headDim, headDim);
    }
  }

  /**
   * Latent attention (DeepSeek-V2, section 2.1): one row for all heads, the latent and a rotated
   * key.
   *
   * @param numHeads query heads
   * @param queryRank width of the compressed queries, {@code q_lora_rank}; 0 if they are not
   * @param latentDim {@code kv_lora_rank}
   * @param nopeDim front values of a query that are not turned, {@code qk_nope_head_dim}
   * @param ropeDim values that are turned, {@code qk_rope_head_dim}
   * @param valueDim width of a head's output, {@code v_head_dim}
   * @param scale factor of the scores
   * @param bias whether the down-projections and the output projection add a bias
   * @param interleaved whether the pairs that turn are neighbours
   */
  record Latent(
      int numHeads,
      int queryRank,
      int latentDim,
      int nopeDim,
      int ropeDim,
      int valueDim,
      double scale,
      boolean bias,
      boolean interleaved)
      implements AttentionForm {
    /**
     * Epsilon of the norms of compressed queries and latents, whatever the model's other one is.
     */
    public static final double NORM_EPS = 1e-6;

    @Override
    public int queryDim() {
      return Math.multiplyExact(numHeads, nopeDim + ropeDim);
    }

    @Override
    public int outputDim() {
      return Math.multiplyExact(numHeads, valueDim);
    }

    /** Values of a head's up-projections, keys and values: the rows of {@code kv_b_proj}. */
    public int upDim() {
      return Math.multiplyExact(numHeads, nopeDim + valueDim);
    }

    @Override
    public KvShape kvShape(int layers) {
      return KvShape.latent(layers, latentDim, ropeDim);
    }
  }
}
