package io.gatun.tools.config;

import com.fasterxml.jackson.core.JacksonException;
import com.fasterxml.jackson.core.StreamReadFeature;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.json.JsonMapper;
import io.gatun.cache.GatunException;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;

/** The fields of a JSON object in a file, checked as they are asked for. A null counts as absent. */
public final class JsonFields {
  private static final ObjectMapper JSON =
      JsonMapper.builder().enable(StreamReadFeature.STRICT_DUPLICATE_DETECTION).build();

  private final String where;
  private final JsonNode object;

  private JsonFields(String where, JsonNode object) {
    this.where = where;
    this.object = object;
  }

  /** The object that a file holds. */
  public static JsonFields read(Path file) {
    JsonNode root;
    try {
      if (!Files.exists(file)) {
        throw new GatunException(
            "%s is not there; a model folder needs it, download the whole folder".formatted(file));
      }
      root = JSON.readTree(file.toFile());
    } catch (JacksonException e) {
      throw new GatunException(
          "%s is not valid JSON (%s); download it again".formatted(file, e.getOriginalMessage()),
          e);
    } catch (IOException e) {
      throw new GatunException("cannot read %s: %s".formatted(file, e), e);
    }
    if (!root.isObject()) {
      throw new GatunException("%s is not a JSON object; download it again".formatted(file));
    }
    return new JsonFields(file.toString(), root);
  }

  /** Where this object stands, for messages. */
  public String where() {
    return where;
  }

  public JsonNode get(String name) {
    JsonNode node = object.get(name);
    return node == null || node.isNull() ? null : node;
  }

  public boolean has(String name) {
    return get(name) != null;
  }

  /** Whether the field is written down, be it as null. */
  public boolean mentions(String name) {
    return object.has(name);
  }

  /** A whole number that must be there. */
  public int count(String name, int min, int max) {
    if (!has(name)) {
      throw new GatunException("%s has no %s, which this model type needs".formatted(where, name));
    }
    return count(name, min, max, min);
  }

  public int count(String name, int min, int max, int otherwise) {
    JsonNode node = get(name);
    if (node == null) {
      return otherwise;
    }
    if (!node.isIntegralNumber()
        || !node.canConvertToInt()
        || node.intValue() < min
        || node.intValue() > max) {
      throw wrong(name, node, "a whole number from %d to %d".formatted(min, max));
    }
    return node.intValue();
  }

  /** A number greater than 0. */
  public double positive(String name, double otherwise) {
    JsonNode node = get(name);
    if (node == null) {
      return otherwise;
    }
    if (!node.isNumber() || !(node.doubleValue() > 0) || !Double.isFinite(node.doubleValue())) {
      throw wrong(name, node, "a finite number greater than 0");
    }
    return node.doubleValue();
  }

  /** A number greater than 0 that must be there. */
  public double positive(String name) {
    if (!has(name)) {
      throw new GatunException("%s has no %s".formatted(where, name));
    }
    return positive(name, 0);
  }

  public boolean flag(String name, boolean otherwise) {
    JsonNode node = get(name);
    if (node == null) {
      return otherwise;
    }
    if (!node.isBoolean()) {
      throw wrong(name, node, "true or false");
    }
    return node.booleanValue();
  }

  public String text(String name, String otherwise) {
    JsonNode node = get(name);
    if (node == null) {
      return otherwise;
    }
    if (!node.isTextual()) {
      throw wrong(name, node, "a text");
    }
    return node.textValue();
  }

  public List<String> texts(String name) {
    List<String> texts = new ArrayList<>();
    JsonNode node = get(name);
    if (!node.isArray()) {
      throw wrong(name, node, "a list of texts");
    }
    for (JsonNode element : node) {
      if (!element.isTextual()) {
        throw wrong(name, node, "a list of texts");
      }
      texts.add(element.textValue());
    }
    return texts;
  }

  /** One whole number or a list of them, from 0 to {@code max}; empty if absent. */
  public List<Integer> oneOrMore(String name, int max) {
    JsonNode node = get(name);
    List<Integer> numbers = new ArrayList<>();
    if (node == null) {
      return numbers;
    }
    for (JsonNode element : node.isArray() ? node : List.of(node)) {
      if (!element.isIntegralNumber()
          || !element.canConvertToInt()
          || element.intValue() < 0
          || element.intValue() > max) {
        throw wrong(name, node, "one token id from 0 to %d, or a list of them".formatted(max));
      }
      numbers.add(element.intValue());
    }
    return numbers;
  }

  /** A nested object; null if absent. */
  public JsonFields object(String name) {
    JsonNode node = get(name);
    if (node == null) {
      return null;
    }
    if (!node.isObject()) {
      throw wrong(name, node, "an object");
    }
    return new JsonFields(where + ", " + name, node);
  }

  /** The names of all fields that are not null. */
  public List<String> names() {
    List<String> names = new ArrayList<>();
    object.fieldNames().forEachRemaining(names::add);
    names.removeIf(name -> !has(name));
    return names;
  }

  public GatunException wrong(String name, JsonNode found, String expected) {
    return new GatunException("%s: %s is %s, not %s".formatted(where, name, found, expected));
  }
}
