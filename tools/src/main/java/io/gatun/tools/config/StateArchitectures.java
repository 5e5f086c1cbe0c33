package io.gatun.tools.config;

import static io.gatun.tools.config.Architecture.of;
import static io.gatun.tools.config.LayerPattern.everyNth;

import java.util.ArrayList;
import java.util.List;
import java.util.Map;

/** Decoders that keep states of constant size in some of their layers, or in all of them. */
final class StateArchitectures {
  private static final String FULL = "full_attention";
  private static final String LINEAR = "linear_attention";

  private static final Mixer MAMBA =
      StateMixers.mamba("mamba_expand", "mamba_d_state", "mamba_d_conv");
  private static final Mixer MAMBA_2 =
      StateMixers.mamba2(
          "mamba_n_heads", "mamba_d_head", "mamba_n_groups", "mamba_d_state", "mamba_d_conv");

  static final List<Architecture> ALL =
      List.of(
          mamba("Jamba", "jamba")
              .layer("mamba linear_attention", MAMBA)
              .layer("attention", Mixers.heads())
              .pattern(StateArchitectures::jamba),
          mamba("Bamba", "bamba")
              .layer("mamba linear_attention", MAMBA_2)
              .layer("attention", Mixers.heads())
              .pattern(LayerPattern.listed("attn_layer_indices", FULL, LINEAR)),
          mamba("Granite 4 (hybrid)", "granitemoehybrid")
              .layer("mamba linear_attention", MAMBA_2)
              .layer("attention", Mixers.heads())
              .pattern(LayerPattern.all("mamba")),
          mamba("Falcon-H1", "falcon_h1")
              .reads("mamba_expand", "mamba_expand")
              .layer("hybrid", Mixers.both(Mixers.heads(), StateArchitectures::falconH1))
              .pattern(LayerPattern.all("hybrid"))
              .aside("key_multiplier", "mamba_d_ssm"),
          of("Nemotron-H", "nemotron_h nemotron_h_puzzle")
              .listedIn("layers_block_type", "layer_types")
              .layer("mamba linear_attention", StateArchitectures::nemotronMamba)
              .layer("attention", Mixers.heads())
              .layer("mlp moe", Mixers.NOTHING)
              .pattern(
                  LayerPattern.lettered(
                      "hybrid_override_pattern",
                      Map.of('M', "mamba", '*', "attention", '-', "mlp", 'E', "moe")))
              .takes("n_groups", 8)
              .takes("conv_kernel", 4)
              .takes("head_dim", 128)
              .aside(
                  "mamba_*",
                  "ssm_*",
                  "chunk_size",
                  "expand",
                  "conv_kernel",
                  "n_groups",
                  "time_step_*",
                  "moe_*"),
          mamba("Zamba2", "zamba2")
              .listedIn("layers_block_type", "layer_types")
              .layer("mamba linear_attention", StateArchitectures::zamba2Mamba)
              .layer(
                  "hybrid",
                  Mixers.both(StateArchitectures::zambaHeads, StateArchitectures::zamba2Mamba))
              .pattern(StateArchitectures::zamba2)
              .aside(
                  "attention_hidden_size",
                  "attention_head_dim",
                  "n_mamba_heads",
                  "num_mem_blocks",
                  "use_shared_*",
                  "adapter_rank",
                  "hybrid_layer_ids",
                  "kv_channels",
                  "num_query_groups",
                  "conv_dimension",
                  "use_mem_rope",
                  "chunk_size",
                  "use_mem_eff_path",
                  "head_dim",
                  "use_long_context"),
          mamba("Zamba", "zamba")
              .listedIn("layers_block_type", "layer_types")
              .layer("mamba linear_attention", MAMBA)
              .layer("hybrid", Mixers.both(StateArchitectures::zambaHeads, MAMBA))
              .pattern(StateArchitectures::zamba)
              .aside(
                  "attention_hidden_size",
                  "attention_head_dim",
                  "n_mamba_heads",
                  "attn_layer_*",
                  "head_dim"),
          of("Phi-4-flash (SambaY)", "phi4flash")
              .layer("sliding_attention", Mixers.window("sliding_window"))
              .layer("mamba", MAMBA)
              .layer("shared", (_, _) -> LayerCache.NOTHING)
              .layer("cross", (keys, _) -> LayerCache.of(new Kept.Shared(keys.layers() / 2 + 1)))
              .pattern(StateArchitectures::sambaY)
              .takes("mamba_expand", 2)
              .takes("mamba_d_state", 16)
              .takes("mamba_d_conv", 4)
              .aside("mamba_*", "mb_per_layer"),
          of("PLaMo 2", "plamo2")
              .layer(
                  "mamba",
                  StateMixers.mamba2(
                      "mamba_num_heads",
                      "hidden_size_per_head",
                      "none",
                      "mamba_d_state",
                      "mamba_d_conv"))
              .takes("none", 0)
              .takes("mamba_d_conv", 4)
              .takes("mamba_d_state", 64)
              .layer("sliding_attention", Mixers.windowIfAny("attention_window_size"))
              .pattern(StateArchitectures::plamo2)
              .aside("mamba_*"),
          delta("Qwen3-Next", "qwen3_next qwen3_5 qwen3_5_text qwen3_5_moe qwen3_5_moe_text")
              .takes("head_dim", 256)
              .takes("linear_num_key_heads", 16)
              .takes("linear_num_value_heads", 32)
              .takes("linear_key_head_dim", 128)
              .takes("linear_value_head_dim", 128)
              .pattern(everyNth("full_attention_interval", 4, FULL, LINEAR)),
          delta("OLMo (hybrid)", "olmo_hybrid").pattern(everyNth(4, FULL, LINEAR)),
          of("Kimi Linear", "kimi_linear")
              .layer(FULL, Mixers.latent())
              .layer(LINEAR, StateMixers.kimiDelta())
              .takes("linear_num_heads", 32)
              .takes("linear_head_dim", 128)
              .takes("linear_conv_kernel_dim", 4)
              .pattern(StateArchitectures::kimiLinear)
              .aside("linear_*", "num_key_value_heads"),
          of("MiniMax-01", "minimax minimax_text_01 minimax_m1 minimax_vl_01")
              .layer(LINEAR, StateMixers.lightning())
              .pattern(StateArchitectures::miniMax)
              .aside(
                  "block_size",
                  "*_alpha_factor",
                  "*_beta_factor",
                  "layernorm_*",
                  "sliding_window_none",
                  "postnorm",
                  "shared_moe_mode"),
          of("Ring (linear)", "bailing_moe_linear bailing_moe_linear_v2")
              .layer(LINEAR, StateMixers.lightning())
              .pattern(StateArchitectures::ring)
              .aside("group_norm_size", "linear_*"),
          of("LFM2", "lfm2 lfm2_moe")
              .layer("conv short_conv", StateMixers.convolution("conv_L_cache"))
              .takes("conv_L_cache", 3)
              .takes("num_key_value_heads", 8)
              .pattern(LayerPattern.listed("full_attn_idxs", FULL, "conv"))
              .aside("block_*", "conv_*"),
          of("RecurrentGemma", "recurrent_gemma")
              .listedIn()
              .layer("attention", Mixers.window("attention_window_size"))
              .layer("recurrent", StateMixers.recurrentUnit())
              .takes("attention_window_size", 2048)
              .takes("conv1d_width", 4)
              .pattern(StateArchitectures::repeatedBlocks)
              .aside(
                  "logits_soft_cap",
                  "final_w_init_variance_scale",
                  "block_types",
                  "_block_types",
                  "w_init_variance_scale"),
          pure("Mamba", "mamba falcon_mamba mamba1")
              .layer("state", StateMixers.mamba("expand", "state_size", "conv_kernel"))
              .takes("expand", 2)
              .takes("state_size", 16)
              .takes("conv_kernel", 4)
              .reads("hidden_size", "hidden_size", "d_model"),
          pure("Mamba-2", "mamba2")
              .layer(
                  "state",
                  StateMixers.mamba2(
                      "num_heads", "head_dim", "n_groups", "state_size", "conv_kernel"))
              .takes("n_groups", 8)
              .takes("state_size", 128)
              .takes("conv_kernel", 4),
          pure("RWKV", "rwkv rwkv5 rwkv6 rwkv6qwen2 rwkv7"),
          pure("xLSTM", "xlstm"));

