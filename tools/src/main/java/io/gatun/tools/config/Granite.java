package io.gatun.tools.config;

import io.gatun.tools.config.AttentionForm.Heads;
import io.gatun.tools.config.FeedForward.Activation;
import io.gatun.tools.config.FeedForward.Dense;
import io.gatun.tools.config.ResidualStream.NormPlaces;

/**
 * Granite: a Llama with four numbers: what embeddings, scores and the outputs of attention and MLP
 * are multiplied with, and what the logits are divided by.
 */
final class Granite {
  private Granite() {}

  static ModelConfig read(ModelFields f) {
    JsonFields json = f.json();
    boolean bias = json.flag("attention_bias", false);
    Heads heads =
        f.heads().withBiases(bias, bias).withScale(json.positive("attention_multiplier", 1));
    Activation activation = f.activation("hidden_act", Activation.SILU, Activation.SILU);
    ResidualStream stream =
        new ResidualStream(
            NormPlaces.BEFORE,
            false,
            json.positive("embedding_multiplier", 1),
            json.positive("residual_multiplier", 1),
            json.positive("logits_scaling", 1),
            0);
    Dense mlp = new Dense(f.intermediateSize(), activation, json.flag("mlp_bias", false), false);
    return f.config(
        heads,
        stream,
        ModelFields.layers(f.windows(), f.rope().whole(heads.headDim(), 10_000), mlp),
        1e-6,
        false);
  }
}
