package io.gatun.tools.config;

import io.gatun.cache.GatunException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;

/**
 * Reads what a model keeps of a sequence from its {@code config.json}; the one place that does, for
 * {@code plan}, {@code run}, {@code convert} and {@code report}.
 *
 * <p>A config is read by the rules of its architecture ({@link Architectures}). What it says of its
 * layers and was not understood is refused ({@link KeyWatch}): a wrong figure without a word is the
 * worst that a planner can give.
 */
public final class ModelCacheReader {
  /** Objects that hold the text decoder of a larger model, as they are nested. */
  private static final List<String> DECODERS =
      List.of(
          "thinker_config",
          "text_config",
          "language_config",
          "llm_config",
          "language_model_config");

  private ModelCacheReader() {}

  /**
   * Reads a file, or the {@code config.json} of a folder.
   *
   * @throws GatunException if it cannot be read, does not say what a cache depends on, or says
   *     something that is not understood
   */
  public static ModelCache read(Path path) {
    Path file = Files.isDirectory(path) ? path.resolve("config.json") : path;
    Path folder = file.toAbsolutePath().getParent();
    return read(JsonFields.read(file), folder.getFileName().toString());
  }

  /**
   * Reads an object that was read from a file before.
   *
   * @param config the whole config
   * @param name what to call a model whose config does not say
   */
  public static ModelCache read(JsonFields config, String name) {
    List<JsonFields> around = new ArrayList<>();
    JsonFields json = config.afresh();
    String called = json.text("_name_or_path", "");
    for (JsonFields inner = decoder(json); inner != null; inner = decoder(json)) {
      around.add(json);
      json = inner;
    }
    if (json.has("use_sliding_window") && !json.flag("use_sliding_window", true)) {
      // Windows that are off: their widths and places do not matter to any architecture.
      json.understood("sliding_window", "max_window_layers");
    }
    String type = type(json, around);
    Architecture architecture = Architectures.of(type, json, around);
    ModelKeys keys = new ModelKeys(json, architecture);
    List<LayerCache> layers = architecture.layers(keys);
    int hidden = keys.count("hidden_size", 0);
    int limit = keys.count("max_position_embeddings", 0);
    List<String> notes = notes(keys, architecture);
    if (layers.stream().noneMatch(LayerCache::hasRows)) {
      throw new GatunException(
          "%s: no layer of %s keeps K/V: there is no cache that grows with the sequence (%s)"
              .formatted(json.where(), architecture.title(), states(layers)));
    }
    KeyWatch.check(json, architecture);
    KeyWatch.checkAround(around, json, architecture);
    return new ModelCache(
        called.isBlank() ? name : called,
        rules(architecture, type),
        layers,
        hidden,
        limit,
        AttentionShape.Source.CONFIG,
        notes);
  }

  private static JsonFields decoder(JsonFields json) {
    for (String name : DECODERS) {
      JsonFields inner =
          json.peek(name) != null && json.peek(name).isObject() ? json.object(name) : null;
      if (inner != null) {
        return inner;
      }
    }
    return null;
  }

  /** The model_type of the decoder's object; where it has none, that of the object around it. */
  private static String type(JsonFields json, List<JsonFields> around) {
    String own = json.text("model_type", "");
    for (int i = around.size() - 1; i >= 0; i--) {
      String outer = around.get(i).text("model_type", "");
      own = own.isBlank() ? outer : own;
    }
    return own;
  }

  private static String rules(Architecture architecture, String type) {
    return "the rules of %s%s"
        .formatted(architecture.title(), type.isBlank() ? "" : " (model_type %s)".formatted(type));
  }

  private static String states(List<LayerCache> layers) {
    long bytes = layers.stream().mapToLong(LayerCache::stateBytes).sum();
    return bytes == 0
        ? "its layers keep nothing"
        : "its layers keep states of %,d bytes for each sequence, whatever its length"
            .formatted(bytes);
  }

  private static List<String> notes(ModelKeys keys, Architecture architecture) {
    List<String> notes = new ArrayList<>(architecture.notes(keys));
    JsonFields json = keys.json();
    for (String key : List.of("num_nextn_predict_layers", "num_mtp_layers")) {
      if (json.peek(key) != null && json.peek(key).asInt() > 0) {
        notes.add(
            "%s %d: layers that draft further tokens keep K/V of their own, which is not counted."
                .formatted(key, json.peek(key).asInt()));
      }
    }
    return notes;
  }
}