  private StateArchitectures() {}

  /** A decoder with Mamba layers beside those with attention; the numbers of its class. */
  private static Architecture mamba(String title, String types) {
    return of(title, types)
        .listedIn("layer_types", "layers_block_type")
        .takes("mamba_expand", 2)
        .takes("mamba_d_conv", 4)
        .takes("mamba_n_groups", 1)
        .aside("mamba_*", "ssm_*", "expert_layer_*");
  }

  private static Architecture delta(String title, String types) {
    return of(title, types)
        .layer(LINEAR, StateMixers.gatedDelta())
        .takes("linear_conv_kernel_dim", 4)
        .aside("linear_*", "mlp_only_layers");
  }

  /** A decoder without any attention; the reader says that it has no cache. */
  private static Architecture pure(String title, String types) {
    return of(title, types)
        .listedIn()
        .layer("state", Mixers.NOTHING)
        .pattern(LayerPattern.all("state"))
        .aside("*");
  }

  private static List<String> jamba(ModelKeys keys) {
    int period = keys.count("attn_layer_period");
    int offset = keys.count("attn_layer_offset", 0);
    return LayerPattern.kinds(
        keys, layer -> layer % period == offset % period ? "attention" : "mamba");
  }

  private static List<String> zamba(ModelKeys keys) {
    int period = keys.count("attn_layer_period");
    int offset = keys.count("attn_layer_offset", 0);
    return LayerPattern.kinds(
        keys,
        layer -> {
          boolean hybrid = layer < 3 ? layer == 2 : (layer - 3) % period == offset % period;
          return hybrid ? "hybrid" : "mamba";
        });
  }

