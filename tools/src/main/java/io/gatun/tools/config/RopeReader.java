package io.gatun.tools.config;

import com.fasterxml.jackson.databind.JsonNode;
import io.gatun.attention.RopeConfig;
import io.gatun.cache.GatunException;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Set;

/**
 * Reads the rotary embedding of a {@code config.json}. Older files have {@code rope_theta} and
 * {@code rope_scaling}, newer ones both in {@code rope_parameters}. What stands in two places must
 * be the same: which one counts depends on the version of the reader, so a difference is refused.
 *
 * <p>The angles of types {@code dynamic} and {@code longrope} depend on the length of the text.
 * Those of a cache cannot change once keys stand in it, so the length is chosen when the model is
 * read.
 */
final class RopeReader {
  /** Keys that mean nothing to the angles, or that every type may have. */
  private static final Set<String> ANY =
      Set.of(
          "rope_type",
          "type",
          "rope_theta",
          "partial_rotary_factor",
          "original_max_position_embeddings",
          "finetuned");

  /** The further keys of each type. */
  private static final Map<String, Set<String>> KEYS =
      Map.of(
          "default", Set.of("factor"),
          "linear", Set.of("factor"),
          "dynamic", Set.of("factor"),
          "llama3", Set.of("factor", "low_freq_factor", "high_freq_factor"),
          "yarn",
              Set.of(
                  "factor",
                  "attention_factor",
                  "beta_fast",
                  "beta_slow",
                  "mscale",
                  "mscale_all_dim",
                  "truncate"),
          "longrope", Set.of("factor", "attention_factor", "short_factor", "long_factor"));

  private final JsonFields json;
  private final String type;
  private final int maxPositions;
  private final long length;
  private TrainedLength positions;
  private boolean dependsOnLength;

  RopeReader(JsonFields json, String type, int maxPositions, long length) {
    this.json = json;
    this.type = type;
    this.maxPositions = maxPositions;
    this.length = length;
    this.positions = TrainedLength.of(maxPositions);
  }

  /** The length of the training, after the scaling that was read last. */
  TrainedLength positions() {
    return positions;
  }

  /**
   * Ends the reading of a model whose angles are the same for every length, where one was given.
   *
   * @throws GatunException if a length was given and no angle depends on it
   */
  void checkLengthIsOfUse() {
    if (length > 0 && !dependsOnLength) {
      throw new GatunException(
          "--rope-length is %d, and the angles of this model do not depend on the length of the text; leave it out"
              .formatted(length));
    }
  }

  /** The one embedding of all layers, which turns whole rows. */
  RopeConfig whole(int dim, double defaultTheta) {
    JsonFields section = section();
    double share = agreed("partial_rotary_factor", section, 1);
    if (share != 1) {
      throw new GatunException(
          "%s: partial_rotary_factor is %s, and models of type %s rotate whole heads"
              .formatted(json.where(), share, type));
    }
    return of(section, dim, dim, agreed("rope_theta", section, defaultTheta));
  }

  /** The one embedding of all layers, of which a front share of each row may turn. */
  RopeConfig partial(int dim, double defaultTheta) {
    JsonFields section = section();
    int rotary = (int) (dim * agreed("partial_rotary_factor", section, 1));
    return of(section, dim, rotary, agreed("rope_theta", section, defaultTheta));
  }

  /** The scaling section of an embedding for all layers; null if there is none. */
  JsonFields section() {
    JsonFields section = either();
    if (section != null && (section.has("full_attention") || section.has("sliding_attention"))) {
      throw new GatunException(
          "%s differ by layer type, and models of type %s have one rotary embedding for all layers"
              .formatted(section.where(), type));
    }
    return section;
  }

  /** rope_parameters or rope_scaling, whichever is there. */
  private JsonFields either() {
    JsonFields parameters = json.object("rope_parameters");
    JsonFields scaling = json.object("rope_scaling");
    if (parameters != null && scaling != null) {
      JsonNode one = json.get("rope_parameters");
      JsonNode other = json.get("rope_scaling");
      if (!one.equals(other)) {
        throw new GatunException(
            "%s: rope_scaling is %s and rope_parameters is %s; remove the one that is not of this model"
                .formatted(json.where(), other, one));
      }
    }
    return parameters != null ? parameters : scaling;
  }

