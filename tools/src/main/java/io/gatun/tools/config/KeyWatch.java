package io.gatun.tools.config;

import com.fasterxml.jackson.databind.JsonNode;
import io.gatun.cache.GatunException;
import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStream;
import java.io.InputStreamReader;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.function.Predicate;
import java.util.regex.Pattern;

/**
 * Refuses what a config says of layers, heads, widths, windows, patterns, compression or caches and
 * nobody understood. A key passes if a rule asked for it, if {@code keys-without-effect.txt} or the
 * architecture lists it, or if it says nothing: null, false, or an empty list.
 */
final class KeyWatch {
  /** The options that describe a model without its config. */
  static final String BY_HAND = "--layers, --heads, --kv-heads and --head-dim";

  private static final Pattern RELEVANT =
      Pattern.compile(
          "layer|head|dim|width|window|slid|swa|pattern|compress|cache|block|chunk|kv|key_value|attn"
              + "|attention|lora|shar|cross|global|local|mamba|ssm|conv|recur|hybrid|group|quer"
              + "|sparse|hidden|embd|d_model|latent|memory|_mem|skip|interleav|alternat|reuse"
              + "|retention|sink|mixer|rank|evict|truncat|state_|_state|stride|period|interval"
              + "|index_|every|merge|expand");

  private static final Predicate<String> WITHOUT_EFFECT = listed("keys-without-effect.txt");

  /** Around a decoder: other parts of the model, and widths of what joins them. */
  private static final List<String> OF_THE_WHOLE =
      List.of(
          "*_config",
          "*hidden_size",
          "head_dim",
          "insert_layer_id",
          "num_query_tokens",
          "*_per_chunk",
          "acoustic_*",
          "projection_*",
          "embd_*",
          "is_hybrid",
          "use_deepstack",
          "*_feature_layer*",
          "*_feature_select_*",
          "has_lora_adapter",
          "merge_kernel_size",
          "merger_times",
          "window_size");

  private KeyWatch() {}

  /**
   * Looks at every key that was not asked for.
   *
   * @param json the decoder's own object, after the rules have read it
   * @param architecture whose rules they were
   * @throws GatunException if a key remains; the message names it, its value and what to do
   */
  static void check(JsonFields json, Architecture architecture) {
    Predicate<String> passes = WITHOUT_EFFECT.or(any(architecture.aside()));
    for (JsonFields.Field field : json.unasked()) {
      check(field.where(), field.name(), field.value(), passes, architecture.title());
    }
  }

  /**
   * Looks at the keys around the decoder's own object. What they say twice may stand there.
   *
   * @param around the objects that it lies in
   * @param json the decoder's own object
   * @param architecture whose rules apply
   */
  static void checkAround(List<JsonFields> around, JsonFields json, Architecture architecture) {
    Predicate<String> passes = WITHOUT_EFFECT.or(any(architecture.aside())).or(any(OF_THE_WHOLE));
    for (JsonFields outer : around) {
      for (JsonFields.Field field : outer.unasked()) {
        boolean twice = field.value().equals(json.peek(field.name()));
        if (!twice) {
          check(field.where(), field.name(), field.value(), passes, architecture.title());
        }
      }
    }
  }

  private static void check(
      String where, String name, JsonNode value, Predicate<String> passes, String title) {
    if (saysNothing(name, value) || passes.test(name)) {
      return;
    }
    boolean relevant = RELEVANT.matcher(name.toLowerCase(Locale.ROOT)).find();
    if (value.isObject() && !relevant) {
      for (Map.Entry<String, JsonNode> inner : value.properties()) {
        check(where + ", " + name, inner.getKey(), inner.getValue(), passes, title);
      }
      return;
    }
    if (relevant) {
      throw new GatunException(
          "%s: %s is %s, and the planner does not know what that means for the cache of %s; give `gatun plan` the shape by hand with %s, or remove the key if it has no effect on the cache"
              .formatted(where, name, shortened(value), title, BY_HAND));
    }
  }

  private static boolean saysNothing(String name, JsonNode value) {
    boolean countOfNone =
        value.isNumber()
            && value.doubleValue() == 0
            && (name.startsWith("num_") || name.startsWith("n_"));
    return value.isNull()
        || (value.isBoolean() && !value.booleanValue())
        || (value.isContainerNode() && value.isEmpty())
        || (value.isTextual() && value.textValue().isBlank())
        || countOfNone;
  }

  private static String shortened(JsonNode value) {
    String text = value.toString();
    return text.length() <= 80 ? text : text.substring(0, 77) + "...";
  }

  /** A test that is true for the names that a glob covers. */
  private static Predicate<String> any(List<String> globs) {
    List<Pattern> patterns = globs.stream().map(KeyWatch::glob).toList();
    return name -> patterns.stream().anyMatch(p -> p.matcher(name).matches());
  }

  private static Pattern glob(String glob) {
    return Pattern.compile("\\Q" + glob.replace("*", "\\E.*\\Q") + "\\E");
  }

  private static Predicate<String> listed(String resource) {
    try (InputStream in = KeyWatch.class.getResourceAsStream(resource);
        BufferedReader lines =
            new BufferedReader(new InputStreamReader(in, StandardCharsets.UTF_8))) {
      return any(
          lines
              .lines()
              .filter(line -> !line.isBlank() && !line.startsWith("#"))
              .flatMap(line -> Pattern.compile("\\s+").splitAsStream(line.strip()))
              .toList());
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }
}