  private static List<String> zamba2(ModelKeys keys) {
    return LayerPattern.listed("hybrid_layer_ids", "hybrid", "mamba").of(keys);
  }

  /** Attention of twice the hidden size: the embeddings stand beside the hidden state. */
  private static LayerCache zambaHeads(ModelKeys keys, int layer) {
    int heads = keys.heads(layer);
    int width = keys.count("attention_head_dim", 0);
    width = width > 0 ? width : 2 * keys.hiddenSize() / heads;
    return LayerCache.of(
        Mixers.checked(
            keys, layer, new Kept.Heads(heads, keys.kvHeads(layer), width, width, Span.ALL)));
  }

  private static LayerCache zamba2Mamba(ModelKeys keys, int layer) {
    return StateMixers.mamba2(
            "n_mamba_heads", "mamba_headdim", "mamba_ngroups", "mamba_d_state", "mamba_d_conv")
        .of(keys, layer);
  }

  private static LayerCache nemotronMamba(ModelKeys keys, int layer) {
    return StateMixers.mamba2(
            "mamba_num_heads", "mamba_head_dim", "n_groups", "ssm_state_size", "conv_kernel")
        .of(keys, layer);
  }

  private static LayerCache falconH1(ModelKeys keys, int layer) {
    return MAMBA_2.of(keys, layer);
  }

  /**
   * SambaY: Mamba and windows by turns in the first half, one full layer after it, and then layers
   * that read that one's rows, by turns with units that keep nothing.
   */
  private static List<String> sambaY(ModelKeys keys) {
    int middle = keys.layers() / 2;
    if (keys.count("mb_per_layer", 2) != 2 || keys.layers() % 4 != 0) {
      throw keys.refused(
          "mb_per_layer is %d for %d layers, and only 2 and a multiple of 4 layers are known",
          keys.count("mb_per_layer", 2), keys.layers());
    }
    return LayerPattern.kinds(
        keys,
        layer -> {
          boolean first = layer <= middle + 1;
          if (layer % 2 == 0) {
            return first ? "mamba" : "shared";
          }
          return !first ? "cross" : layer == middle + 1 ? FULL : "sliding_attention";
        });
  }

  private static List<String> plamo2(ModelKeys keys) {
    int step = Math.max(2, keys.positive("mamba_step", 2));
    boolean mamba = keys.flag("mamba_enabled", true);
    JsonFields json = keys.json();
    List<Integer> full =
        json.has("full_attention_idx")
            ? json.counts("full_attention_idx", 0, keys.layers() - 1)
            : List.of();
    return LayerPattern.kinds(
        keys,
        layer -> {
          boolean attention =
              !mamba
                  || (keys.layers() <= step / 2
                      ? layer == keys.layers() - 1
                      : layer % step == step / 2);
          return !attention ? "mamba" : full.contains(layer) ? FULL : "sliding_attention";
        });
  }

  /** Kimi Linear counts layers from 1. */
  private static List<String> kimiLinear(ModelKeys keys) {
    JsonFields own = keys.json().object("linear_attn_config");
    if (own == null) {
      throw keys.missing("linear_attn_config");
    }
    own.understood("gate_lower_bound", "safe_gate");
    List<Integer> full = own.counts("full_attn_layers", 1, keys.layers());
    List<Integer> linear = own.counts("kda_layers", 1, keys.layers());
    return LayerPattern.kinds(
        keys,
        layer -> {
          boolean isFull = full.contains(layer + 1);
          if (isFull == linear.contains(layer + 1)) {
            throw keys.refused(
                "linear_attn_config puts layer %d, counted from 1, into %s of full_attn_layers and"
                    + " kda_layers",
                layer + 1, isFull ? "both" : "neither");
          }
          return isFull ? FULL : LINEAR;
        });
  }

  private static List<String> miniMax(ModelKeys keys) {
    boolean listed = keys.json().has("attn_type_list");
    return (listed
            ? LayerPattern.coded("attn_type_list", Map.of(0, LINEAR, 1, FULL))
            : LayerPattern.mustBeListed())
        .of(keys);
  }

  private static List<String> ring(ModelKeys keys) {
    int group = keys.count("layer_group_size");
    int groups = keys.layers() / group * group;
    return LayerPattern.kinds(
        keys, layer -> (layer + 1) % group == 0 || layer >= groups ? FULL : LINEAR);
  }

  /** RecurrentGemma writes one round of kinds, which goes on to the last layer. */
  private static List<String> repeatedBlocks(ModelKeys keys) {
    String key = keys.json().has("_block_types") ? "_block_types" : "block_types";
    List<String> round =
        keys.json().has(key)
            ? new ArrayList<>(keys.json().texts(key))
            : List.of("recurrent", "recurrent", "attention");
    if (round.isEmpty()) {
      throw keys.refused("%s is empty", key);
    }
    return LayerPattern.kinds(keys, layer -> round.get(layer % round.size()));
  }
}
