package io.gatun.tools.config;

import io.gatun.tools.config.AttentionForm.Heads;
import io.gatun.tools.config.FeedForward.Activation;
import io.gatun.tools.config.FeedForward.Dense;

/**
 * Llama and Mistral: norms before attention and MLP, grouped-query attention, SwiGLU. Llama may
 * have biases; Mistral attends within a window in all layers.
 */
final class Llama {
  private Llama() {}

  static ModelConfig llama(ModelFields f) {
    boolean bias = f.json().flag("attention_bias", false);
    Heads heads = f.heads().withBiases(bias, bias);
    Activation activation = f.activation("hidden_act", Activation.SILU, Activation.SILU);
    Dense mlp =
        new Dense(f.intermediateSize(), activation, f.json().flag("mlp_bias", false), false);
    return f.config(
        heads,
        ResidualStream.PLAIN,
        ModelFields.layers(f.windows(), f.rope().whole(heads.headDim(), 10_000), mlp),
        1e-6,
        false);
  }

  static ModelConfig mistral(ModelFields f) {
    Heads heads = f.heads();
    Activation activation = f.activation("hidden_act", Activation.SILU, Activation.SILU);
    return f.config(
        heads,
        ResidualStream.PLAIN,
        ModelFields.layers(
            f.windows(),
            f.rope().whole(heads.headDim(), 10_000),
            Dense.of(f.intermediateSize(), activation)),
        1e-6,
        false);
  }
}
