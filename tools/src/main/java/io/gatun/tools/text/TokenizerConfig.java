package io.gatun.tools.text;

import com.fasterxml.jackson.core.JacksonException;
import com.fasterxml.jackson.core.json.JsonReadFeature;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.json.JsonMapper;
import io.gatun.cache.GatunException;
import io.gatun.tools.cli.UserFiles;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/**
 * What a model folder says of its tokenizer beside {@code tokenizer.json}: the texts of its special
 * tokens, whether they stand around a text, and its chat templates.
 *
 * @param specials by name, {@code bos_token} for instance: a text, or a list of texts
 * @param addBos whether a text begins with the begin token; null if that is not said
 * @param addEos whether a text ends with the end token; null if that is not said
 * @param chatTemplate null if there is none in these files
 */
record TokenizerConfig(
    Map<String, Object> specials, Boolean addBos, Boolean addEos, JsonNode chatTemplate) {
  private static final List<String> NAMES =
      List.of(
          "bos_token",
          "eos_token",
          "unk_token",
          "sep_token",
          "pad_token",
          "cls_token",
          "mask_token",
          "additional_special_tokens");

  // Python's own writer produces NaN and Infinity.
  private static final ObjectMapper JSON =
      JsonMapper.builder().enable(JsonReadFeature.ALLOW_NON_NUMERIC_NUMBERS).build();

  /** Reads {@code tokenizer_config.json} and the older {@code special_tokens_map.json}. */
  static TokenizerConfig read(Path folder) {
    JsonNode config = object(folder.resolve("tokenizer_config.json"));
    JsonNode older = object(folder.resolve("special_tokens_map.json"));
    Map<String, Object> specials = new LinkedHashMap<>();
    for (String name : NAMES) {
      Object special = special(config.has(name) ? config.get(name) : older.path(name));
      if (special != null) {
        specials.put(name, special);
      }
    }
    JsonNode template = config.path("chat_template");
    if (!template.isTextual() && !template.isArray()) {
      template = object(folder.resolve("chat_template.json")).path("chat_template");
    }
    return new TokenizerConfig(
        specials,
        flag(folder, config, "add_bos_token"),
        flag(folder, config, "add_eos_token"),
        template.isTextual() || template.isArray() ? template : null);
  }

  /** The text of a special token; null if the model has none. */
  String special(String name) {
    return specials.get(name) instanceof String text ? text : null;
  }

  /** Written as a text or as an object with the text in {@code content}. */
  private static Object special(JsonNode node) {
    if (node.isArray()) {
      List<Object> texts = new ArrayList<>();
      for (JsonNode element : node) {
        Object text = special(element);
        if (text != null) {
          texts.add(text);
        }
      }
      return texts;
    }
    JsonNode text = node.isObject() ? node.path("content") : node;
    return text.isTextual() ? text.textValue() : null;
  }

  private static Boolean flag(Path folder, JsonNode config, String name) {
    JsonNode node = config.path(name);
    if (node.isMissingNode() || node.isNull()) {
      return null;
    }
    if (!node.isBoolean()) {
      throw new GatunException(
          "%s: %s is %s, not true or false"
              .formatted(folder.resolve("tokenizer_config.json"), name, node));
    }
    return node.booleanValue();
  }

  private static JsonNode object(Path file) {
    if (!Files.exists(file)) {
      return JSON.createObjectNode();
    }
    try {
      JsonNode root = JSON.readTree(UserFiles.require(file).toFile());
      if (!root.isObject()) {
        throw new GatunException("%s is not a JSON object; download it again".formatted(file));
      }
      return root;
    } catch (JacksonException e) {
      throw new GatunException(
          "%s is not valid JSON (%s); download it again".formatted(file, e.getOriginalMessage()),
          e);
    } catch (IOException e) {
      throw new GatunException("cannot read %s: %s".formatted(file, e), e);
    }
  }
}
