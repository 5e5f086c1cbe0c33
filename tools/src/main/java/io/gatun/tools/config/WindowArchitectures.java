package io.gatun.tools.config;

import static io.gatun.tools.config.Architecture.of;
import static io.gatun.tools.config.LayerPattern.all;
import static io.gatun.tools.config.LayerPattern.everyNth;
import static io.gatun.tools.config.LayerPattern.firstOf;

import java.util.ArrayList;
import java.util.List;
import java.util.Map;

/** Decoders that attend to windows or chunks in some or all of their layers, or share rows. */
final class WindowArchitectures {
  private static final String FULL = "full_attention";
  private static final String SLIDING = "sliding_attention";
  private static final Mixer WINDOW = Mixers.window("sliding_window");
  private static final Mixer WINDOW_IF_ANY = Mixers.windowIfAny("sliding_window");

  static final List<Architecture> ALL =
      List.of(
          of("Mistral", "mistral llava_mistral")
              .takes("num_key_value_heads", 8)
              .takes("sliding_window", 4096)
              .layer(SLIDING, WINDOW_IF_ANY)
              .pattern(all(SLIDING)),
          of("Ministral", "ministral ministral3")
              .takes("num_key_value_heads", 8)
              .layer(SLIDING, WINDOW_IF_ANY)
              .pattern(all(SLIDING)),
          of("Mixtral", "mixtral")
              .takes("num_key_value_heads", 8)
              .layer(SLIDING, WINDOW_IF_ANY)
              .pattern(all(SLIDING)),
          of("Phi-3", "phi3 phi3_v phimoe phi4mm phi4_multimodal phi3v")
              .layer(SLIDING, WINDOW_IF_ANY)
              .pattern(all(SLIDING))
              .aside(
                  "vision_lora",
                  "speech_lora",
                  "img_processor",
                  "audio_processor",
                  "full_attn_mod"),
          of("StarCoder2", "starcoder2").layer(SLIDING, WINDOW_IF_ANY).pattern(all(SLIDING)),
          of(
                  "Qwen2",
                  "qwen2 qwen2_vl qwen2_5_vl qwen2_vl_text qwen2_5_vl_text qwen2_moe"
                      + " qwen2_5_omni_text qwen2_audio llava_qwen2 llava_qwen dream")
              .layer(SLIDING, WINDOW)
              .pattern(WindowArchitectures::afterFirstLayers),
          of("Qwen3", "qwen3 qwen3_vl_text qwen3_vl qwen3_asr_text")
              .takes("head_dim", 128)
              .layer(SLIDING, WINDOW)
              .pattern(WindowArchitectures::afterFirstLayers),
          of("Qwen3-MoE", "qwen3_moe qwen3_vl_moe_text qwen3_vl_moe qwen3_omni_moe_text")
              .layer(SLIDING, WINDOW)
              .pattern(WindowArchitectures::afterFirstLayers),
          of("dots.llm1", "dots1")
              .layer(SLIDING, WINDOW)
              .pattern(WindowArchitectures::afterFirstLayers),
          of("Gemma 2", "gemma2 vaultgemma")
              .takes("head_dim", 256)
              .takes("num_key_value_heads", 4)
              .layer(SLIDING, WINDOW)
              .pattern(firstOf(2, SLIDING, FULL)),
          of("Gemma 3", "gemma3 gemma3_text")
              .takes("num_attention_heads", 8)
              .takes("num_key_value_heads", 4)
              .takes("head_dim", 256)
              .takes("sliding_window", 4096)
              .reads("sliding_window_pattern", "sliding_window_pattern", "_sliding_window_pattern")
              .layer(SLIDING, WINDOW)
              .pattern(everyNth("sliding_window_pattern", 6, FULL, SLIDING)),
          of("Gemma 3n", "gemma3n gemma3n_text")
              .takes("num_attention_heads", 8)
              .takes("num_key_value_heads", 2)
              .takes("head_dim", 256)
              .takes("sliding_window", 512)
              .takes("num_kv_shared_layers", 15)
              .layer(SLIDING, WINDOW)
              .pattern(everyNth(5, FULL, SLIDING))
              .sharing(RowSharing.lastLayers("num_kv_shared_layers")),
          of("Gemma 4", "gemma4 gemma4_text gemma4_unified gemma4_unified_text")
              .takes("head_dim", 256)
              .takes("num_key_value_heads", 4)
              .takes("sliding_window", 512)
              .layer(SLIDING, WINDOW)
              .layer(FULL, WindowArchitectures::gemma4Global)
              .pattern(everyNth(6, FULL, SLIDING))
              .sharing(RowSharing.lastLayers("num_kv_shared_layers"))
              .aside(
                  "attention_k_eq_v",
                  "num_global_key_value_heads",
                  "global_head_dim",
                  "use_bidirectional_attention")
              .note(
                  keys ->
                      keys.json().has("attention_k_eq_v") && keys.flag("attention_k_eq_v", false),
                  "keys and values of the full layers come from one projection"
                      + " (attention_k_eq_v), but only the key is rotated: both are kept."),
          of("gpt-oss", "gpt_oss")
              .takes("num_key_value_heads", 8)
              .takes("head_dim", 64)
              .takes("sliding_window", 128)
              .layer(SLIDING, WINDOW)
              .pattern(firstOf(2, SLIDING, FULL)),
          of("Command R7B (Cohere 2)", "cohere2")
              .takes("sliding_window", 4096)
              .reads(
                  "sliding_window_pattern",
                  "sliding_window_pattern",
                  "_sliding_window_pattern",
                  "layer_switch")
              .layer(SLIDING, WINDOW)
              .pattern(everyNth("sliding_window_pattern", 4, FULL, SLIDING))
              .aside("order_of_interleaved_layers"),
          of("OLMo 3", "olmo3")
              .takes("sliding_window", 4096)
              .layer(SLIDING, WINDOW)
              .pattern(everyNth(4, FULL, SLIDING)),
          of("CWM", "cwm").layer(SLIDING, WINDOW).pattern(firstOf(4, FULL, SLIDING)),
          of("Granite with windows", "granite_swa granitemoe_swa")
              .layer(SLIDING, WINDOW)
              .pattern(firstOf(4, FULL, SLIDING)),
          of("AFMoE", "afmoe")
              .takes("head_dim", 128)
              .layer(SLIDING, WINDOW)
              .pattern(everyNth("global_attn_every_n_layers", 4, FULL, SLIDING)),
          of("SmolLM3", "smollm3")
              .takes("num_key_value_heads", 4)
              .layer(SLIDING, WINDOW)
              .aside("no_rope_layers", "no_rope_layer_interval", "max_window_layers"),
          of("EXAONE 4", "exaone4 exaone_moe exaone4_5_text")
              .layer(SLIDING, WINDOW)
              .pattern(WindowArchitectures::exaone4),
          of("GPT-Neo", "gpt_neo")
              .layer("global", Mixers.heads())
              .layer("local", Mixers.window("window_size"))
              .takes("window_size", 256)
              .listedIn("attention_layers")
              .pattern(WindowArchitectures::gptNeo)
              .aside("attention_types"),
          of("Llama 4", "llama4 llama4_text")
              .takes("num_key_value_heads", 8)
              .takes("head_dim", 128)
              .takes("attention_chunk_size", 8192)
              .layer("chunked_attention", Mixers.chunks("attention_chunk_size"))
              .pattern(WindowArchitectures::llama4)
              .aside("attention_chunk_size"),
          of("MiMo-V2", "mimo_v2_flash mimo_v2")
              .layer(FULL, Mixers.heads(null, null, null, "v_head_dim", null))
              .layer(
                  SLIDING,
                  Mixers.heads(
                      "swa_num_attention_heads",
                      "swa_num_key_value_heads",
                      "swa_head_dim",
                      "swa_v_head_dim",
                      "sliding_window"))
              .reads("sliding_window", "sliding_window", "sliding_window_size")
              .pattern(LayerPattern.coded("hybrid_layer_pattern", Map.of(0, FULL, 1, SLIDING)))
              // The chunks are those of a kernel: the window is as wide.
              .aside("attention_chunk_size", "hybrid_block_size", "attention_projection_layout"),
          of("Step 3.5", "step3p5")
              .reads("num_key_value_heads", "num_key_value_heads", "num_attention_groups")
              .layer(SLIDING, WindowArchitectures::step35)
              .pattern(LayerPattern.mustBeListed())
              .aside(
                  "share_expert_dim",
                  "num_sliding_attention_heads",
                  "attention_other_setting",
                  "use_head_wise_attn_gate"),
          of("Laguna", "laguna mellum").takes("head_dim", 128).layer(SLIDING, WINDOW),
          of("Command A (Cohere 2, experts)", "cohere2_moe")
              .takes("sliding_window", 4096)
              .layer(SLIDING, WINDOW)
              .pattern(WindowArchitectures::cohere2Moe),
          of("Doge", "doge")
              .layer(SLIDING, WINDOW_IF_ANY)
              .pattern(all(SLIDING))
              .aside("keep_window_size"),
          of("Baichuan-M1", "baichuan_m1")
              .layer(SLIDING, WindowArchitectures::baichuanM1)
              .pattern(LayerPattern.listed("sliding_window_layers", SLIDING, FULL))
              .aside("conv_window"),
          of("Hunyuan", "hunyuan hunyuan_v1_dense hunyuan_v1_moe hunyuan_moe")
              .sharing(RowSharing.groups("use_cla", "cla_share_factor"))
              .layer(FULL, WindowArchitectures::hunyuan),
          of("Nemotron NAS (Puzzle)", "nemotron-nas")
              .layer("block", WindowArchitectures::puzzle)
              .pattern(all("block"))
              .listedIn());

