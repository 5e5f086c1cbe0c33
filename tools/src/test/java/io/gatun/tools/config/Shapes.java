package io.gatun.tools.config;

import com.fasterxml.jackson.core.json.JsonReadFeature;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.json.JsonMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.IOException;
import java.io.InputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;

/**
 * Configs in the forms that models are published in, written down from their documentation, with the
 * bytes that the architecture needs, worked out by hand.
 */
final class Shapes {
  static final JsonMapper JSON =
      JsonMapper.builder().enable(JsonReadFeature.ALLOW_NON_NUMERIC_NUMBERS).build();

  /** One line of {@code published-shapes.jsonl}. */
  record Shape(String model, boolean refused, long perToken, long at131072, ObjectNode config) {
    @Override
    public String toString() {
      return model;
    }
  }

  private Shapes() {}

  static List<Shape> all() {
    List<Shape> shapes = new ArrayList<>();
    try (InputStream in = Shapes.class.getResourceAsStream("published-shapes.jsonl")) {
      for (String line : new String(in.readAllBytes(), StandardCharsets.UTF_8).lines().toList()) {
        JsonNode shape = JSON.readTree(line);
        shapes.add(
            new Shape(
                shape.get("model").asText(),
                shape.path("refused").asBoolean(),
                shape.path("perToken").asLong(),
                shape.path("at131072").asLong(),
                (ObjectNode) shape.get("config")));
      }
    } catch (IOException e) {
      throw new java.io.UncheckedIOException(e);
    }
    return shapes;
  }

  /** Reads a config through a file, as everybody does. */
  static ModelCache read(Path folder, JsonNode config) throws IOException {
    Files.writeString(folder.resolve("config.json"), JSON.writeValueAsString(config));
    return ModelCacheReader.read(folder);
  }
}
