package io.gatun.tools.config;

import io.gatun.attention.RopeConfig;
import io.gatun.cache.GatunException;
import io.gatun.tools.config.AttentionForm.Latent;
import io.gatun.tools.config.FeedForward.Activation;
import io.gatun.tools.config.FeedForward.Dense;
import io.gatun.tools.config.FeedForward.ExpertTensors;
import io.gatun.tools.config.FeedForward.Experts;
import io.gatun.tools.config.FeedForward.GroupScore;
import io.gatun.tools.config.FeedForward.Router;
import io.gatun.tools.config.FeedForward.Scoring;
import java.util.ArrayList;
import java.util.List;

/**
 * DeepSeek-V2 and DeepSeek-V3: latent attention, whose cache has one row for all heads, and behind
 * the first layers experts, some for all tokens and some chosen. V2 chooses by a softmax, among the
 * groups with the best expert; V3 by a sigmoid and a bias that enters the choice alone, among the
 * groups with the best pair.
 */
final class DeepSeek {
  private DeepSeek() {}

  static ModelConfig v2(ModelFields f) {
    JsonFields json = f.json();
    demand(f, "scoring_func", "softmax");
    f.refuse(
        "norm_topk_prob",
        "transformers leaves the weights of the chosen experts as they are, the model's first code"
            + " divides them by their sum; no published model has it");
    String method = json.text("topk_method", "greedy");
    boolean grouped = method.equals("group_limited_greedy");
    if (!grouped && !method.equals("greedy")) {
      throw new GatunException(
          "%s: topk_method is '%s', and Gatun computes greedy and group_limited_greedy"
              .formatted(json.where(), method));
    }
    int count = json.count("n_routed_experts", 1, 1 << 16, 64);
    int groups = grouped ? groups(f, count, 1) : 1;
    Router router =
        new Router(
            json.count("num_experts_per_tok", 1, count),
            Scoring.SOFTMAX,
            groups,
            grouped ? json.count("topk_group", 1, groups) : 1,
            GroupScore.BEST,
            false,
            false,
            false,
            json.positive("routed_scaling_factor", 1));
    return model(f, count, router, json.count("first_k_dense_replace", 0, 1 << 16, 0), true);
  }

  static ModelConfig v3(ModelFields f) {
    JsonFields json = f.json();
    demand(f, "scoring_func", "sigmoid");
    demand(f, "topk_method", "noaux_tc");
    int count = json.count("n_routed_experts", 1, 1 << 16, 256);
    int groups = groups(f, count, 8);
    if (count / groups < 2) {
      throw new GatunException(
          "%s: n_routed_experts is %d in n_group %d, and a group's score is that of two experts"
              .formatted(json.where(), count, groups));
    }
    Router router =
        new Router(
            json.count("num_experts_per_tok", 1, count, Math.min(8, count)),
            Scoring.SIGMOID,
            groups,
            json.count("topk_group", 1, groups, Math.min(4, groups)),
            GroupScore.SUM_OF_TWO,
            false,
            true,
            json.flag("norm_topk_prob", true),
            json.positive("routed_scaling_factor", 2.5));
    return model(
        f,
        count,
        router,
        json.count("first_k_dense_replace", 0, 1 << 16, 3),
        json.flag("rope_interleave", true));
  }

  private static void demand(ModelFields f, String name, String value) {
    String found = f.json().text(name, value);
    if (!found.equals(value)) {
      throw new GatunException(
          "%s: %s is '%s', and Gatun computes %s for this model type"
              .formatted(f.json().where(), name, found, value));
    }
  }

  private static int groups(ModelFields f, int experts, int otherwise) {
    int groups = f.json().count("n_group", 1, experts, Math.min(otherwise, experts));
    if (experts % groups != 0) {
      throw new GatunException(
          "%s: n_routed_experts is %d, not a multiple of n_group, %d"
              .formatted(f.json().where(), experts, groups));
    }
    return groups;
  }

  private static ModelConfig model(
      ModelFields f, int count, Router router, int dense, boolean interleaved) {
    JsonFields json = f.json();
    if (count / router.groups() * router.chosenGroups() < router.chosen()) {
      throw new GatunException(
          "%s: num_experts_per_tok is %d, and topk_group groups have %d experts"
              .formatted(
                  json.where(), router.chosen(), count / router.groups() * router.chosenGroups()));
    }
    if (json.count("moe_layer_freq", 1, 1 << 16, 1) != 1) {
      throw new GatunException(
          "%s: moe_layer_freq is %s, and Gatun computes 1: experts in every layer from first_k_dense_replace on"
              .formatted(json.where(), json.get("moe_layer_freq")));
    }
    f.refuse("mlp_bias", "Gatun computes the MLPs of this model type without biases");
    Latent attention = attention(f, interleaved);
    RopeConfig rope = f.rope().whole(attention.ropeDim(), 10_000);
    Activation activation = f.activation("hidden_act", Activation.SILU, Activation.SILU);
    int inner = f.width("moe_intermediate_size");
    int shared = json.count("n_shared_experts", 0, 1 << 16, 0);
    Experts experts =
        new Experts(
            count,
            inner,
            Math.multiplyExact(inner, shared),
            activation,
            router,
            ExpertTensors.SINGLE);
    List<LayerForm> layers = new ArrayList<>();
    for (int layer = 0; layer < f.layers(); layer++) {
      layers.add(
          new LayerForm(
              0, rope, layer < dense ? Dense.of(f.intermediateSize(), activation) : experts));
    }
    return f.config(attention, ResidualStream.PLAIN, layers, 1e-6, false);
  }

  private static Latent attention(ModelFields f, boolean interleaved) {
    JsonFields json = f.json();
    int heads = json.count("num_attention_heads", 1, 1 << 16);
    if (json.count("num_key_value_heads", 1, 1 << 16, heads) != heads) {
      throw new GatunException(
          "%s: num_key_value_heads is %s, and latent attention has as many as query heads, %d"
              .formatted(json.where(), json.get("num_key_value_heads"), heads));
    }
    Kept.Latent kept = f.latent();
    // A null there means that queries are not compressed; where it is absent, 1,536.
    int rank = json.count("q_lora_rank", 1, 1 << 20, json.mentions("q_lora_rank") ? 0 : 1536);
    return new Latent(
        heads,
        rank,
        kept.latentDim(),
        kept.headKeyDim(),
        kept.ropeDim(),
        kept.headValueDim(),
        f.rope().scoreFactor() / Math.sqrt((double) kept.headKeyDim() + kept.ropeDim()),
        json.flag("attention_bias", false),
        interleaved);
  }
}
