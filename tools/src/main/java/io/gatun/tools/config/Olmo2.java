package io.gatun.tools.config;

import io.gatun.tools.config.AttentionForm.HeadNorm;
import io.gatun.tools.config.AttentionForm.Heads;
import io.gatun.tools.config.FeedForward.Activation;
import io.gatun.tools.config.FeedForward.Dense;
import io.gatun.tools.config.ResidualStream.NormPlaces;

/**
 * OLMo 2: attention and MLP read the stream as it is, and what they give is normalised before it is
 * added; queries and keys are normalised over all heads together.
 */
final class Olmo2 {
  private Olmo2() {}

  static ModelConfig read(ModelFields f) {
    boolean bias = f.json().flag("attention_bias", false);
    Heads heads = f.heads().withBiases(bias, bias).withNorm(HeadNorm.WHOLE);
    Activation activation = f.activation("hidden_act", Activation.SILU, Activation.SILU);
    return f.config(
        heads,
        new ResidualStream(NormPlaces.BEHIND, false, 1, 1, 1, 0),
        ModelFields.layers(
            f.windows(),
            f.rope().whole(heads.headDim(), 10_000),
            Dense.of(f.intermediateSize(), activation)),
        1e-5,
        false);
  }
}