  private WindowArchitectures() {}

  /** Qwen: the layers from max_window_layers on have windows, if windows are in use at all. */
  private static List<String> afterFirstLayers(ModelKeys keys) {
    String type = keys.json().text("model_type", "");
    // The classes of Qwen have windows off unless told otherwise; dots.llm1 has them on.
    boolean on = keys.flag("use_sliding_window", type.equals("dots1"));
    int window = on ? keys.window("sliding_window") : 0;
    keys.json().understood("sliding_window");
    boolean everywhere = type.startsWith("qwen3") && type.contains("moe");
    if (window > 0 && everywhere && keys.has("max_window_layers")) {
      throw keys.refused(
          "use_sliding_window is true and max_window_layers is %d, and windows of Qwen3-MoE do not"
              + " depend on the layer",
          keys.count("max_window_layers", 0));
    }
    int first = keys.count("max_window_layers", everywhere ? 0 : 28);
    return LayerPattern.kinds(keys, layer -> window > 0 && layer >= first ? SLIDING : FULL);
  }

  /** The full layers of Gemma 4 have wider heads, and fewer KV heads if keys serve as values. */
  private static LayerCache gemma4Global(ModelKeys keys, int layer) {
    if (keys.hasOverrides()) {
      return Mixers.heads().of(keys, layer);
    }
    int heads = keys.heads(layer);
    int width = keys.positive("global_head_dim", 512);
    int own = keys.count("num_global_key_value_heads", 0);
    int kv = keys.flag("attention_k_eq_v", false) && own > 0 ? own : keys.kvHeads(layer);
    return LayerCache.of(
        Mixers.checked(keys, layer, new Kept.Heads(heads, kv, width, width, Span.ALL)));
  }

