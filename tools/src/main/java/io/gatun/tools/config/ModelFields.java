package io.gatun.tools.config;

import io.gatun.attention.RopeConfig;
import io.gatun.cache.GatunException;
import io.gatun.tools.config.AttentionForm.Heads;
import io.gatun.tools.config.FeedForward.Activation;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Map;

/** What the families read a {@code config.json} with: the fields that most of them have. */
final class ModelFields {
  private static final int MAX_DIM = 1 << 20;
  private static final int MAX_VOCAB = 1 << 24;
  private static final Map<String, Activation> ACTIVATIONS =
      Map.of(
          "silu", Activation.SILU,
          "swish", Activation.SILU,
          "gelu_pytorch_tanh", Activation.GELU_TANH);

  private final JsonFields json;
  private final Path folder;
  private final String type;
  private final RopeReader rope;

  /**
   * @param ropeLength tokens that angles are made for where they depend on it; 0 for the least
   */
  ModelFields(JsonFields json, Path folder, String type, long ropeLength) {
    this.json = json;
    this.folder = folder;
    this.type = type;
    this.rope = new RopeReader(json, type, maxPositions(), ropeLength);
  }

  JsonFields json() {
    return json;
  }

  /** Reads the rotary embedding. */
  RopeReader rope() {
    return rope;
  }

  int layers() {
    return json.count("num_hidden_layers", 1, 1 << 16);
  }

  int hiddenSize() {
    return json.count("hidden_size", 1, MAX_DIM);
  }

  /** A width that must be there. */
  int width(String name) {
    return json.count(name, 1, MAX_DIM);
  }

  int intermediateSize() {
    return width("intermediate_size");
  }

  int maxPositions() {
    return json.count("max_position_embeddings", 1, Integer.MAX_VALUE, 0);
  }

  /** Plain heads. */
  Heads heads() {
    return heads(0, 0);
  }

  /**
   * Plain heads, with the defaults of the model type.
   *
   * @param kvHeads where the file does not say; 0 for one for each query head
   * @param headDim where the file does not say; 0 for an even share of the hidden size
   */
  Heads heads(int kvHeads, int headDim) {
    int numHeads = json.count("num_attention_heads", 1, 1 << 16);
    int numKvHeads =
        json.count("num_key_value_heads", 1, 1 << 16, kvHeads == 0 ? numHeads : kvHeads);
    if (numHeads % numKvHeads != 0) {
      throw new GatunException(
          "%s: num_attention_heads is %d, not a multiple of num_key_value_heads, %d"
              .formatted(json.where(), numHeads, numKvHeads));
    }
    return Heads.of(numHeads, numKvHeads, headDim(numHeads, headDim));
  }

  private int headDim(int numHeads, int otherwise) {
    int hidden = hiddenSize();
    if (!json.has("head_dim") && otherwise == 0 && hidden % numHeads != 0) {
      throw new GatunException(
          "%s: without head_dim, hidden_size, %d, must be a multiple of num_attention_heads, %d"
              .formatted(json.where(), hidden, numHeads));
    }
    int share = otherwise == 0 ? hidden / numHeads : otherwise;
    int headDim = json.count("head_dim", 2, 1 << 16, Math.max(2, share));
    if (headDim % 2 != 0) {
      throw new GatunException(
          "%s: heads are %d wide, and a rotary embedding needs an even width"
              .formatted(json.where(), headDim));
    }
    return headDim;
  }

  /** The function between the projections, one of those that the family computes. */
  Activation activation(String name, Activation otherwise, Activation... possible) {
    String found = json.text(name, null);
    Activation activation = found == null ? otherwise : ACTIVATIONS.get(found);
    if (activation == null || !List.of(possible).contains(activation)) {
      List<String> names = new ArrayList<>();
      ACTIVATIONS.entrySet().stream()
          .filter(entry -> List.of(possible).contains(entry.getValue()))
          .filter(entry -> !entry.getKey().equals("swish"))
          .forEach(entry -> names.add(entry.getKey()));
      throw new GatunException(
          "%s: %s is '%s', and Gatun computes %s"
              .formatted(json.where(), name, found, String.join(", ", names)));
    }
    return activation;
  }

