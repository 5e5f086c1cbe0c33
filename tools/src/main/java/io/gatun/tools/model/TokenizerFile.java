package io.gatun.tools.model;

import com.fasterxml.jackson.core.JacksonException;
import com.fasterxml.jackson.core.JsonParser;
import com.fasterxml.jackson.core.JsonToken;
import com.fasterxml.jackson.databind.json.JsonMapper;
import io.gatun.cache.GatunException;
import io.gatun.tools.cli.UserFiles;
import java.io.IOException;
import java.nio.file.Path;

/**
 * What Gatun itself needs to know of a {@code tokenizer.json}. Read as a stream: vocabulary and
 * merges of a large model would fill a small heap.
 *
 * @param preTokenizer the pre-tokenizer as JSON without blanks; empty if there is none
 * @param normalizes whether there is a normalizer
 * @param merges whether there is at least one merge
 */
record TokenizerFile(String preTokenizer, boolean normalizes, boolean merges) {
  /**
   * Reads a file from end to end.
   *
   * @throws GatunException if it is not a JSON object
   */
  static TokenizerFile read(Path file) {
    String preTokenizer = "";
    boolean normalizes = false;
    boolean merges = false;
    JsonMapper mapper = new JsonMapper();
    requireFile(file.resolveSibling("tokenizer_config.json"));
    try (JsonParser json = mapper.createParser(UserFiles.require(file).toFile())) {
      if (json.nextToken() != JsonToken.START_OBJECT) {
        throw new GatunException("%s is not a JSON object; download it again".formatted(file));
      }
      while (json.nextToken() == JsonToken.FIELD_NAME) {
        String name = json.currentName();
        JsonToken value = json.nextToken();
        if (name.equals("pre_tokenizer") && value != JsonToken.VALUE_NULL) {
          preTokenizer = json.readValueAsTree().toString();
        } else if (name.equals("normalizer")) {
          normalizes = value != JsonToken.VALUE_NULL;
        } else if (name.equals("model") && value == JsonToken.START_OBJECT) {
          merges = merges(json);
          continue;
        }
        json.skipChildren();
      }
    } catch (JacksonException e) {
      throw new GatunException(
          "%s is not valid JSON (%s); download it again".formatted(file, e.getOriginalMessage()),
          e);
    } catch (IOException e) {
      throw new GatunException("cannot read %s: %s".formatted(file, e), e);
    }
    return new TokenizerFile(preTokenizer, normalizes, merges);
  }

  /** The library reads this one as well, and would wait for a pipe. */
  private static void requireFile(Path file) {
    try {
      UserFiles.require(file);
    } catch (IOException e) {
      throw new GatunException("cannot read %s: %s".formatted(file, e), e);
    }
  }

  /** Reads the rest of the model object; whether its merges hold anything. */
  private static boolean merges(JsonParser json) throws IOException {
    boolean any = false;
    while (json.nextToken() == JsonToken.FIELD_NAME) {
      boolean merges = json.currentName().equals("merges");
      JsonToken value = json.nextToken();
      if (merges && value == JsonToken.START_ARRAY) {
        any = json.nextToken() != JsonToken.END_ARRAY;
        for (int depth = any ? 1 : 0; depth > 0; ) {
          json.skipChildren();
          depth -= json.nextToken() == JsonToken.END_ARRAY ? 1 : 0;
        }
      } else {
        json.skipChildren();
      }
    }
    return any;
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