  /** EXAONE 4 writes its pattern as a number or in letters, L for a window and G for all. */
  private static List<String> exaone4(ModelKeys keys) {
    JsonFields json = keys.json();
    boolean letters =
        json.has("sliding_window_pattern") && json.get("sliding_window_pattern").isTextual();
    String pattern = letters ? json.text("sliding_window_pattern", "") : null;
    int every = letters ? 0 : keys.count("sliding_window_pattern", 4);
    if (keys.window("sliding_window") == 0) {
      return LayerPattern.kinds(keys, _ -> FULL);
    }
    if (!letters) {
      return LayerPattern.kinds(
          keys, layer -> every > 0 && (layer + 1) % every == 0 ? FULL : SLIDING);
    }
    if (!pattern.matches("[LG]+")) {
      throw keys.refused("sliding_window_pattern is \"%s\", not of L and G", pattern);
    }
    return LayerPattern.kinds(
        keys, layer -> pattern.charAt(layer % pattern.length()) == 'L' ? SLIDING : FULL);
  }

  /** GPT-Neo writes {@code [[["global", "local"], 12]]}: these kinds, twelve times. */
  private static List<String> gptNeo(ModelKeys keys) {
    List<String> kinds = new ArrayList<>();
    for (var group : keys.json().list("attention_types")) {
      if (!group.isArray() || group.size() != 2 || !group.get(0).isArray()) {
        throw keys.refused("attention_types is %s", keys.json().get("attention_types"));
      }
      for (int i = 0; i < group.get(1).asInt(); i++) {
        group.get(0).forEach(kind -> kinds.add(kind.asText()));
      }
    }
    return kinds;
  }

