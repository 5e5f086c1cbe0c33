package io.gatun.tools.config;

import static io.gatun.tools.config.Architecture.of;

import com.fasterxml.jackson.databind.JsonNode;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;

/** Decoders with latent attention, and those that keep compressed rows. */
final class LatentArchitectures {
  private static final String FULL = "full_attention";

  static final List<Architecture> ALL =
      List.of(
          of("DeepSeek-V2 (latent attention)", "deepseek_v2 deepseek_vl_v2 deepseek-ocr")
              .layer(FULL, Mixers.latentIfAny())
              .aside("use_mla"),
          of(
                  "DeepSeek-V3 (latent attention)",
                  "deepseek_v3 kimi_k2 kimi_k25 axk1 youtu youtu_llm mistral4 glm4_moe_lite"
                      + " deepseek_mtp")
              .layer(FULL, Mixers.latent())
              .aside("num_key_value_heads"),
          of("DeepSeek-V3.2 (latent attention with an indexer)", "deepseek_v32 axk2")
              .takes("index_head_dim", 128)
              .layer("full_attention indexed_attention", Mixers.latent()),
          of("GLM-5 (latent attention with an indexer)", "glm_moe_dsa")
              .takes("index_head_dim", 128)
              .layer("full_attention indexed_attention", LatentArchitectures::glm5),
          of("MiniCPM3 (latent attention)", "minicpm3").layer(FULL, Mixers.latent()),
          of("PLM (latent attention)", "plm").layer(FULL, Mixers.latent()),
          of("LongCat-Flash (two latent attentions in a layer)", "longcat_flash")
              .layer(FULL, Mixers.both(Mixers.latent(), Mixers.latent()))
              .aside("attention_method", "zero_expert_*", "mla_scale_*"),
          of("DeepSeek-V4 (compressed rows)", "deepseek_v4")
              .takes("num_key_value_heads", 1)
              .takes("head_dim", 512)
              .takes("sliding_window", 128)
              .takes("index_head_dim", 128)
              .layer("sliding_attention", LatentArchitectures::shared)
              .layer(
                  "compressed_sparse_attention", compressed("compressed_sparse_attention", 4, true))
              .layer(
                  "heavily_compressed_attention",
                  compressed("heavily_compressed_attention", 128, false))
              .pattern(LatentArchitectures::deepSeekV4)
              .aside(
                  "compress_rope_theta",
                  "qk_rope_head_dim",
                  "index_n_heads",
                  "index_topk",
                  "num_hash_layers",
                  "hc_*",
                  "partial_rotary_factor",
                  "q_lora_rank")
              .note(
                  "Note: rows that wait for their group of tokens to be complete come on top, less"
                      + " than one group for\neach layer."));

  private LatentArchitectures() {}

  /** Only layers with an indexer of their own keep its keys; the others take over its choice. */
  private static LayerCache glm5(ModelKeys keys, int layer) {
    LayerCache own = Mixers.latent().of(keys, layer);
    if (ownIndexer(keys, layer)) {
      return own;
    }
    List<Kept> kept = new ArrayList<>(own.kept());
    kept.removeIf(Kept.IndexKeys.class::isInstance);
    return new LayerCache(kept);
  }

  private static boolean ownIndexer(ModelKeys keys, int layer) {
    JsonFields json = keys.json();
    int every = Math.max(keys.count("index_topk_freq", 1), 1);
    int skipped = keys.count("index_skip_topk_offset", 2);
    if (json.has("indexer_types")) {
      List<String> types = json.texts("indexer_types");
      if (types.size() != keys.layers()) {
        throw keys.refused(
            "indexer_types has %d entries for %d layers", types.size(), keys.layers());
      }
      return types.get(layer).equals("full");
    }
    if (json.has("index_topk_pattern")) {
      JsonNode pattern = json.get("index_topk_pattern");
      if (!pattern.isTextual() || pattern.textValue().length() != keys.layers()) {
        throw keys.refused(
            "index_topk_pattern is %s, not a letter for each of %d layers", pattern, keys.layers());
      }
      return pattern.textValue().charAt(layer) == 'F';
    }
    return Math.max(layer - skipped + 1, 0) % every == 0;
  }

  /** One row that serves as key and as value, of the tokens of a window. */
  private static LayerCache shared(ModelKeys keys, int layer) {
    if (keys.kvHeads(layer) != 1) {
      throw keys.refused(
          "num_key_value_heads is %d, and DeepSeek-V4 has one row for all heads",
          keys.kvHeads(layer));
    }
    return LayerCache.of(row(keys, layer, Span.window(keys.count("sliding_window"))));
  }

  private static Kept row(ModelKeys keys, int layer, Span span) {
    int width = keys.headDim(layer, keys.heads(layer));
    return new Kept.Latent(keys.heads(layer), width, 0, width, width, span);
  }

  /** The window, and beside it one row for each group of tokens. */
  private static Mixer compressed(String kind, int usual, boolean indexed) {
    return (keys, layer) -> {
      JsonFields rates = keys.json().object("compress_rates");
      int group = rates == null ? usual : rates.count(kind, 1, 1 << 20, usual);
      List<Kept> kept = new ArrayList<>(shared(keys, layer).kept());
      kept.add(row(keys, layer, Span.every(group)));
      if (indexed) {
        kept.add(new Kept.IndexKeys(keys.count("index_head_dim"), Span.every(group)));
      }
      return new LayerCache(kept);
    };
  }

  /** A ratio for each layer; further ones are those of layers that draft tokens. */
  private static List<String> deepSeekV4(ModelKeys keys) {
    return LayerPattern.coded(
            "compress_ratios",
            Map.of(
                0, "sliding_attention",
                1, "sliding_attention",
                4, "compressed_sparse_attention",
                128, "heavily_compressed_attention"))
        .of(keys);
  }
}
