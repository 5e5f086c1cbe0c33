package io.gatun.tools.config;

import io.gatun.cache.GatunException;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.function.IntSupplier;

/**
 * The numbers of a {@code config.json} as one architecture means them: several families write the
 * same number under different names, and leave out what equals the default of their class.
 */
final class ModelKeys {
  private static final int MAX = 1 << 24;
  private static final int MAX_LAYERS = 1 << 16;

  /** The names of each number, besides its first one. */
  private static final Map<String, List<String>> NAMES =
      Map.of(
          "num_hidden_layers", List.of("n_layer", "n_layers", "num_layers"),
          "hidden_size", List.of("n_embd", "n_embed", "d_model"),
          "num_attention_heads", List.of("n_head", "n_heads", "num_heads"),
          "num_key_value_heads", List.of("num_kv_heads", "n_head_kv", "n_kv_heads"),
          "head_dim", List.of("kv_channels", "attention_head_dim", "hidden_size_per_head"),
          "max_position_embeddings",
              List.of(
                  "n_positions",
                  "n_ctx",
                  "seq_length",
                  "max_seq_len",
                  "max_sequence_length",
                  "model_max_length",
                  "max_target_positions",
                  "context_length"));

  private final JsonFields json;
  private final Architecture architecture;

  ModelKeys(JsonFields json, Architecture architecture) {
    this.json = json;
    this.architecture = architecture;
  }

  /** The fields themselves. */
  JsonFields json() {
    return json;
  }

  /** Whether a number is written down under one of its names. */
  boolean has(String key) {
    return names(key).stream().anyMatch(json::has);
  }

  /** A number that must be written down, or have a default in this architecture. */
  int count(String key) {
    Integer value = find(key, 1);
    if (value == null) {
      throw missing(key);
    }
    return value;
  }

  /** A number, or what stands for it where it is not written down. */
  int count(String key, int otherwise) {
    Integer value = find(key, 0);
    return value == null ? otherwise : value;
  }

  /** A number from 1, or what stands for it where it is not written down. */
  int positive(String key, int otherwise) {
    Integer value = find(key, 1);
    return value == null ? otherwise : value;
  }

  /** Whether a switch is on. */
  boolean flag(String key, boolean otherwise) {
    return json.flag(key, otherwise);
  }

  private Integer find(String key, int min) {
    Integer found = null;
    String foundName = null;
    boolean written = false;
    for (String name : names(key)) {
      written |= json.mentions(name);
      if (!json.has(name)) {
        continue;
      }
      int value = json.count(name, min, MAX);
      if (found != null && found != value && !firstNameCounts(key)) {
        throw new GatunException(
            "%s: %s is %d and %s is %d, two names of the same number; correct one of them"
                .formatted(json.where(), foundName, found, name, value));
      }
      if (found == null) {
        found = value;
        foundName = name;
      }
    }
    // A null that is written down is not a default: it means that there is none.
    return found == null && !written ? architecture.defaultOf(key) : found;
  }

  /** How long a model was trained for is said in several ways that mean different things. */
  private boolean firstNameCounts(String key) {
    return architecture.firstNameCounts(key) || key.equals("max_position_embeddings");
  }

  private List<String> names(String key) {
    List<String> own = architecture.namesOf(key);
    if (own != null) {
      return own;
    }
    List<String> names = new ArrayList<>(List.of(key));
    names.addAll(NAMES.getOrDefault(key, List.of()));
    return names;
  }

  GatunException missing(String key) {
    return new GatunException(
        "%s has no %s, which sizes the cache of %s; add it, or give `gatun plan` the shape by hand with %s"
            .formatted(
                json.where(),
                String.join(" or ", names(key)),
                architecture.title(),
                KeyWatch.BY_HAND));
  }

  GatunException refused(String format, Object... values) {
    return new GatunException(
        "%s: %s; give `gatun plan` the shape by hand with %s"
            .formatted(json.where(), format.formatted(values), KeyWatch.BY_HAND));
  }

  /** Layers, those without K/V included. */
  int layers() {
    int layers = count("num_hidden_layers");
    if (layers > MAX_LAYERS) {
      throw refused("%d layers, and at most %d are possible", layers, MAX_LAYERS);
    }
    return layers;
  }

  /** Width of the residual stream. */
  int hiddenSize() {
    return count("hidden_size");
  }

  /** Query heads of a layer. */
  int heads(int layer) {
    Integer own = override(layer, "num_attention_heads");
    return own != null
        ? own
        : perLayer("num_attention_heads_per_layer", layer, () -> count("num_attention_heads"));
  }

  /** KV heads of a layer; as many as query heads where nothing else is said. */
  int kvHeads(int layer) {
    Integer own = override(layer, "num_key_value_heads");
    return own != null
        ? own
        : perLayer("num_key_value_heads_per_layer", layer, () -> architecture.kvHeads(this));
  }

  /** What a layer says otherwise than the others: {@code {"05": {"head_dim": 512}}}. */
  Integer override(int layer, String key) {
    JsonFields all = json.object("per_layer_config");
    if (all == null) {
      return null;
    }
    for (String name : all.names()) {
      if (name.matches("[0-9]{1,6}") && Integer.parseInt(name) == layer) {
        JsonFields own = all.object(name);
        return own != null && own.has(key) ? own.count(key, 1, MAX) : null;
      }
    }
    return null;
  }

  /** Whether the layers' differences are written layer by layer. */
  boolean hasOverrides() {
    return json.has("per_layer_config");
  }

  private int perLayer(String list, int layer, IntSupplier all) {
    if (!json.has(list)) {
      return all.getAsInt();
    }
    List<Integer> values = json.counts(list, 1, MAX);
    if (values.size() != layers()) {
      throw refused("%s has %d entries for %d layers", list, values.size(), layers());
    }
    return values.get(layer);
  }

  /** Width of a head; the share of the hidden size where nothing else is said. */
  int headDim(int layer, int heads) {
    Integer own = override(layer, "head_dim");
    if (own != null) {
      return own;
    }
    int given = count("head_dim", 0);
    if (given > 0) {
      return given;
    }
    int hidden = hiddenSize();
    if (hidden % heads != 0) {
      throw new GatunException(
          "%s: hidden_size %d is no multiple of %d heads, and head_dim is not given; add it"
              .formatted(json.where(), hidden, heads));
    }
    return hidden / heads;
  }

  /** Tokens of a sliding window; 0 if there is none or it is switched off. */
  int window(String key) {
    if (json.has("use_sliding_window") && !json.flag("use_sliding_window", true)) {
      json.understood(key, "max_window_layers");
      return 0;
    }
    return positive(key, 0);
  }
}
