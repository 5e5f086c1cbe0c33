package io.gatun.tools.model;

import com.fasterxml.jackson.databind.ObjectMapper;
import io.gatun.tools.safetensors.CheckpointWriter;
import io.gatun.tools.safetensors.TensorSpec;
import io.gatun.tools.safetensors.TensorType;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.stream.Stream;

/**
 * Small random checkpoints of the published architectures: names and shapes of the tensors, and the
 * fields of config.json, as they are published. Written apart from the loader on purpose.
 */
final class PublishedModels {
  static final List<String> NAMES =
      List.of(
          "gemma2",
          "gemma3_text",
          "gemma3_text-newer",
          "phi3",
          "phi3-window",
          "smollm3",
          "smollm3-biases",
          "olmo2",
          "granite",
          "qwen3_moe",
          "qwen3_moe-mixed",
          "gpt_oss",
          "deepseek_v2",
          "deepseek_v2-groups",
          "deepseek_v3",
          "deepseek_v3-halves",
          "llama-linear",
          "llama-dynamic",
          "llama-yarn");

  private PublishedModels() {}

  static Map<String, Object> config(String name) {
    Map<String, Object> c = new LinkedHashMap<>();
    int dash = name.indexOf('-');
    c.put("model_type", dash < 0 ? name : name.substring(0, dash));
    c.put("hidden_size", 72);
    c.put("intermediate_size", 150);
    c.put("num_hidden_layers", 4);
    c.put("num_attention_heads", 6);
    c.put("num_key_value_heads", 2);
    c.put("vocab_size", 263);
    c.put("max_position_embeddings", 4096);
    c.put("eos_token_id", 1);
    switch (name) {
      case "gemma2" -> {
        c.put("head_dim", 20);
        c.put("query_pre_attn_scalar", 17);
        c.put("sliding_window", 9);
        c.put("attn_logit_softcapping", 3.0);
        c.put("final_logit_softcapping", 5.0);
        c.put("hidden_act", "gelu_pytorch_tanh");
        c.put("hidden_activation", "gelu_pytorch_tanh");
        c.put("rms_norm_eps", 1e-6);
        c.put("rope_theta", 10000.0);
      }
      case "gemma3_text", "gemma3_text-newer" -> {
        c.put("head_dim", 16);
        c.put("query_pre_attn_scalar", 20);
        c.put("sliding_window", 7);
        c.put("hidden_activation", "gelu_pytorch_tanh");
        c.put("attn_logit_softcapping", null);
        c.put("final_logit_softcapping", null);
        c.put("rms_norm_eps", 1e-6);
        if (name.equals("gemma3_text")) {
          c.put("sliding_window_pattern", 2);
          c.put("rope_theta", 1e6);
          c.put("rope_local_base_freq", 1e4);
          c.put("rope_scaling", Map.of("rope_type", "linear", "factor", 8.0));
        } else {
          c.put(
              "layer_types",
              List.of(
                  "sliding_attention", "sliding_attention", "full_attention", "sliding_attention"));
          c.put(
              "rope_parameters",
              Map.of(
                  "sliding_attention", Map.of("rope_type", "default", "rope_theta", 1e4),
                  "full_attention",
                      Map.of("rope_type", "linear", "factor", 8.0, "rope_theta", 1e6)));
        }
      }
      case "phi3" -> {
        c.put("hidden_size", 96);
        c.put("partial_rotary_factor", 0.75);
        c.put("rope_theta", 10000.0);
        c.put("original_max_position_embeddings", 64);
        c.put("sliding_window", null);
        c.put(
            "rope_scaling",
            Map.of(
                "type", "longrope",
                "short_factor", List.of(1.0, 1.1, 1.2, 1.5, 1.9, 2.5),
                "long_factor", List.of(1.0, 2.1, 4.2, 9.5, 19.0, 35.5)));
      }
      case "phi3-window" -> c.put("sliding_window", 11);
      case "smollm3-biases" -> {
        c.put("attention_bias", true);
        c.put("mlp_bias", true);
      }
      case "smollm3" -> {
        c.put("rope_theta", 5e6);
        c.put("no_rope_layers", List.of(1, 0, 1, 0));
        c.put("no_rope_layer_interval", 2);
        c.put("use_sliding_window", false);
        c.put("sliding_window", null);
        c.put("attention_bias", false);
        c.put("mlp_bias", false);
      }
      case "olmo2" -> {
        c.put("rope_theta", 5e5);
        c.put("rms_norm_eps", 1e-6);
        c.put("attention_bias", false);
      }
      case "granite" -> {
        c.put("embedding_multiplier", 12.0);
        c.put("attention_multiplier", 0.3);
        c.put("residual_multiplier", 0.22);
        c.put("logits_scaling", 8.0);
        c.put("rms_norm_eps", 1e-5);
        c.put("tie_word_embeddings", true);
      }
      case "qwen3_moe", "qwen3_moe-mixed" -> {
        c.put("head_dim", 16);
        c.put("num_experts", 8);
        c.put("num_experts_per_tok", 3);
        c.put("moe_intermediate_size", 40);
        c.put("norm_topk_prob", name.equals("qwen3_moe"));
        c.put("decoder_sparse_step", name.equals("qwen3_moe") ? 1 : 2);
        c.put("mlp_only_layers", name.equals("qwen3_moe") ? List.of() : List.of(3));
        c.put("rope_theta", 1e6);
        c.put("use_sliding_window", false);
      }
      case "gpt_oss" -> {
        c.put("head_dim", 16);
        c.put("intermediate_size", 70);
        c.put("num_local_experts", 6);
        c.put("num_experts_per_tok", 2);
        c.put("sliding_window", 8);
        c.put(
            "layer_types",
            List.of("sliding_attention", "full_attention", "sliding_attention", "full_attention"));
        c.put("rope_theta", 150000);
        c.put("swiglu_limit", 7.0);
        c.put("initial_context_length", 64);
        c.put(
            "rope_scaling",
            Map.of(
                "rope_type",
                "yarn",
                "factor",
                32.0,
                "beta_fast",
                32.0,
                "beta_slow",
                1.0,
                "original_max_position_embeddings",
                64,
                "truncate",
                false));
      }
      case "deepseek_v2", "deepseek_v2-groups", "deepseek_v3" -> deepSeek(c, name);
      case "deepseek_v3-halves" -> {
        deepSeek(c, "deepseek_v3");
        c.put("rope_interleave", false);
        c.put("norm_topk_prob", false);
        c.put("attention_bias", true);
        c.remove("rope_scaling");
      }
      case "llama-linear" -> c.put("rope_scaling", Map.of("type", "linear", "factor", 4.0));
      case "llama-dynamic" -> c.put("rope_scaling", Map.of("rope_type", "dynamic", "factor", 2.0));
      case "llama-yarn" ->
          c.put(
              "rope_scaling",
              Map.of("rope_type", "yarn", "factor", 4.0, "original_max_position_embeddings", 256));
      default -> throw new IllegalArgumentException(name);
    }
    return c;
  }

