package io.gatun.tools.config;

import io.gatun.tools.config.AttentionForm.Heads;
import io.gatun.tools.config.FeedForward.Activation;
import io.gatun.tools.config.FeedForward.Dense;

/**
 * Phi-3 and Phi-4-mini: a plain decoder whose queries, keys and values are one tensor, and whose
 * gate and up are another; a share of each head may turn, by the angles of longrope; the window,
 * where there is one, is that of all layers.
 */
final class Phi3 {
  private Phi3() {}

  static ModelConfig read(ModelFields f) {
    f.refuse("attention_bias", "the projections of a phi3 have no biases");
    Heads heads = f.heads().withFusedTensor();
    Activation activation = f.activation("hidden_act", Activation.SILU, Activation.SILU);
    return f.config(
        heads,
        ResidualStream.PLAIN,
        ModelFields.layers(
            f.windows(),
            f.rope().partial(heads.headDim(), 10_000),
            new Dense(f.intermediateSize(), activation, false, true)),
        1e-5,
        false);
  }
}