  /** Gemma 3's two embeddings: of one layer type, in the newer form or the older one. */
  RopeConfig ofLayerType(String layerType, int dim, String olderTheta, double defaultTheta) {
    JsonFields parameters = json.object("rope_parameters");
    boolean full = layerType.equals("full_attention");
    if (parameters != null) {
      JsonFields own = parameters.object(layerType);
      if (own == null) {
        throw new GatunException(
            "%s has no %s, and models of type %s have a rotary embedding for each layer type"
                .formatted(parameters.where(), layerType, type));
      }
      if (full && json.has("rope_scaling")) {
        either();
      }
      double inner = own.positive("rope_theta", defaultTheta);
      double outer = json.positive(olderTheta, inner);
      if (inner != outer) {
        throw different(olderTheta, outer, inner, own.where());
      }
      return of(own, dim, dim, inner);
    }
    JsonFields scaling = full ? json.object("rope_scaling") : null;
    double theta =
        scaling == null
            ? json.positive(olderTheta, defaultTheta)
            : agreed(olderTheta, scaling, defaultTheta);
    return of(scaling, dim, dim, theta);
  }

  /** A number that may stand in the section, or beside it; the same where it stands in both. */
  private double agreed(String name, JsonFields section, double otherwise) {
    if (section == null || !section.has(name)) {
      return json.positive(name, otherwise);
    }
    double inner = section.positive(name);
    double outer = json.positive(name, inner);
    if (inner != outer) {
      throw different(name, outer, inner, section.where());
    }
    return inner;
  }

  private GatunException different(String name, double outer, double inner, String where) {
    return new GatunException(
        "%s: %s is %s, and %s in %s; keep the one that is of this model"
            .formatted(
                json.where(), name, outer, inner, where.substring(where.lastIndexOf(' ') + 1)));
  }

  private RopeConfig of(JsonFields section, int dim, int rotary, double theta) {
    try {
      RopeConfig rope = RopeConfig.of(dim, theta).withRotaryDim(rotary);
      return section == null ? rope : rope.withScaling(scaling(section));
    } catch (IllegalArgumentException e) {
      String where = section == null ? json.where() : section.where();
      throw new GatunException("%s: %s".formatted(where, e.getMessage()), e);
    }
  }

  private RopeConfig.Scaling scaling(JsonFields section) {
    String kind = kind(section);
    Set<String> known = KEYS.get(kind);
    if (known == null) {
      throw new GatunException(
          "%s: rope type '%s' is not one that Gatun computes (default, linear, dynamic, yarn, longrope, llama3)"
              .formatted(section.where(), kind));
    }
    for (String key : section.names()) {
      if (section.has(key) && !known.contains(key) && !ANY.contains(key)) {
        throw new GatunException(
            "%s: %s is %s, and Gatun does not know what it means for rope type '%s'"
                .formatted(section.where(), key, section.get(key), kind));
      }
    }
    return switch (kind) {
      case "default" -> new RopeConfig.None();
      case "linear" -> new RopeConfig.Linear(section.positive("factor"));
      case "dynamic" -> dynamic(section);
      case "llama3" ->
          new RopeConfig.Llama3(
              section.positive("factor"),
              section.positive("low_freq_factor"),
              section.positive("high_freq_factor"),
              original(section));
      case "yarn" -> yarn(section);
      default -> longRope(section);
    };
  }

  private String kind(JsonFields section) {
    String newer = section.text("rope_type", null);
    String older = section.text("type", null);
    if (newer != null && older != null && !newer.equals(older)) {
      throw new GatunException(
          "%s: rope_type is '%s' and type is '%s'; keep the one that is of this model"
              .formatted(section.where(), newer, older));
    }
    String kind = newer != null ? newer : older != null ? older : "default";
    // The name that Phi-3's first files have for it.
    return kind.equals("su") ? "longrope" : kind;
  }

