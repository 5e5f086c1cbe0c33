package io.gatun.tools.config;

/** One thing that a layer keeps of a sequence while it is decoded. */
public sealed interface Kept {
  /** Rows in a KV cache: what grows with the sequence, at least up to a window. */
  sealed interface Rows extends Kept {
    /** The tokens that have a row. */
    Span span();
  }

  /**
   * A key row and a value row for each KV head.
   *
   * @param queryHeads query heads; a multiple of {@code kvHeads}
   * @param kvHeads heads that are cached
   * @param keyDim width of one key
   * @param valueDim width of one value
   * @param span the tokens that have rows
   */
  record Heads(int queryHeads, int kvHeads, int keyDim, int valueDim, Span span) implements Rows {}

  /**
   * One row for all heads: the latent, whose up-projections give keys and values, and the rotated
   * key that all heads share (DeepSeek-V2, section 2.1). The values lie in the row.
   *
   * @param queryHeads query heads
   * @param latentDim kv_lora_rank
   * @param ropeDim qk_rope_head_dim
   * @param headKeyDim width of one head's key without its rotated part, once projected
   * @param headValueDim width of one head's value, once projected
   * @param span the tokens that have rows
   */
  record Latent(
      int queryHeads, int latentDim, int ropeDim, int headKeyDim, int headValueDim, Span span)
      implements Rows {}

  /**
   * The keys of an indexer, which chooses the rows that attention reads (DeepSeek-V3.2).
   *
   * @param dim width of one key
   * @param span the tokens that have rows
   */
  record IndexKeys(int dim, Span span) implements Rows {}

  /**
   * A state that does not grow with the sequence.
   *
   * @param kind as its layer is called: Mamba-2, gated delta rule, ...
   * @param recurrentValues numbers of the recurrent state, kept as F32
   * @param convolutionValues inputs that a convolution still needs, kept as BF16
   */
  record State(String kind, long recurrentValues, long convolutionValues) implements Kept {
    /** Bytes of one sequence. */
    public long bytes() {
      return Math.addExact(
          Math.multiplyExact(4L, recurrentValues), Math.multiplyExact(2L, convolutionValues));
    }
  }

  /**
   * Nothing of its own: attention reads the rows of another layer.
   *
   * @param layer that layer, from 0
   */
  record Shared(int layer) implements Kept {}

  /**
   * Keys and values of what another part of the model gives: an encoder, or an image. They are
   * computed once and do not grow with the text.
   *
   * @param of what gives them: {@code encoder}, {@code image}
   * @param queryHeads query heads
   * @param kvHeads heads that are cached
   * @param keyDim width of one key
   * @param valueDim width of one value
   */
  record Cross(String of, int queryHeads, int kvHeads, int keyDim, int valueDim) implements Kept {}
}
