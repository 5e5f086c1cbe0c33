package io.gatun.tools.text;

import com.fasterxml.jackson.core.JacksonException;
import com.fasterxml.jackson.core.JsonParser;
import com.fasterxml.jackson.core.JsonToken;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.json.JsonMapper;
import io.gatun.cache.GatunException;
import io.gatun.tools.cli.UserFiles;
import java.io.IOException;
import java.nio.file.Path;

/**
 * What Gatun itself needs to know of a {@code tokenizer.json}. Read as a stream: vocabulary and
 * merges of a large model would fill a small heap.
 */
final class TokenizerFile {
  private final TokenTexts texts = new TokenTexts();
  private String preTokenizer = "";
  private boolean normalizes;
  private boolean merges;
  private JsonNode decoder;

  private TokenizerFile() {}

  /**
   * Reads a file from end to end.
   *
   * @throws GatunException if it is not a JSON object
   */
  static TokenizerFile read(Path file) {
    TokenizerFile found = new TokenizerFile();
    try (JsonParser json = new JsonMapper().createParser(UserFiles.require(file).toFile())) {
      if (json.nextToken() != JsonToken.START_OBJECT) {
        throw new GatunException("%s is not a JSON object; download it again".formatted(file));
      }
      while (json.nextToken() == JsonToken.FIELD_NAME) {
        found.field(json);
      }
    } catch (JacksonException e) {
      throw new GatunException(
          "%s is not valid JSON (%s); download it again".formatted(file, e.getOriginalMessage()),
          e);
    } catch (IOException e) {
      throw new GatunException("cannot read %s: %s".formatted(file, e), e);
    }
    return found;
  }

  /** The pre-tokenizer as JSON without blanks; empty if there is none. */
  String preTokenizer() {
    return preTokenizer;
  }

  /** Whether there is a normalizer. */
  boolean normalizes() {
    return normalizes;
  }

  /** Whether there is at least one merge. */
  boolean merges() {
    return merges;
  }

  /** The decoder; null if there is none. */
  JsonNode decoder() {
    return decoder;
  }

  /** The texts of all tokens. */
  TokenTexts texts() {
    return texts;
  }

  private void field(JsonParser json) throws IOException {
    String name = json.currentName();
    JsonToken value = json.nextToken();
    if (value == JsonToken.VALUE_NULL) {
      return;
    }
    switch (name) {
      case "pre_tokenizer" -> preTokenizer = json.readValueAsTree().toString();
      case "decoder" -> decoder = json.readValueAsTree();
      case "normalizer" -> {
        normalizes = true;
        json.skipChildren();
      }
      case "added_tokens" -> addedTokens(json.readValueAsTree());
      case "model" -> {
        if (value == JsonToken.START_OBJECT) {
          model(json);
        } else {
          json.skipChildren();
        }
      }
      default -> json.skipChildren();
    }
  }

  private void addedTokens(JsonNode tokens) {
    for (JsonNode token : tokens) {
      int id = token.path("id").asInt(-1);
      if (id >= 0 && token.path("content").isTextual()) {
        texts.put(id, token.path("content").textValue());
        if (token.path("special").asBoolean()) {
          texts.setSpecial(id);
        }
      }
    }
  }

  private void model(JsonParser json) throws IOException {
    while (json.nextToken() == JsonToken.FIELD_NAME) {
      String name = json.currentName();
      JsonToken value = json.nextToken();
      if (name.equals("merges") && value == JsonToken.START_ARRAY) {
        merges = skipArray(json);
      } else if (name.equals("vocab") && value == JsonToken.START_OBJECT) {
        vocabulary(json);
      } else if (name.equals("vocab") && value == JsonToken.START_ARRAY) {
        unigrams(json);
      } else {
        json.skipChildren();
      }
    }
  }

  /** Reads the rest of an array; whether it holds anything. */
  private static boolean skipArray(JsonParser json) throws IOException {
    boolean any = false;
    while (json.nextToken() != JsonToken.END_ARRAY) {
      any = true;
      json.skipChildren();
    }
    return any;
  }

  private void vocabulary(JsonParser json) throws IOException {
    while (json.nextToken() == JsonToken.FIELD_NAME) {
      String text = json.currentName();
      if (json.nextToken() == JsonToken.VALUE_NUMBER_INT && json.getIntValue() >= 0) {
        put(json.getIntValue(), text);
      } else {
        json.skipChildren();
      }
    }
  }

  /** A list of pairs of text and score; the place is the id. */
  private void unigrams(JsonParser json) throws IOException {
    for (int id = 0; json.nextToken() != JsonToken.END_ARRAY; id++) {
      if (json.currentToken() == JsonToken.START_ARRAY
          && json.nextToken() == JsonToken.VALUE_STRING) {
        put(id, json.getText());
        skipArray(json);
      } else {
        json.skipChildren();
      }
    }
  }

  /** What an added token says of an id counts, wherever it stands. */
  private void put(int id, String text) {
    if (texts.text(id) == null) {
      texts.put(id, text);
    }
  }

  /**
   * Whether the tokenizer never joins a single line break with the letter behind it: byte-level BPE
   * without merges, or with one of the splitting patterns of GPT-2, Llama 3 and Qwen.
   */
  boolean splitsAtLines() {
    String text = preTokenizer;
    if (normalizes
        || !text.contains("\"ByteLevel\"")
        || text.contains("\"add_prefix_space\":true")) {
      return false;
    }
    boolean newerPattern = text.contains("[^\\\\r\\\\n\\\\p{L}\\\\p{N}]?\\\\p{L}+");
    boolean gpt2Pattern = text.contains("\"use_regex\":true") || !text.contains("use_regex");
    return !merges || newerPattern || gpt2Pattern;
  }
}