  private static void deepSeek(Map<String, Object> c, String name) {
    boolean v3 = name.equals("deepseek_v3");
    c.put("num_key_value_heads", 6);
    c.put("q_lora_rank", name.equals("deepseek_v2") ? null : 28);
    c.put("kv_lora_rank", 36);
    c.put("qk_nope_head_dim", 12);
    c.put("qk_rope_head_dim", 8);
    c.put("v_head_dim", 14);
    c.put("moe_intermediate_size", 30);
    c.put("n_routed_experts", 8);
    c.put("n_shared_experts", 2);
    c.put("num_experts_per_tok", 3);
    c.put("first_k_dense_replace", 1);
    c.put("moe_layer_freq", 1);
    c.put("routed_scaling_factor", v3 ? 2.5 : 1.7);
    c.put("norm_topk_prob", v3);
    c.put("n_group", 4);
    c.put("topk_group", 2);
    c.put("scoring_func", v3 ? "sigmoid" : "softmax");
    c.put(
        "topk_method",
        v3 ? "noaux_tc" : name.equals("deepseek_v2") ? "greedy" : "group_limited_greedy");
    if (v3) {
      c.put("rope_interleave", true);
    }
    c.put("rope_theta", 10000);
    c.put(
        "rope_scaling",
        Map.of(
            "type", "yarn",
            "factor", 40,
            "beta_fast", 32,
            "beta_slow", 1,
            "mscale", v3 ? 1.0 : 0.707,
            "mscale_all_dim", v3 ? 1.0 : 0.5,
            "original_max_position_embeddings", 64));
    c.put("rms_norm_eps", 1e-6);
  }

  /** Writes a checkpoint. */
  static void write(Path folder, String name, TensorType type, int seed) throws IOException {
    write(folder, config(name), type, seed);
  }

