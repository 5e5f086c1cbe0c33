package io.gatun.tools.config;

import static io.gatun.tools.config.Architecture.of;

import java.util.List;

/** Decoders whose layers all attend to every token; they differ in how they say their heads. */
final class PlainArchitectures {
  static final List<Architecture> ALL =
      List.of(
          of("Llama", "llama code_llama llava_llama yi")
              .aside("sliding_window", "max_window_layers")
              .note(
                  keys -> keys.json().has("sliding_window"),
                  "Note: Llama has no sliding window; sliding_window in its config has no effect."),
          of(
                  "ordinary attention",
                  "aquila aquila3 apertus arcee arctic aria_text bailing bailing_moe bailing_moe_v2"
                      + " bitnet chameleon cohere command-r decilm deci deepseek diffllama emu3"
                      + " emu3_text_model exaone flex_olmo fuyu glm4_moe"
                      + " glm4v_text glm4v_moe_text glm_ocr_text granite granitemoe"
                      + " granitemoeshared grok-1 helium hy_v3 hyperclovax internlm2 internlm3"
                      + " jais2 mimo minicpm minicpmo minicpmv molmo nanochat nemotron olmo"
                      + " olmo2 olmoe orion persimmon phi phi-msft seed_oss skywork solar_open"
                      + " stablelm stablelm_epoch telechat telechat2 xverse xverse_moe")
              .aside(
                  "use_qkv_bias",
                  "qk_layernorm",
                  "attention_out_bias",
                  "scale_width",
                  "num_ln_in_parallel_attn"),
          of(
                  "ERNIE 4.5",
                  "ernie4_5 ernie4_5_moe ernie4_5_moe_vl ernie4_5_vl ernie4_5_vl_moe"
                      + " ernie4_5_vl_moe_text")
              .takes("head_dim", 128)
              // The compression is that of positions.
              .aside("compression_ratio", "pixel_hidden_size", "freq_allocation"),
          of("MiniMax-M2", "minimax_m2")
              .pattern(PlainArchitectures::miniMaxM2)
              .layer("linear_attention", StateMixers.lightning()),
          of("CodeShell", "codeshell")
              .reads("num_key_value_heads", "num_query_groups")
              .aside("group_query_attention"),
          of("GLM", "glm glm4").takes("num_key_value_heads", 2).takes("head_dim", 128),
          of("XGLM", "xglm").reads("num_attention_heads", "attention_heads"),
          of("CPM", "cpmant cpmbee").reads("head_dim", "dim_head"),
          of(
                  "GPT-2",
                  "gpt2 gpt_sw3 openai-gpt imagegpt ctrl codegen gptj gpt_neox"
                      + " gpt_neox_japanese opt bloom biogpt mixformer-sequential moss"
                      + " jais stablelm_alpha")
              .kvHeads(PlainArchitectures::multiQuery)
              .aside("attention_head_type"),
          of("GPT-BigCode", "gpt_bigcode")
              .kvHeads(keys -> {
                keys.json().understood("attention_head_type");
                int heads = keys.count("num_attention_heads");
                return agreed(keys, keys.flag("multi_query", true) ? 1 : heads);
              }),
          of("Qwen (1)", "qwen"),
          of("Baichuan", "baichuan internlm"),
          of("Gemma", "gemma").takes("head_dim", 256),
          of("Falcon", "falcon refinedweb refinedwebmodel").kvHeads(PlainArchitectures::falcon),
          of("MPT", "mpt").kvHeads(PlainArchitectures::mpt),
          of("DBRX", "dbrx")
              .kvHeads(keys -> {
                JsonFields attention = keys.json().object("attn_config");
                if (attention == null) {
                  throw keys.missing("attn_config");
                }
                return agreed(keys, attention.count("kv_n_heads", 1, 1 << 16));
              })
              .aside("ffn_config"),
          of("ChatGLM", "chatglm")
              .kvHeads(keys ->
                  keys.flag("multi_query_attention", false)
                      ? keys.count("multi_query_group_num")
                      : keys.count("num_attention_heads"))
              .aside("multi_query_group_num", "pre_seq_len", "prefix_projection"),
          of("OpenELM", "openelm")
              .reads("num_hidden_layers", "num_transformer_layers")
              .reads("hidden_size", "model_dim")
              .layer("full_attention", PlainArchitectures::openElm)
              .aside("num_gqa_groups", "qkv_multipliers", "normalize_qk_projections"),
          of("JetMoE", "jetmoe")
              .reads("num_attention_heads", "num_attention_heads", "num_key_value_heads")
              .reads("head_dim", "kv_channels"),
          of("PLaMo", "plamo")
              .kvHeads(keys -> {
                int shared = keys.positive("n_shared_head", 1);
                return Math.ceilDiv(keys.count("num_attention_heads"), shared);
              }),
          of("OLMo", "hf_olmo")
              .kvHeads(keys ->
                  keys.flag("multi_query_attention", false)
                      ? 1
                      : keys.positive("num_key_value_heads", keys.count("num_attention_heads")))
              .aside("block_type", "block_group_size", "d_model"),
          of("Phi-3 small", "phi3small")
              .aside(
                  "blocksparse_*",
                  "dense_attention_every_n_layers",
                  "*_block_size",
                  "num_local_blocks",
                  "vert_stride",
                  "mup_*")
              .note(
                  "Note: its block-sparse layers read a part of the tokens only, another for each"
                      + " head; all are kept."));

