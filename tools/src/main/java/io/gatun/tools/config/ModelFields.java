package io.gatun.tools.config;

import io.gatun.attention.RopeConfig;
import io.gatun.cache.GatunException;
import io.gatun.tools.config.AttentionForm.Heads;
import io.gatun.tools.config.FeedForward.Activation;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
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
  private final int hiddenSize;
  private final ModelCache cache;

  /**
   * @param ropeLength tokens that angles are made for where they depend on it; 0 for the least
   */
  ModelFields(JsonFields json, Path folder, String type, long ropeLength) {
    this.json = json;
    this.folder = folder;
    this.type = type;
    this.rope = new RopeReader(json, type, maxPositions(), ropeLength);
    this.hiddenSize = width("hidden_size");
    this.cache = ModelCacheReader.read(json, folder.toAbsolutePath().getFileName().toString());
  }

  JsonFields json() {
    return json;
  }

  /** Reads the rotary embedding. */
  RopeReader rope() {
    return rope;
  }

  int layers() {
    return cache.layers().size();
  }

  int hiddenSize() {
    return hiddenSize;
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

  /** Plain heads, alike in all layers. */
  Heads heads() {
    Kept.Heads heads = cache.heads();
    if (heads.keyDim() % 2 != 0) {
      throw new GatunException(
          "%s: heads are %d wide, and a rotary embedding needs an even width"
              .formatted(json.where(), heads.keyDim()));
    }
    return Heads.of(heads.queryHeads(), heads.kvHeads(), heads.keyDim());
  }

  /** What all layers keep, for latent attention. */
  Kept.Latent latent() {
    for (LayerCache layer : cache.layers()) {
      if (!layer.equals(cache.layers().getFirst())) {
        throw new GatunException(
            "%s: layer 0 keeps %s and another one %s, and Gatun computes layers that keep the same"
                .formatted(json.where(), cache.layers().getFirst().kept(), layer.kept()));
      }
    }
    LayerCache first = cache.layers().getFirst();
    if (first.kept().size() == 1 && first.kept().getFirst() instanceof Kept.Latent latent) {
      return latent;
    }
    throw new GatunException(
        "%s: a layer keeps %s, and Gatun computes latent attention alone for this model type"
            .formatted(json.where(), first.kept()));
  }

  /** The window of each layer, 0 for all tokens. */
  List<Integer> windows() {
    List<Integer> windows = new ArrayList<>();
    for (LayerCache layer : cache.layers()) {
      if (layer.kept().size() != 1
          || !(layer.kept().getFirst() instanceof Kept.Heads heads)
          || heads.span().kind() == Span.Kind.CHUNK) {
        throw new GatunException(
            "%s: layer %d keeps %s, and Gatun computes attention to all tokens or to a window"
                .formatted(json.where(), windows.size(), layer.kept()));
      }
      windows.add(Math.toIntExact(heads.span().tokens()));
    }
    return windows;
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
    rope.checkLengthIsOfUse();
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