  static void write(Path folder, Map<String, Object> config, TensorType type, int seed)
      throws IOException {
    Files.createDirectories(folder);
    try (Stream<Path> files = Files.list(folder)) {
      for (Path file : files.toList()) {
        Files.delete(file);
      }
    }
    new ObjectMapper().writeValue(folder.resolve("config.json").toFile(), config);
    List<TensorSpec> specs = tensors(config, type);
    Random random = new Random(seed);
    boolean gemma = config.get("model_type").toString().startsWith("gemma");
    try (CheckpointWriter writer = new CheckpointWriter(folder, specs, Long.MAX_VALUE)) {
      for (TensorSpec spec : specs) {
        float[] values = new float[(int) spec.elements()];
        boolean norm = spec.name().endsWith("norm.weight");
        boolean matrix = spec.shape().size() > 1 && !spec.name().endsWith("bias");
        // Inputs are the last extent, but for gpt-oss's experts, which have them before it.
        long inputs =
            matrix ? spec.shape().get(spec.shape().size() == 3 ? 1 : spec.shape().size() - 1) : 1;
        double deviation = matrix ? 1 / Math.sqrt(inputs) : spec.name().endsWith("sinks") ? 1 : 0.2;
        if (spec.name().endsWith("mlp.gate.weight") || spec.name().endsWith("router.weight")) {
          deviation *= 3;
        }
        for (int i = 0; i < values.length; i++) {
          values[i] = (float) (deviation * random.nextGaussian() + (norm && !gemma ? 1 : 0));
        }
        writer.out().write(values);
      }
      writer.commit();
    }
  }

  private static int number(Map<String, Object> config, String name) {
    return ((Number) config.get(name)).intValue();
  }

  /** Names and shapes as published. */
  static List<TensorSpec> tensors(Map<String, Object> c, TensorType type) {
    List<TensorSpec> t = new ArrayList<>();
    String model = c.get("model_type").toString();
    int hidden = number(c, "hidden_size");
    int vocab = number(c, "vocab_size");
    t.add(TensorSpec.of("model.embed_tokens.weight", type, vocab, hidden));
    for (int layer = 0; layer < number(c, "num_hidden_layers"); layer++) {
      String p = "model.layers." + layer + ".";
      if (!model.equals("olmo2")) {
        t.add(TensorSpec.of(p + "input_layernorm.weight", type, hidden));
      }
      t.add(TensorSpec.of(p + "post_attention_layernorm.weight", type, hidden));
      if (model.startsWith("gemma")) {
        t.add(TensorSpec.of(p + "pre_feedforward_layernorm.weight", type, hidden));
      }
      if (model.startsWith("gemma") || model.equals("olmo2")) {
        t.add(TensorSpec.of(p + "post_feedforward_layernorm.weight", type, hidden));
      }
      if (model.startsWith("deepseek")) {
        latent(t, c, type, p + "self_attn.");
      } else {
        heads(t, c, type, p + "self_attn.");
      }
      feed(t, c, type, layer, p + "mlp.");
    }
    t.add(TensorSpec.of("model.norm.weight", type, hidden));
    boolean tied =
        model.startsWith("gemma")
            || model.equals("smollm3")
            || Boolean.TRUE.equals(c.get("tie_word_embeddings"));
    if (!tied) {
      t.add(TensorSpec.of("lm_head.weight", type, vocab, hidden));
    }
    return t;
  }

  private static void heads(List<TensorSpec> t, Map<String, Object> c, TensorType type, String p) {
    String model = c.get("model_type").toString();
    int hidden = number(c, "hidden_size");
    int heads = number(c, "num_attention_heads");
    int kvHeads = number(c, "num_key_value_heads");
    int dim = c.containsKey("head_dim") ? number(c, "head_dim") : hidden / heads;
    if (model.equals("phi3")) {
      t.add(TensorSpec.of(p + "qkv_proj.weight", type, (heads + 2L * kvHeads) * dim, hidden));
      t.add(TensorSpec.of(p + "o_proj.weight", type, hidden, (long) heads * dim));
      return;
    }
    boolean biases = model.equals("gpt_oss") || Boolean.TRUE.equals(c.get("attention_bias"));
    int[] rows = {heads * dim, kvHeads * dim, kvHeads * dim};
    String[] names = {"q_proj", "k_proj", "v_proj"};
    for (int i = 0; i < 3; i++) {
      t.add(TensorSpec.of(p + names[i] + ".weight", type, rows[i], hidden));
      if (biases) {
        t.add(TensorSpec.of(p + names[i] + ".bias", type, rows[i]));
      }
    }
    t.add(TensorSpec.of(p + "o_proj.weight", type, hidden, (long) heads * dim));
    if (biases) {
      t.add(TensorSpec.of(p + "o_proj.bias", type, hidden));
    }
    if (model.equals("gpt_oss")) {
      t.add(TensorSpec.of(p + "sinks", type, heads));
    }
    if (model.equals("olmo2")) {
      t.add(TensorSpec.of(p + "q_norm.weight", type, (long) heads * dim));
      t.add(TensorSpec.of(p + "k_norm.weight", type, (long) kvHeads * dim));
    }
    if (model.equals("gemma3_text") || model.equals("qwen3_moe")) {
      t.add(TensorSpec.of(p + "q_norm.weight", type, dim));
      t.add(TensorSpec.of(p + "k_norm.weight", type, dim));
    }
  }

