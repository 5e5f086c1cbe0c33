package io.gatun.tools.model;

import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/** Configurations of small models, one for each thing that the model types do differently. */
final class TinyModels {
  static final List<String> NAMES =
      List.of(
          "llama",
          "llama3-scaling",
          "llama-biases",
          "mistral-window",
          "qwen2",
          "qwen2-window",
          "qwen3",
          "qwen3-window");

  private TinyModels() {}

  /** Sizes are odd on purpose: no multiple of a vector, one beyond a block of columns. */
  static Map<String, Object> config(String name) {
    Map<String, Object> c = new LinkedHashMap<>();
    c.put(
        "model_type", name.substring(0, name.indexOf('-') < 0 ? name.length() : name.indexOf('-')));
    c.put("hidden_size", 72);
    c.put("intermediate_size", 150);
    c.put("num_hidden_layers", 3);
    c.put("num_attention_heads", 6);
    c.put("num_key_value_heads", 2);
    c.put("vocab_size", 263);
    c.put("rms_norm_eps", 1e-5);
    c.put("max_position_embeddings", 4096);
    c.put("hidden_act", "silu");
    c.put("eos_token_id", 257);
    switch (name) {
      case "llama" -> {
        c.put("num_key_value_heads", 6);
        c.put("rope_theta", 10000.0);
      }
      case "llama3-scaling" -> {
        c.put("model_type", "llama");
        c.put("head_dim", 20);
        c.put("intermediate_size", 1100);
        c.put("rope_theta", 500000.0);
        c.put(
            "rope_scaling",
            Map.of(
                "rope_type",
                "llama3",
                "factor",
                32.0,
                "low_freq_factor",
                1.0,
                "high_freq_factor",
                4.0,
                "original_max_position_embeddings",
                64));
      }
      case "llama-biases" -> {
        c.put("attention_bias", true);
        c.put("mlp_bias", true);
        c.put("rope_parameters", Map.of("rope_type", "default", "rope_theta", 20000.0));
      }
      case "mistral-window" -> {
        c.put("sliding_window", 9);
        c.put("head_dim", 16);
        c.put("num_key_value_heads", 1);
      }
      case "qwen2" -> {
        c.put("tie_word_embeddings", true);
        c.put("rope_theta", 1e6);
        c.put("sliding_window", 8);
        c.put("use_sliding_window", false);
      }
      case "qwen2-window" -> {
        c.put("sliding_window", 8);
        c.put("use_sliding_window", true);
        c.put("max_window_layers", 1);
      }
      case "qwen3" -> {
        c.put("head_dim", 24);
        c.put("tie_word_embeddings", true);
        c.put("attention_bias", true);
      }
      case "qwen3-window" -> {
        c.put("head_dim", 8);
        c.put("sliding_window", 5);
        c.put("use_sliding_window", true);
        c.put("layer_types", List.of("full_attention", "sliding_attention", "full_attention"));
      }
      default -> throw new IllegalArgumentException(name);
    }
    return c;
  }
}