  /** Refuses an option that is on and not computed. */
  void refuse(String flag, String why) {
    if (json.flag(flag, false)) {
      throw new GatunException("%s: %s is true, and %s".formatted(json.where(), flag, why));
    }
  }

  /** A number that may be null for none; {@code otherwise} where it is not written. */
  double cap(String name, double otherwise) {
    return json.mentions(name) ? json.positive(name, 0) : otherwise;
  }

  /**
   * Windows by {@code layer_types}.
   *
   * @param window tokens of a sliding window; 0 if there is none
   */
  List<Integer> windowsByType(int window) {
    int layers = layers();
    List<String> types = json.texts("layer_types");
    if (types.size() != layers) {
      throw new GatunException(
          "%s: layer_types has %d entries for %d layers"
              .formatted(json.where(), types.size(), layers));
    }
    List<Integer> windows = new ArrayList<>();
    for (String layerType : types) {
      switch (layerType) {
        case "full_attention" -> windows.add(0);
        case "sliding_attention" -> {
          if (window == 0) {
            throw new GatunException(
                "%s: layer_types has sliding_attention, but no sliding_window is in use"
                    .formatted(json.where()));
          }
          windows.add(window);
        }
        default ->
            throw new GatunException(
                "%s: layer type '%s' is not one that Gatun computes (full_attention, sliding_attention)"
                    .formatted(json.where(), layerType));
      }
    }
    return windows;
  }

  /**
   * Windows by {@code layer_types} or, where there is none, by a period.
   *
   * @param window tokens of a sliding window
   * @param period every so manieth layer attends to everything
   */
  List<Integer> windowsByPeriod(int window, int period) {
    if (json.has("layer_types")) {
      return windowsByType(window);
    }
    List<Integer> windows = new ArrayList<>();
    for (int layer = 0; layer < layers(); layer++) {
      windows.add((layer + 1) % period == 0 ? 0 : window);
    }
    return windows;
  }

  /** The same window for all layers; 0 for none. */
  List<Integer> windows(int window) {
    return Collections.nCopies(layers(), window);
  }

  /** The width of a sliding window: {@code otherwise} where none is written, 0 where it is null. */
  int slidingWindow(int otherwise) {
    return json.count(
        "sliding_window", 1, Integer.MAX_VALUE, json.mentions("sliding_window") ? 0 : otherwise);
  }

  /** Layers that are alike but for their windows. */
  static List<LayerForm> layers(List<Integer> windows, RopeConfig rope, FeedForward feedForward) {
    return windows.stream().map(window -> new LayerForm(window, rope, feedForward)).toList();
  }

  /** The description, from its parts. */
  ModelConfig config(
      AttentionForm attention,
      ResidualStream stream,
      List<LayerForm> layers,
      double defaultEps,
      boolean tiedByDefault) {
    int vocab = json.count("vocab_size", 1, MAX_VOCAB);
    return new ModelConfig(
        type,
        hiddenSize(),
        vocab,
        json.positive("rms_norm_eps", defaultEps),
        attention,
        stream,
        layers,
        json.flag("tie_word_embeddings", tiedByDefault),
        rope.positions(),
        eosIds(vocab));
  }

  /** The ids of generation_config.json count; those of config.json are the older place. */
  private List<Integer> eosIds(int vocabSize) {
    Path generation = folder.resolve("generation_config.json");
    if (Files.exists(generation)) {
      List<Integer> ids = JsonFields.read(generation).oneOrMore("eos_token_id", vocabSize - 1);
      if (!ids.isEmpty()) {
        return ids;
      }
    }
    return json.oneOrMore("eos_token_id", vocabSize - 1);
  }
}
