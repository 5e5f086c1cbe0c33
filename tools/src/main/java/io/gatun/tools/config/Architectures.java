package io.gatun.tools.config;

import com.fasterxml.jackson.databind.JsonNode;
import io.gatun.cache.GatunException;
import java.util.HashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.stream.Stream;

/**
 * The architectures that the reader knows, by {@code model_type}. The tables stand in {@link
 * PlainArchitectures}, {@link WindowArchitectures}, {@link LatentArchitectures}, {@link
 * StateArchitectures} and {@link CrossArchitectures}.
 */
final class Architectures {
  /** For a decoder that is not in the tables and says nothing but what all decoders say. */
  static final Architecture GENERIC =
      Architecture.of("any decoder", "")
          .layer("sliding_attention", Mixers.window("sliding_window"))
          .note(
              "Note: this model_type is not in Gatun's tables. Its config says nothing that speaks"
                  + " against\nordinary attention in every layer, and that is what is counted.");

  /** Words of a class name that has a decoder's cache. */
  private static final List<String> DECODER_CLASSES =
      List.of("CausalLM", "LMHead", "ConditionalGeneration", "Chat");

  private static final Map<String, Architecture> BY_TYPE = byType();

  private Architectures() {}

  private static Map<String, Architecture> byType() {
    Map<String, Architecture> byType = new HashMap<>();
    Stream.of(
            PlainArchitectures.ALL,
            WindowArchitectures.ALL,
            LatentArchitectures.ALL,
            StateArchitectures.ALL,
            CrossArchitectures.ALL)
        .flatMap(List::stream)
        .forEach(architecture -> {
          for (String type : architecture.modelTypes()) {
            if (byType.put(type, architecture) != null) {
              throw new IllegalStateException("two architectures go by " + type);
            }
          }
        });
    return Map.copyOf(byType);
  }

  /** Every model_type in the tables. */
  static List<String> types() {
    return BY_TYPE.keySet().stream().sorted().toList();
  }

  /**
   * The architecture of a model_type.
   *
   * @throws GatunException if it is an encoder, or if it is not known and does not look like a
   *     decoder
   */
  static Architecture of(String type, JsonFields json, List<JsonFields> around) {
    Architecture known = BY_TYPE.get(type.toLowerCase(Locale.ROOT));
    String bidirectional = String.valueOf(json.get("use_bidirectional_attention"));
    // A prefix that attends both ways, as that of an image in PaliGemma, is no encoder.
    boolean encodes =
        around.isEmpty() && bidirectional.equals("true") || bidirectional.equals("\"all\"");
    if (Encoders.isEncoder(type) || encodes || !json.flag("is_causal", true)) {
      throw new GatunException(
          "%s: %s is an encoder: it reads a whole text at once and keeps no K/V cache, so there is nothing to plan"
              .formatted(json.where(), type));
    }
    if (known != null) {
      return known;
    }
    if (json.flag("is_encoder_decoder", false)) {
      throw new GatunException(
          "%s: model_type %s is an encoder-decoder that is not in Gatun's tables; give `gatun plan` the shape of its decoder by hand with %s"
              .formatted(json.where(), type, KeyWatch.BY_HAND));
    }
    json.understood("use_bidirectional_attention");
    String classes = classes(json, around);
    if (!type.isBlank() && DECODER_CLASSES.stream().noneMatch(classes::contains)) {
      throw new GatunException(
          "%s: model_type %s is not in Gatun's tables, and architectures (%s) names no decoder; give `gatun plan` the shape by hand with %s"
              .formatted(
                  json.where(), type, classes.isEmpty() ? "absent" : classes, KeyWatch.BY_HAND));
    }
    return GENERIC;
  }

  private static String classes(JsonFields json, List<JsonFields> around) {
    StringBuilder classes = new StringBuilder();
    for (JsonFields at : Stream.concat(around.stream(), Stream.of(json)).toList()) {
      JsonNode names = at.get("architectures");
      if (names != null) {
        names.forEach(name -> classes.append(classes.isEmpty() ? "" : ", ").append(name.asText()));
      }
    }
    return classes.toString();
  }
}