  private static void latent(List<TensorSpec> t, Map<String, Object> c, TensorType type, String p) {
    int hidden = number(c, "hidden_size");
    int heads = number(c, "num_attention_heads");
    int nope = number(c, "qk_nope_head_dim");
    int rope = number(c, "qk_rope_head_dim");
    int value = number(c, "v_head_dim");
    int rank = number(c, "kv_lora_rank");
    if (c.get("q_lora_rank") == null) {
      t.add(TensorSpec.of(p + "q_proj.weight", type, (long) heads * (nope + rope), hidden));
    } else {
      int low = number(c, "q_lora_rank");
      t.add(TensorSpec.of(p + "q_a_proj.weight", type, low, hidden));
      t.add(TensorSpec.of(p + "q_a_layernorm.weight", type, low));
      t.add(TensorSpec.of(p + "q_b_proj.weight", type, (long) heads * (nope + rope), low));
    }
    t.add(TensorSpec.of(p + "kv_a_proj_with_mqa.weight", type, rank + rope, hidden));
    t.add(TensorSpec.of(p + "kv_a_layernorm.weight", type, rank));
    t.add(TensorSpec.of(p + "kv_b_proj.weight", type, (long) heads * (nope + value), rank));
    t.add(TensorSpec.of(p + "o_proj.weight", type, hidden, (long) heads * value));
    if (Boolean.TRUE.equals(c.get("attention_bias"))) {
      t.add(TensorSpec.of(p + "q_a_proj.bias", type, number(c, "q_lora_rank")));
      t.add(TensorSpec.of(p + "kv_a_proj_with_mqa.bias", type, rank + rope));
      t.add(TensorSpec.of(p + "o_proj.bias", type, hidden));
    }
  }

  private static void feed(
      List<TensorSpec> t, Map<String, Object> c, TensorType type, int layer, String p) {
    String model = c.get("model_type").toString();
    int hidden = number(c, "hidden_size");
    int inner = number(c, "intermediate_size");
    switch (model) {
      case "phi3" -> {
        t.add(TensorSpec.of(p + "gate_up_proj.weight", type, 2L * inner, hidden));
        t.add(TensorSpec.of(p + "down_proj.weight", type, hidden, inner));
      }
      case "gpt_oss" -> {
        int count = number(c, "num_local_experts");
        t.add(TensorSpec.of(p + "router.weight", type, count, hidden));
        t.add(TensorSpec.of(p + "router.bias", type, count));
        t.add(TensorSpec.of(p + "experts.gate_up_proj", type, count, hidden, 2L * inner));
        t.add(TensorSpec.of(p + "experts.gate_up_proj_bias", type, count, 2L * inner));
        t.add(TensorSpec.of(p + "experts.down_proj", type, count, inner, hidden));
        t.add(TensorSpec.of(p + "experts.down_proj_bias", type, count, hidden));
      }
      case "qwen3_moe" -> {
        boolean sparse =
            (layer + 1) % number(c, "decoder_sparse_step") == 0
                && !((List<?>) c.get("mlp_only_layers")).contains(layer);
        if (sparse) {
          experts(t, c, type, p, number(c, "num_experts"));
        } else {
          gated(t, type, p, hidden, inner);
        }
      }
      case "deepseek_v2", "deepseek_v3" -> {
        if (layer < number(c, "first_k_dense_replace")) {
          gated(t, type, p, hidden, inner);
        } else {
          int count = number(c, "n_routed_experts");
          experts(t, c, type, p, count);
          if (model.equals("deepseek_v3")) {
            t.add(TensorSpec.of(p + "gate.e_score_correction_bias", type, count));
          }
          int shared = number(c, "n_shared_experts") * number(c, "moe_intermediate_size");
          gated(t, type, p + "shared_experts.", hidden, shared);
        }
      }
      default -> {
        gated(t, type, p, hidden, inner);
        if (Boolean.TRUE.equals(c.get("mlp_bias"))) {
          t.add(TensorSpec.of(p + "gate_proj.bias", type, inner));
          t.add(TensorSpec.of(p + "up_proj.bias", type, inner));
          t.add(TensorSpec.of(p + "down_proj.bias", type, hidden));
        }
      }
    }
  }

  private static void experts(
      List<TensorSpec> t, Map<String, Object> c, TensorType type, String p, int count) {
    t.add(TensorSpec.of(p + "gate.weight", type, count, number(c, "hidden_size")));
    for (int e = 0; e < count; e++) {
      String name = p + "experts." + e + ".";
      gated(t, type, name, number(c, "hidden_size"), number(c, "moe_intermediate_size"));
    }
  }

  private static void gated(List<TensorSpec> t, TensorType type, String p, int hidden, int inner) {
    t.add(TensorSpec.of(p + "gate_proj.weight", type, inner, hidden));
    t.add(TensorSpec.of(p + "up_proj.weight", type, inner, hidden));
    t.add(TensorSpec.of(p + "down_proj.weight", type, hidden, inner));
  }
}
