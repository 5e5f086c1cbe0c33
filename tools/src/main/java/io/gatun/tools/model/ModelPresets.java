package io.gatun.tools.model;

import io.gatun.cache.GatunException;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.TreeMap;

/** The published shapes of some models, and a tiny one, as the fields of {@code config.json}. */
public final class ModelPresets {
  private static final Map<String, Map<String, Object>> PRESETS = new TreeMap<>();

  static {
    Map<String, Object> llama = shape("llama", 2048, 8192, 16, 32, 8, 128_256);
    llama.put("head_dim", 64);
    llama.put("rms_norm_eps", 1e-5);
    llama.put("rope_theta", 500_000.0);
    llama.put(
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
            8192));
    llama.put("max_position_embeddings", 131_072);
    llama.put("tie_word_embeddings", true);
    PRESETS.put("llama-3.2-1b", llama);

    Map<String, Object> tiny = shape("llama", 256, 688, 4, 8, 2, 512);
    tiny.put("max_position_embeddings", 131_072);
    PRESETS.put("tiny", tiny);

    Map<String, Object> mistral = shape("mistral", 4096, 14_336, 32, 32, 8, 32_000);
    mistral.put("rms_norm_eps", 1e-5);
    mistral.put("rope_theta", 10_000.0);
    mistral.put("sliding_window", 4096);
    mistral.put("max_position_embeddings", 32_768);
    PRESETS.put("mistral-7b-v0.1", mistral);

    Map<String, Object> qwen2 = shape("qwen2", 896, 4864, 24, 14, 2, 151_936);
    qwen2.put("rms_norm_eps", 1e-6);
    qwen2.put("rope_theta", 1_000_000.0);
    qwen2.put("use_sliding_window", false);
    qwen2.put("max_position_embeddings", 32_768);
    qwen2.put("tie_word_embeddings", true);
    PRESETS.put("qwen2.5-0.5b", qwen2);

    Map<String, Object> qwen3 = shape("qwen3", 1024, 3072, 28, 16, 8, 151_936);
    qwen3.put("head_dim", 128);
    qwen3.put("rms_norm_eps", 1e-6);
    qwen3.put("rope_theta", 1_000_000.0);
    qwen3.put("use_sliding_window", false);
    qwen3.put("max_position_embeddings", 40_960);
    qwen3.put("tie_word_embeddings", true);
    PRESETS.put("qwen3-0.6b", qwen3);
  }

  private ModelPresets() {}

  private static Map<String, Object> shape(
      String type, int hidden, int inner, int layers, int heads, int kvHeads, int vocab) {
    Map<String, Object> config = new LinkedHashMap<>();
    config.put("model_type", type);
    config.put("hidden_size", hidden);
    config.put("intermediate_size", inner);
    config.put("num_hidden_layers", layers);
    config.put("num_attention_heads", heads);
    config.put("num_key_value_heads", kvHeads);
    config.put("vocab_size", vocab);
    config.put("hidden_act", "silu");
    return config;
  }

  /** The names, joined with commas. */
  public static String names() {
    return String.join(", ", PRESETS.keySet());
  }

  /**
   * The fields of a preset.
   *
   * @throws GatunException if there is none of this name; the message names them all
   */
  public static Map<String, Object> config(String name) {
    Map<String, Object> config = PRESETS.get(name);
    if (config == null) {
      throw new GatunException("there is no shape '%s'; there are %s".formatted(name, names()));
    }
    return config;
  }
}
