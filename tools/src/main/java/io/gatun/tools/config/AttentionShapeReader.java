package io.gatun.tools.config;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.json.JsonMapper;
import io.gatun.cache.GatunException;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;

/**
 * Reads the attention shape from any Hugging Face {@code config.json}, whether Gatun can run the
 * model or not.
 *
 * <p>Names that families use for the same number are all known ({@code num_hidden_layers}, {@code
 * n_layer}, ...). The language part of a multimodal config is taken from {@code text_config}.
 */
public final class AttentionShapeReader {
  private static final JsonMapper JSON = new JsonMapper();

  private final Path file;
  private final JsonNode config;
  private final String modelType;

  private AttentionShapeReader(Path file, JsonNode config) {
    this.file = file;
    this.config = config;
    this.modelType = config.path("model_type").asText("").toLowerCase(Locale.ROOT);
  }

  /**
   * Reads a file, or the {@code config.json} of a folder.
   *
   * @throws GatunException if it cannot be read or does not say what a cache depends on
   */
  public static AttentionShape read(Path path) {
    Path file = Files.isDirectory(path) ? path.resolve("config.json") : path;
    JsonNode root;
    try {
      root = JSON.readTree(Files.readString(file));
    } catch (JsonProcessingException e) {
      throw new GatunException("%s is not JSON: %s".formatted(file, e.getOriginalMessage()), e);
    } catch (NoSuchFileException e) {
      throw new GatunException("%s does not exist".formatted(file), e);
    } catch (IOException e) {
      throw new GatunException("%s cannot be read: %s".formatted(file, e), e);
    }
    if (!root.isObject()) {
      throw new GatunException("%s is not a JSON object, as a config.json is".formatted(file));
    }
    JsonNode text = root.path("text_config");
    String name = root.path("_name_or_path").asText("");
    return new AttentionShapeReader(file, text.isObject() ? text : root).model(name);
  }

  private AttentionShape model(String nameInConfig) {
    int layers = required("num_hidden_layers", "n_layer", "n_layers", "num_layers");
    int hidden = optional(0, "hidden_size", "n_embd", "d_model");
    int heads = optional(gemma3Default(8), "num_attention_heads", "n_head", "n_heads");
    if (heads == 0) {
      throw missing("num_attention_heads");
    }
    int headDim = optional(gemma3Default(256), "head_dim", "kv_channels");
    AttentionShape.Latent latent = null;
    int keyDim;
    int valueDim;
    int kvHeads;
    if (config.hasNonNull("kv_lora_rank")) {
      latent = new AttentionShape.Latent(required("kv_lora_rank"), required("qk_rope_head_dim"));
      valueDim = optional(headDim, "v_head_dim");
      keyDim = optional(valueDim, "qk_nope_head_dim");
      kvHeads = 1;
    } else {
      keyDim = headDim > 0 ? headDim : derivedHeadDim(hidden, heads);
      valueDim = optional(keyDim, "v_head_dim");
      kvHeads = kvHeads(heads);
    }
    Path folder = file.toAbsolutePath().getParent();
    String name = nameInConfig.isBlank() ? folder.getFileName().toString() : nameInConfig;
    return new AttentionShape(
        name,
        heads,
        kvHeads,
        keyDim,
        valueDim,
        latent,
        windows(layers),
        hidden,
        optional(0, "max_position_embeddings", "n_positions", "n_ctx", "seq_length", "max_seq_len"),
        AttentionShape.Source.CONFIG);
  }

  /** Gemma 3 leaves out of its config what equals the defaults of its class. */
  private int gemma3Default(int value) {
    return modelType.startsWith("gemma3") ? value : 0;
  }

  private int derivedHeadDim(int hidden, int heads) {
    if (hidden == 0) {
      throw new GatunException(
          "%s has neither head_dim nor hidden_size: the width of a head is not known"
              .formatted(file));
    }
    if (hidden % heads != 0) {
      throw new GatunException(
          "%s: hidden_size %d is no multiple of %d heads, and head_dim is not given"
              .formatted(file, hidden, heads));
    }
    return hidden / heads;
  }

