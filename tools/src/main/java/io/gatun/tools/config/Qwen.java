package io.gatun.tools.config;

import io.gatun.attention.RopeConfig;
import io.gatun.tools.config.AttentionForm.HeadNorm;
import io.gatun.tools.config.AttentionForm.Heads;
import io.gatun.tools.config.FeedForward.Activation;
import io.gatun.tools.config.FeedForward.Dense;
import io.gatun.tools.config.FeedForward.ExpertTensors;
import io.gatun.tools.config.FeedForward.Experts;
import io.gatun.tools.config.FeedForward.Router;
import io.gatun.tools.config.FeedForward.Scoring;
import java.util.ArrayList;
import java.util.List;

/**
 * Qwen2, Qwen3 and Qwen3-MoE. Qwen2 adds biases to queries, keys and values; Qwen3 normalises each
 * head of queries and keys before the rotation; Qwen3-MoE has experts in place of the MLP of all,
 * or of some layers, chosen by a softmax over all of them.
 */
final class Qwen {
  private Qwen() {}

  static ModelConfig qwen2(ModelFields f) {
    return dense(f, f.heads().withBiases(true, false));
  }

  static ModelConfig qwen3(ModelFields f) {
    return dense(f, normed(f, f.heads()));
  }

  private static Heads normed(ModelFields f, Heads heads) {
    boolean bias = f.json().flag("attention_bias", false);
    return heads.withBiases(bias, bias).withNorm(HeadNorm.PER_HEAD);
  }

  private static ModelConfig dense(ModelFields f, Heads heads) {
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

  static ModelConfig qwen3Moe(ModelFields f) {
    JsonFields json = f.json();
    Heads heads = normed(f, f.heads());
    Activation activation = f.activation("hidden_act", Activation.SILU, Activation.SILU);
    RopeConfig rope = f.rope().whole(heads.headDim(), 10_000);
    int count = json.count("num_experts", 1, 1 << 16, 128);
    Router router =
        Router.of(
            json.count("num_experts_per_tok", 1, count, Math.min(8, count)),
            Scoring.SOFTMAX,
            json.flag("norm_topk_prob", false));
    Experts experts =
        new Experts(
            count, f.width("moe_intermediate_size"), 0, activation, router, ExpertTensors.SINGLE);
    int step = json.count("decoder_sparse_step", 1, 1 << 16, 1);
    List<Integer> dense = json.oneOrMore("mlp_only_layers", 1 << 16);
    List<Integer> windows = f.windows();
    List<LayerForm> layers = new ArrayList<>();
    for (int layer = 0; layer < f.layers(); layer++) {
      boolean sparse = !dense.contains(layer) && (layer + 1) % step == 0;
      layers.add(
          new LayerForm(
              windows.get(layer),
              rope,
              sparse ? experts : Dense.of(f.intermediateSize(), activation)));
    }
    return f.config(heads, ResidualStream.PLAIN, layers, 1e-6, false);
  }
}
