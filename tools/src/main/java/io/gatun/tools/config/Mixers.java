package io.gatun.tools.config;

import java.util.ArrayList;
import java.util.List;

/** The kinds of layers that keep rows in a cache. */
final class Mixers {
  /** A layer that keeps nothing: an MLP, experts, or a layer left out. */
  static final Mixer NOTHING = (_, _) -> LayerCache.NOTHING;

  private Mixers() {}

  /** Attention to every token. */
  static Mixer heads() {
    return (keys, layer) -> LayerCache.of(heads(keys, layer, Span.ALL));
  }

  /** Attention to a window, whose width must be given. */
  static Mixer window(String key) {
    return (keys, layer) -> {
      int window = keys.window(key);
      if (window == 0) {
        throw keys.refused(
            "layer_types has sliding_attention in layer %d, but no %s is in use", layer, key);
      }
      return LayerCache.of(heads(keys, layer, Span.window(window)));
    };
  }

  /** Attention to a window if one is given, else to every token. */
  static Mixer windowIfAny(String key) {
    return (keys, layer) -> {
      int window = keys.window(key);
      return LayerCache.of(heads(keys, layer, window == 0 ? Span.ALL : Span.window(window)));
    };
  }

  /** Attention to the chunk that a token is in; to every token if chunks have no width. */
  static Mixer chunks(String key) {
    return (keys, layer) -> {
      int chunk = keys.count(key, 0);
      return LayerCache.of(heads(keys, layer, chunk == 0 ? Span.ALL : Span.chunk(chunk)));
    };
  }

  /** Heads of other numbers and widths than the rest, each as in the rest where not given. */
  static Mixer heads(String heads, String kvHeads, String keyDim, String valueDim, String window) {
    return (keys, layer) -> {
      int query = heads == null ? keys.heads(layer) : keys.positive(heads, keys.heads(layer));
      int kv = kvHeads == null ? keys.kvHeads(layer) : keys.positive(kvHeads, keys.kvHeads(layer));
      int key =
          keyDim == null
              ? keys.headDim(layer, query)
              : keys.positive(keyDim, keys.headDim(layer, query));
      int value =
          valueDim == null ? key : keys.positive(valueDim, keys.positive("v_head_dim", key));
      Span span = window == null ? Span.ALL : Span.window(keys.count(window));
      return LayerCache.of(checked(keys, layer, new Kept.Heads(query, kv, key, value, span)));
    };
  }

  /** One latent row for all heads, with an indexer's key where the config has one. */
  static Mixer latent() {
    return (keys, layer) -> {
      int heads = keys.heads(layer);
      int nope = keys.count("qk_nope_head_dim", 0);
      keys.json().understood("num_key_value_heads", "head_dim", "qk_head_dim", "q_lora_rank");
      int value = keys.count("v_head_dim", 0);
      if (value == 0) {
        value = keys.hiddenSize() / heads;
      }
      List<Kept> kept = new ArrayList<>();
      kept.add(
          new Kept.Latent(
              heads,
              keys.count("kv_lora_rank"),
              keys.count("qk_rope_head_dim"),
              nope == 0 ? value : nope,
              value,
              Span.ALL));
      int index = keys.count("index_head_dim", 0);
      keys.json().understood("index_n_heads", "index_topk");
      if (index > 0) {
        kept.add(new Kept.IndexKeys(index, Span.ALL));
      }
      return new LayerCache(kept);
    };
  }

  /** A latent row if the config has a rank for it, else heads. */
  static Mixer latentIfAny() {
    return (keys, layer) -> {
      boolean latent = keys.flag("use_mla", true) && keys.count("kv_lora_rank", 0) > 0;
      if (!latent) {
        keys.json().understood("qk_rope_head_dim", "qk_nope_head_dim", "v_head_dim", "q_lora_rank");
      }
      return (latent ? latent() : heads()).of(keys, layer);
    };
  }

  /** Keys and values of an encoder or an image, which the layer keeps beside its own. */
  static Mixer cross(String of) {
    return (keys, layer) -> {
      Kept.Heads own = heads(keys, layer, Span.ALL);
      return LayerCache.of(
          new Kept.Cross(of, own.queryHeads(), own.kvHeads(), own.keyDim(), own.valueDim()));
    };
  }

  /** What two mixers of one layer keep together. */
  static Mixer both(Mixer first, Mixer second) {
    return (keys, layer) -> {
      List<Kept> kept = new ArrayList<>(first.of(keys, layer).kept());
      kept.addAll(second.of(keys, layer).kept());
      return new LayerCache(kept);
    };
  }

  private static Kept.Heads heads(ModelKeys keys, int layer, Span span) {
    int heads = keys.heads(layer);
    int width = keys.headDim(layer, heads);
    return checked(keys, layer, new Kept.Heads(heads, keys.kvHeads(layer), width, width, span));
  }

  static Kept.Heads checked(ModelKeys keys, int layer, Kept.Heads heads) {
    if (heads.queryHeads() % heads.kvHeads() != 0) {
      throw keys.refused(
          "layer %d has %d query heads, not a multiple of its %d KV heads",
          layer, heads.queryHeads(), heads.kvHeads());
    }
    return heads;
  }
}