  private int kvHeads(int heads) {
    int given = optional(gemma3Default(4), "num_key_value_heads", "num_kv_heads");
    // Falcon writes num_kv_heads for its new decoder only, and otherwise multi_query.
    boolean multiQuery = config.path("multi_query").asBoolean(false);
    if (multiQuery && !config.path("new_decoder_architecture").asBoolean(false)) {
      return 1;
    }
    if (given > 0) {
      return given;
    }
    if (config.path("multi_query_attention").asBoolean(false)) {
      return required("multi_query_group_num");
    }
    JsonNode mpt = config.path("attn_config").path("kv_n_heads");
    return mpt.isInt() ? mpt.intValue() : heads;
  }

  /** One entry for each layer, from whichever of the ways of saying it the config uses. */
  private List<Long> windows(int layers) {
    long window = window();
    List<Long> windows = new ArrayList<>(layers);
    JsonNode types = config.path("layer_types");
    if (types.isArray()) {
      if (types.size() != layers) {
        throw new GatunException(
            "%s: layer_types has %d entries for %d layers".formatted(file, types.size(), layers));
      }
      for (JsonNode type : types) {
        windows.add(ofType(type.asText(), window));
      }
      return windows;
    }
    for (int layer = 0; layer < layers; layer++) {
      windows.add(window > 0 && slides(layer) ? window : AttentionShape.FULL);
    }
    return windows;
  }

  private long ofType(String type, long window) {
    return switch (type) {
      case "full_attention", "attention" -> AttentionShape.FULL;
      case "sliding_attention" -> {
        if (window == 0) {
          throw new GatunException(
              "%s: a layer has sliding_attention, but sliding_window is not given".formatted(file));
        }
        yield window;
      }
      case "chunked_attention" -> required("attention_chunk_size");
      case "linear_attention", "mamba", "conv", "recurrent" -> AttentionShape.NO_KV;
      default ->
          throw new GatunException(
              "%s: the planner does not know how much a layer of type '%s' keeps"
                  .formatted(file, type));
    };
  }

  /** The sliding window, 0 if there is none or it is switched off. */
  private long window() {
    // Qwen's classes leave windows off unless told otherwise; so do none of the others.
    if (!config.path("use_sliding_window").asBoolean(!isQwen())) {
      return 0;
    }
    boolean defaults = modelType.equals("mistral") || isQwen() || modelType.startsWith("gemma3");
    // A field that is not written has the default of the class; a null there means no window.
    return optional(defaults && !config.has("sliding_window") ? 4096 : 0, "sliding_window");
  }

  private boolean isQwen() {
    return modelType.startsWith("qwen2") || modelType.startsWith("qwen3");
  }

  /** Whether a layer slides where no layer_types are given. */
  private boolean slides(int layer) {
    // Qwen2: the layers from max_window_layers on.
    if (isQwen() || config.hasNonNull("max_window_layers")) {
      return layer >= optional(28, "max_window_layers");
    }
    // Gemma 3, Cohere 2: every n-th layer attends to everything.
    int pattern = optional(gemma3Default(6), "sliding_window_pattern", "_sliding_window_pattern");
    if (pattern > 0) {
      return (layer + 1) % pattern != 0;
    }
    // Gemma 2 and gpt-oss alternate and do not say so.
    if (modelType.startsWith("gemma2") || modelType.startsWith("gpt_oss")) {
      return layer % 2 == 0;
    }
    return true;
  }

  private int required(String... names) {
    for (String name : names) {
      if (config.hasNonNull(name)) {
        return number(name);
      }
    }
    throw missing(String.join(", ", names));
  }

  private int optional(int otherwise, String... names) {
    for (String name : names) {
      if (config.hasNonNull(name)) {
        return number(name);
      }
    }
    return otherwise;
  }

  private int number(String name) {
    JsonNode value = config.get(name);
    if (!value.isIntegralNumber() || !value.canConvertToInt() || value.intValue() < 0) {
      throw new GatunException(
          "%s: %s is %s, not a whole number from 0".formatted(file, name, value));
    }
    return value.intValue();
  }

  private GatunException missing(String names) {
    return new GatunException("%s has no %s".formatted(file, names));
  }
}