  /** Llama 4: chunks where positions are rotated, every token where they are not. */
  private static List<String> llama4(ModelKeys keys) {
    int interval = keys.positive("no_rope_layer_interval", 4);
    boolean listed = keys.json().has("no_rope_layers");
    List<Integer> rotated = listed ? keys.json().counts("no_rope_layers", 0, 1) : List.of();
    if (!rotated.isEmpty() && rotated.size() != keys.layers()) {
      throw keys.refused(
          "no_rope_layers has %d entries for %d layers", rotated.size(), keys.layers());
    }
    return LayerPattern.kinds(
        keys,
        layer -> {
          boolean chunked =
              rotated.isEmpty() ? (layer + 1) % interval != 0 : rotated.get(layer) == 1;
          return chunked ? "chunked_attention" : FULL;
        });
  }

  /** The dense layers at the front have a pattern of their own. */
  private static List<String> cohere2Moe(ModelKeys keys) {
    int front = keys.count("first_k_dense_replace", 0);
    int frontEvery = keys.count("prefix_dense_sliding_window_pattern", 1);
    int every = keys.count("sliding_window_pattern", 4);
    return LayerPattern.kinds(
        keys,
        layer -> {
          int n = layer < front ? frontEvery : every;
          int place = layer < front ? layer : layer - front;
          return n > 0 && (place + 1) % n == 0 ? FULL : SLIDING;
        });
  }

  private static LayerCache step35(ModelKeys keys, int layer) {
    JsonFields other = keys.json().object("attention_other_setting");
    int heads = keys.positive("num_sliding_attention_heads", keys.heads(layer));
    int kv = keys.kvHeads(layer);
    int width = keys.headDim(layer, heads);
    if (other != null) {
      heads = other.count("num_attention_heads", 1, 1 << 16, heads);
      kv = other.count("num_attention_groups", 1, 1 << 16, kv);
      width = other.count("head_dim", 1, 1 << 16, width);
      other.understood("attention_type", "true_head_dim");
    }
    Span span = Span.window(keys.count("sliding_window"));
    return LayerCache.of(
        Mixers.checked(keys, layer, new Kept.Heads(heads, kv, width, width, span)));
  }

  private static LayerCache baichuanM1(ModelKeys keys, int layer) {
    int heads = keys.count("num_swa_attention_heads");
    int kv = keys.count("num_swa_key_value_heads");
    int width = keys.headDim(layer, heads);
    Span span = Span.window(keys.count("sliding_window"));
    return LayerCache.of(
        Mixers.checked(keys, layer, new Kept.Heads(heads, kv, width, width, span)));
  }

  private static LayerCache hunyuan(ModelKeys keys, int layer) {
    boolean latent = keys.flag("use_mla", false);
    keys.json().understood("kv_lora_rank", "qk_rope_head_dim", "qk_nope_head_dim", "v_head_dim");
    return (latent ? Mixers.latent() : Mixers.heads()).of(keys, layer);
  }

  /** A block of a model that a search made out of another: some of its parts are left out. */
  private static LayerCache puzzle(ModelKeys keys, int layer) {
    List<JsonFields> blocks = keys.json().objects("block_configs");
    if (blocks.size() != keys.layers()) {
      throw keys.refused(
          "block_configs has %d entries for %d layers", blocks.size(), keys.layers());
    }
    JsonFields block = blocks.get(layer);
    block.understood("ffn");
    JsonFields attention = block.object("attention");
    if (attention == null) {
      throw keys.refused("block_configs[%d] has no attention", layer);
    }
    attention.understood("unshifted_sink", "use_prefill_window_in_sink_attention");
    if (attention.flag("no_op", false) || attention.flag("replace_with_linear", false)) {
      attention.understood("n_heads_in_group", "window_length", "num_sink_tokens");
      return LayerCache.NOTHING;
    }
    int heads = keys.heads(layer);
    int group = attention.count("n_heads_in_group", 1, 1 << 16);
    if (heads % group != 0) {
      throw keys.refused(
          "block_configs[%d] has groups of %d heads, and there are %d", layer, group, heads);
    }
    int window = attention.count("window_length", 0, Integer.MAX_VALUE, 0);
    int sinks = attention.count("num_sink_tokens", 0, Integer.MAX_VALUE, 0);
    int width = keys.headDim(layer, heads);
    Span span = window == 0 ? Span.ALL : Span.window((long) window + sinks);
    return LayerCache.of(new Kept.Heads(heads, heads / group, width, width, span));
  }
}
