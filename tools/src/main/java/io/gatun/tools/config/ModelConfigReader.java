package io.gatun.tools.config;

import io.gatun.attention.RopeConfig;
import io.gatun.cache.GatunException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;

/**
 * Reads {@code config.json} and {@code generation_config.json} as Hugging Face writes them, older
 * and newer forms. What is absent has the default of the model type there; what Gatun does not
 * compute is refused, never left out.
 */
public final class ModelConfigReader {
  /** The model types that Gatun runs. */
  public static final List<String> MODEL_TYPES = List.of("llama", "mistral", "qwen2", "qwen3");

  private static final int MAX_DIM = 1 << 20;
  private static final int MAX_VOCAB = 1 << 24;

  private final JsonFields json;
  private final String type;

  private ModelConfigReader(JsonFields json, String type) {
    this.json = json;
    this.type = type;
  }

  /**
   * The configuration of a model folder.
   *
   * @throws GatunException if a file is missing or wrong, or asks for what Gatun does not compute;
   *     the message names the field, what was found and what is possible
   */
  public static ModelConfig read(Path folder) {
    JsonFields json = JsonFields.read(folder.resolve("config.json"));
    String type = json.text("model_type", null);
    if (type == null || !MODEL_TYPES.contains(type)) {
      throw new GatunException(
          "%s: model_type is %s, and Gatun runs %s"
              .formatted(
                  json.where(),
                  type == null ? "not given" : "'" + type + "'",
                  String.join(", ", MODEL_TYPES)));
    }
    return new ModelConfigReader(json, type).config(folder);
  }

  private ModelConfig config(Path folder) {
    refuseWhatIsNotComputed();
    int hiddenSize = json.count("hidden_size", 1, MAX_DIM);
    int intermediateSize = json.count("intermediate_size", 1, MAX_DIM);
    int vocabSize = json.count("vocab_size", 1, MAX_VOCAB);
    ModelCache cache =
        ModelCacheReader.read(json, folder.toAbsolutePath().getFileName().toString());
    Kept.Heads heads = cache.heads();
    int headDim = headDim(heads);
    int maxPositions = json.count("max_position_embeddings", 1, Integer.MAX_VALUE, 0);
    boolean attentionBias = json.flag("attention_bias", false);
    return new ModelConfig(
        type,
        cache.layers().size(),
        hiddenSize,
        intermediateSize,
        vocabSize,
        heads.queryHeads(),
        heads.kvHeads(),
        headDim,
        json.positive("rms_norm_eps", 1e-6),
        rope(headDim, maxPositions),
        is("qwen2") || (attentionBias && !is("mistral")),
        attentionBias && (is("llama") || is("qwen3")),
        is("llama") && json.flag("mlp_bias", false),
        is("qwen3"),
        json.flag("tie_word_embeddings", false),
        windows(cache),
        maxPositions,
        eosIds(folder, vocabSize));
  }

  private boolean is(String other) {
    return type.equals(other);
  }

  private void refuseWhatIsNotComputed() {
    JsonFields quantization = json.object("quantization_config");
    if (quantization != null) {
      throw new GatunException(
          ("%s: the checkpoint is quantized (quant_method %s), and Gatun computes"
                  + " with F32, F16 and BF16 weights; use the model's unquantized"
                  + " checkpoint")
              .formatted(json.where(), quantization.text("quant_method", "not given")));
    }
    String activation = json.text("hidden_act", "silu");
    if (!activation.equals("silu") && !activation.equals("swish")) {
      throw new GatunException(
          "%s: hidden_act is '%s', and Gatun computes silu".formatted(json.where(), activation));
    }
  }

  private int headDim(Kept.Heads heads) {
    if (heads.keyDim() % 2 != 0) {
      throw new GatunException(
          "%s: heads are %d wide, and a rotary embedding needs an even width"
              .formatted(json.where(), heads.keyDim()));
    }
    return heads.keyDim();
  }

  /** Older files have rope_theta and rope_scaling, newer ones both in rope_parameters. */
  private RopeConfig rope(int headDim, int maxPositions) {
    JsonFields parameters = json.object("rope_parameters");
    JsonFields scaling = parameters != null ? parameters : json.object("rope_scaling");
    double theta = json.positive("rope_theta", 10_000);
    double rotaryShare = json.positive("partial_rotary_factor", 1);
    if (parameters != null) {
      if (parameters.has("full_attention") || parameters.has("sliding_attention")) {
        throw new GatunException(
            "%s differ by layer type, and Gatun computes one rotary embedding for all layers"
                .formatted(parameters.where()));
      }
      theta = parameters.positive("rope_theta", theta);
      rotaryShare = parameters.positive("partial_rotary_factor", rotaryShare);
    }
    if (rotaryShare != 1) {
      throw new GatunException(
          "%s: partial_rotary_factor is %s, and models of type %s rotate whole heads"
              .formatted(json.where(), rotaryShare, type));
    }
    RopeConfig rope = RopeConfig.of(headDim, theta);
    return scaling == null ? rope : rope.withScaling(scaling(scaling, maxPositions));
  }

  private RopeConfig.Scaling scaling(JsonFields scaling, int maxPositions) {
    String kind = scaling.text("rope_type", scaling.text("type", "default"));
    try {
      return switch (kind) {
        case "default" -> new RopeConfig.None();
        case "linear" -> new RopeConfig.Linear(scaling.positive("factor"));
        case "llama3" ->
            new RopeConfig.Llama3(
                scaling.positive("factor"),
                scaling.positive("low_freq_factor"),
                scaling.positive("high_freq_factor"),
                scaling.count(
                    "original_max_position_embeddings", 1, Integer.MAX_VALUE, maxPositions));
        default ->
            throw new GatunException(
                "%s: rope type '%s' is not one that Gatun computes (default, linear, llama3)"
                    .formatted(scaling.where(), kind));
      };
    } catch (IllegalArgumentException e) {
      throw new GatunException("%s: %s".formatted(scaling.where(), e.getMessage()), e);
    }
  }

  /** The window of each layer, 0 for all tokens; what the layers keep was read before. */
  private List<Integer> windows(ModelCache cache) {
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

  /** The ids of generation_config.json count; those of config.json are the older place. */
  private List<Integer> eosIds(Path folder, int vocabSize) {
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
