package io.gatun.tools.config;

import com.fasterxml.jackson.core.JacksonException;
import com.fasterxml.jackson.core.StreamReadFeature;
import com.fasterxml.jackson.core.json.JsonReadFeature;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.json.JsonMapper;
import io.gatun.cache.GatunException;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;

/**
 * The fields of a JSON object in a file, checked as they are asked for. A null counts as absent, a
 * number without a fraction ({@code 2.0}) as whole, and {@code NaN} and {@code Infinity} are read,
 * because Python writes them. It remembers what was asked for, so that a reader can tell which
 * fields nobody understood.
 */
public final class JsonFields {
  private static final ObjectMapper JSON =
      JsonMapper.builder()
          .enable(StreamReadFeature.STRICT_DUPLICATE_DETECTION)
          .enable(JsonReadFeature.ALLOW_NON_NUMERIC_NUMBERS)
          .build();

  private final String where;
  private final JsonNode object;
  private final Set<String> asked = new HashSet<>();
  private final Map<String, JsonFields> children = new HashMap<>();

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
    asked.add(name);
    JsonNode node = object.get(name);
    return node == null || node.isNull() ? null : node;
  }

  public boolean has(String name) {
    return get(name) != null;
  }

  /** A field's value, which does not count as asked for; null if it is not there. */
  JsonNode peek(String name) {
    return object.get(name);
  }

  /** Whether the field is written down, be it as null. */
  public boolean mentions(String name) {
    asked.add(name);
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
    return whole(name, node, min, max);
  }

  private int whole(String name, JsonNode node, int min, int max) {
    double value = node.isNumber() ? node.doubleValue() : Double.NaN;
    if (value != Math.rint(value) || value < min || value > max) {
      throw wrong(name, node, "a whole number from %d to %d".formatted(min, max));
    }
    return (int) value;
  }

  /** A list of whole numbers that must be there. */
  public List<Integer> counts(String name, int min, int max) {
    List<Integer> counts = new ArrayList<>();
    for (JsonNode element : list(name)) {
      counts.add(whole(name, element, min, max));
    }
    return counts;
  }

  /** A list that must be there. */
  public JsonNode list(String name) {
    JsonNode node = get(name);
    if (node == null || !node.isArray()) {
      throw wrong(name, node, "a list");
    }
    return node;
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
    JsonNode node = list(name);
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
      double id = element.isNumber() ? element.doubleValue() : Double.NaN;
      if (id != Math.rint(id) || id < 0 || id > max) {
        throw wrong(name, node, "one token id from 0 to %d, or a list of them".formatted(max));
      }
      numbers.add((int) id);
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
    return child(name, node);
  }

  /** The objects of a list that must be there. */
  public List<JsonFields> objects(String name) {
    List<JsonFields> objects = new ArrayList<>();
    for (JsonNode element : list(name)) {
      if (!element.isObject()) {
        throw wrong(name, element, "an object");
      }
      objects.add(child("%s[%d]".formatted(name, objects.size()), element));
    }
    return objects;
  }

  private JsonFields child(String place, JsonNode node) {
    return children.computeIfAbsent(place, _ -> new JsonFields(where + ", " + place, node));
  }

  /** The same object with nothing asked for. */
  public JsonFields afresh() {
    return new JsonFields(where, object);
  }

  /** Counts fields as asked for that are understood without a look at their values. */
  public void understood(String... names) {
    asked.addAll(List.of(names));
  }

  /** Fields that nobody asked for, with their values; those of objects that were opened, too. */
  public List<Field> unasked() {
    List<Field> fields = new ArrayList<>();
    object
        .properties()
        .forEach(entry -> {
          if (!asked.contains(entry.getKey())) {
            fields.add(new Field(where, entry.getKey(), entry.getValue()));
          }
        });
    children.values().forEach(child -> fields.addAll(child.unasked()));
    return fields;
  }

  /** Names of all fields. */
  List<String> names() {
    return object.properties().stream().map(Map.Entry::getKey).toList();
  }

  /** Names of the fields that were asked for and are there. */
  public List<String> found() {
    return asked.stream().filter(object::hasNonNull).toList();
  }

  /**
   * A field of an object.
   *
   * @param where the object's place
   * @param name the field's name
   * @param value its value
   */
  public record Field(String where, String name, JsonNode value) {}

  public GatunException wrong(String name, JsonNode found, String expected) {
    return new GatunException("%s: %s is %s, not %s".formatted(where, name, found, expected));
  }
}