  private PlainArchitectures() {}

  /** All its layers are full, and most of its configs say so one by one. */
  private static List<String> miniMaxM2(ModelKeys keys) {
    return (keys.json().has("attn_type_list")
            ? LayerPattern.coded(
                "attn_type_list", java.util.Map.of(0, "linear_attention", 1, "full_attention"))
            : LayerPattern.all("full_attention"))
        .of(keys);
  }

  /** SantaCoder and Granite write a GPT-2 config with the kind of its heads in a word. */
  private static int multiQuery(ModelKeys keys) {
    String kind = keys.json().text("attention_head_type", "multihead");
    return switch (kind) {
      case "multihead", "mha" -> keys.count("num_attention_heads");
      case "multiquery", "mqa" -> 1;
      default -> keys.count("num_key_value_heads");
    };
  }

  /** Falcon has one KV head, unless its new decoder says how many, or multi_query is off. */
  private static int falcon(ModelKeys keys) {
    boolean multiQuery =
        keys.flag("multi_query", !keys.json().text("model_type", "").startsWith("Refined"));
    boolean given = keys.flag("new_decoder_architecture", keys.json().has("n_head_kv"));
    int heads = keys.count("num_attention_heads");
    int kvHeads = keys.positive("num_key_value_heads", heads);
    return given ? kvHeads : multiQuery ? 1 : heads;
  }

  /** The KV heads, which newer files write as well. */
  private static int agreed(ModelKeys keys, int kvHeads) {
    int written = keys.positive("num_key_value_heads", kvHeads);
    if (written != kvHeads) {
      throw keys.refused(
          "num_key_value_heads is %d, and its other keys say %d KV heads", written, kvHeads);
    }
    return kvHeads;
  }

  private static int mpt(ModelKeys keys) {
    int heads = keys.count("num_attention_heads");
    JsonFields attention = keys.json().object("attn_config");
    if (attention == null) {
      return heads;
    }
    attention.understood(
        "alibi_bias_max", "prefix_lm", "qk_ln", "qk_gn", "softmax_scale", "fused_qkv");
    JsonFields window = attention;
    if (window.has("sliding_window_size") && window.get("sliding_window_size").asInt() != -1) {
      throw keys.refused(
          "attn_config.sliding_window_size is %s, and only -1, no window, is known for MPT",
          window.get("sliding_window_size"));
    }
    return switch (attention.text("attn_type", "multihead_attention")) {
      case "multihead_attention" -> heads;
      case "multiquery_attention" -> 1;
      default -> attention.count("kv_n_heads", 1, 1 << 16);
    };
  }

  private static LayerCache openElm(ModelKeys keys, int layer) {
    List<Integer> kv = keys.json().counts("num_kv_heads", 1, 1 << 16);
    List<Integer> query = keys.json().counts("num_query_heads", 1, 1 << 16);
    if (kv.size() != keys.layers() || query.size() != keys.layers()) {
      throw keys.refused(
          "num_kv_heads and num_query_heads have %d and %d entries for %d layers",
          kv.size(), query.size(), keys.layers());
    }
    int width = keys.count("head_dim");
    return LayerCache.of(
        Mixers.checked(
            keys, layer, new Kept.Heads(query.get(layer), kv.get(layer), width, width, Span.ALL)));
  }
}
