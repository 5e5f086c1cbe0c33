package io.gatun.tools.model;

import io.gatun.tools.matrix.Matrix;
import java.lang.foreign.MemorySegment;
import java.util.List;
import java.util.function.UnaryOperator;

/** The weights of an attention layer. Gains and biases that the model does not have are null. */
sealed interface AttentionWeights {
  /** The same with every matrix that is {@link #streamed} in another form. */
  AttentionWeights inForm(UnaryOperator<Matrix> form);

  /** The matrices that a decode step reads from end to end. */
  List<Matrix> streamed();

  /**
   * Of heads with keys and values of their own.
   *
   * @param query {@code [numHeads * headDim][hidden]}
   * @param key {@code [numKvHeads * headDim][hidden]}
   * @param value {@code [numKvHeads * headDim][hidden]}
   * @param output {@code [hidden][numHeads * headDim]}
   * @param queryNorm gain {@code [headDim]}, or {@code [numHeads * headDim]} for all heads together
   * @param keyNorm gain {@code [headDim]}, or {@code [numKvHeads * headDim]}
   * @param sinks f32 {@code [numHeads]}
   */
  record OfHeads(
      Linear query,
      Linear key,
      Linear value,
      Linear output,
      MemorySegment queryNorm,
      MemorySegment keyNorm,
      MemorySegment sinks)
      implements AttentionWeights {
    @Override
    public OfHeads inForm(UnaryOperator<Matrix> form) {
      return new OfHeads(
          query.inForm(form),
          key.inForm(form),
          value.inForm(form),
          output.inForm(form),
          queryNorm,
          keyNorm,
          sinks);
    }

    @Override
    public List<Matrix> streamed() {
      return List.of(query.weight(), key.weight(), value.weight(), output.weight());
    }
  }

  /**
   * Of latent attention.
   *
   * @param queryDown {@code [queryRank][hidden]}; null if queries are not compressed
   * @param queryNorm gain {@code [queryRank]}
   * @param query {@code [numHeads * (nope + rope)][queryRank or hidden]}
   * @param latent {@code [latentDim + ropeDim][hidden]}
   * @param latentNorm gain {@code [latentDim]}
   * @param up f32 {@code [numHeads][nope + value][latentDim]}, decoded once: the kernel reads it so
   * @param output {@code [hidden][numHeads * value]}
   */
  record OfLatent(
      Linear queryDown,
      MemorySegment queryNorm,
      Linear query,
      Linear latent,
      MemorySegment latentNorm,
      MemorySegment up,
      Linear output)
      implements AttentionWeights {
    @Override
    public OfLatent inForm(UnaryOperator<Matrix> form) {
      return new OfLatent(
          queryDown == null ? null : queryDown.inForm(form),
          queryNorm,
          query.inForm(form),
          latent.inForm(form),
          latentNorm,
          up,
          output.inForm(form));
    }

    @Override
    public List<Matrix> streamed() {
      return queryDown == null
          ? List.of(query.weight(), latent.weight(), output.weight())
          : List.of(queryDown.weight(), query.weight(), latent.weight(), output.weight());
    }
  }
}