  /** Positions of the first training: beside the section or in it; else the length of the model. */
  private int original(JsonFields section) {
    String name = "original_max_position_embeddings";
    int inner = section.count(name, 1, Integer.MAX_VALUE, 0);
    int outer = json.count(name, 1, Integer.MAX_VALUE, 0);
    if (inner > 0 && outer > 0 && inner != outer) {
      throw different(name, outer, inner, section.where());
    }
    int original = inner > 0 ? inner : outer > 0 ? outer : maxPositions;
    if (original == 0) {
      throw new GatunException(
          "%s has no %s, and there is no max_position_embeddings either"
              .formatted(section.where(), name));
    }
    return original;
  }

  private RopeConfig.Scaling dynamic(JsonFields section) {
    dependsOnLength = true;
    double factor = section.positive("factor");
    if (maxPositions == 0) {
      throw new GatunException(
          "%s has no max_position_embeddings, which rope type 'dynamic' needs"
              .formatted(json.where()));
    }
    long most = (long) (factor * maxPositions);
    long own = Math.max(maxPositions, length);
    positions =
        own == maxPositions
            ? new TrainedLength(
                maxPositions, "max_position_embeddings, without stretched angles", most)
            : new TrainedLength(
                Math.min(own, most), "rope factor %s, --rope-length %d".formatted(factor, own), 0);
    return new RopeConfig.Dynamic(factor, maxPositions, own);
  }

  private RopeConfig.Scaling yarn(JsonFields section) {
    int original = original(section);
    double factor =
        section.has("factor") ? section.positive("factor") : (double) maxPositions / original;
    long scaled = (long) (factor * original);
    if (scaled > maxPositions) {
      positions = new TrainedLength(scaled, "rope factor %s on %d".formatted(factor, original), 0);
    }
    return new RopeConfig.Yarn(
        factor,
        original,
        section.positive("beta_fast", 32),
        section.positive("beta_slow", 1),
        section.flag("truncate", true),
        yarnAttentionFactor(section, factor));
  }

  private static double yarnAttentionFactor(JsonFields section, double factor) {
    if (section.has("attention_factor")) {
      return section.positive("attention_factor");
    }
    double mscale = weight(section, "mscale");
    double allDim = weight(section, "mscale_all_dim");
    return mscale != 0 && allDim != 0
        ? RopeConfig.Yarn.magnitude(factor, mscale) / RopeConfig.Yarn.magnitude(factor, allDim)
        : RopeConfig.Yarn.recommendedAttentionFactor(factor);
  }

  /** A number that is 0 where there is none. */
  private static double weight(JsonFields section, String name) {
    JsonNode node = section.get(name);
    return node != null && node.isNumber() && node.doubleValue() == 0
        ? 0
        : section.positive(name, 0);
  }

  /** DeepSeek's factor of the scores: the square of yarn's magnitude with its second weight. */
  double scoreFactor() {
    JsonFields section = either();
    if (section == null || kind(section).equals("default")) {
      return 1;
    }
    double allDim = weight(section, "mscale_all_dim");
    double magnitude =
        allDim == 0 ? 1 : RopeConfig.Yarn.magnitude(section.positive("factor"), allDim);
    return magnitude * magnitude;
  }

  private RopeConfig.Scaling longRope(JsonFields section) {
    dependsOnLength = true;
    int original = original(section);
    double stretch =
        section.has("factor") ? section.positive("factor") : (double) maxPositions / original;
    double attention =
        section.has("attention_factor")
            ? section.positive("attention_factor")
            : RopeConfig.LongRope.recommendedAttentionFactor(stretch, original);
    List<Double> shorter = numbers(section, "short_factor");
    List<Double> longer = numbers(section, "long_factor");
    boolean isLong = length > original;
    if (!isLong && original < maxPositions) {
      positions =
          new TrainedLength(
              original,
              "original_max_position_embeddings, with the angles for short texts",
              maxPositions);
    }
    return new RopeConfig.LongRope(isLong ? longer : shorter, attention);
  }

  private static List<Double> numbers(JsonFields section, String name) {
    JsonNode node = section.get(name);
    if (node == null) {
      throw new GatunException("%s has no %s".formatted(section.where(), name));
    }
    List<Double> numbers = new ArrayList<>();
    for (JsonNode element : node) {
      if (!element.isNumber()) {
        throw section.wrong(name, node, "a list of numbers");
      }
      numbers.add(element.doubleValue());
    }
    return numbers;
  }
}
