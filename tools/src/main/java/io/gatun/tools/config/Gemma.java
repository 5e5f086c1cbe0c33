package io.gatun.tools.config;

import io.gatun.attention.RopeConfig;
import io.gatun.tools.config.AttentionForm.HeadNorm;
import io.gatun.tools.config.AttentionForm.Heads;
import io.gatun.tools.config.FeedForward.Activation;
import io.gatun.tools.config.FeedForward.Dense;
import io.gatun.tools.config.ResidualStream.NormPlaces;
import java.util.ArrayList;
import java.util.List;

/**
 * Gemma 2 and the text models of Gemma 3. Norms stand before attention and MLP and behind them, and
 * their factor is one plus the weight. Embeddings are multiplied with the root of the hidden size,
 * gates pass through gelu, scores are scaled by {@code query_pre_attn_scalar}, and layers with a
 * window take turns with layers without one.
 *
 * <p>Gemma 2 caps scores and logits. Gemma 3 normalises the heads of queries and keys in their
 * stead, and turns them by two rotary embeddings, one for each kind of layer.
 */
final class Gemma {
  private Gemma() {}

  static ModelConfig gemma2(ModelFields f) {
    Heads heads = heads(f).withSoftCap(f.cap("attn_logit_softcapping", 50));
    RopeConfig rope = f.rope().whole(heads.headDim(), 10_000);
    return f.config(
        heads,
        stream(f, f.cap("final_logit_softcapping", 30)),
        ModelFields.layers(f.windows(), rope, mlp(f)),
        1e-6,
        true);
  }

  static ModelConfig gemma3(ModelFields f) {
    f.refuse("use_bidirectional_attention", "Gatun decodes with causal attention");
    Heads heads =
        heads(f).withNorm(HeadNorm.PER_HEAD).withSoftCap(f.cap("attn_logit_softcapping", 0));
    int dim = heads.headDim();
    RopeConfig local =
        f.rope().ofLayerType("sliding_attention", dim, "rope_local_base_freq", 10_000);
    // Read last: the length of the training is that of the layers that see all of it.
    RopeConfig global = f.rope().ofLayerType("full_attention", dim, "rope_theta", 1_000_000);
    List<LayerForm> layers = new ArrayList<>();
    for (int window : f.windows()) {
      layers.add(new LayerForm(window, window == 0 ? global : local, mlp(f)));
    }
    return f.config(heads, stream(f, f.cap("final_logit_softcapping", 0)), layers, 1e-6, true);
  }

  private static Heads heads(ModelFields f) {
    boolean bias = f.json().flag("attention_bias", false);
    double scalar = f.json().positive("query_pre_attn_scalar", 256);
    return f.heads().withScale(1 / Math.sqrt(scalar)).withBiases(bias, bias);
  }

  private static Dense mlp(ModelFields f) {
    return Dense.of(
        f.intermediateSize(),
        f.activation("hidden_activation", Activation.GELU_TANH, Activation.GELU_TANH));
  }

  private static ResidualStream stream(ModelFields f, double softCap) {
    double embedding = Math.sqrt(f.hiddenSize());
    return new ResidualStream(NormPlaces.AROUND, true, embedding, 1, 1, softCap);
  }
}
