package io.gatun.tools.text;

import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.gatun.cache.GatunException;
import io.gatun.tools.cli.PrivateFiles;
import java.io.IOException;
import java.nio.file.Path;
import java.util.Map;
import java.util.TreeMap;

/**
 * Writes a {@code tokenizer.json} whose token ids 0 to 255 are the bytes of the text: a byte-level
 * BPE without merges. Bytes are spelt with the printable characters that GPT-2's tokenizer uses.
 */
public final class ByteTokenizerFile {
  /** Ids that are always used, the bytes. */
  public static final int IDS = 256;

  private ByteTokenizerFile() {}

  /**
   * Writes {@code tokenizer.json} into a folder.
   *
   * @param specials special tokens and their ids, 256 or more
   * @throws GatunException if it cannot be written
   */
  public static void write(Path folder, Map<String, Integer> specials) {
    ObjectMapper mapper = new ObjectMapper();
    ObjectNode root = mapper.createObjectNode();
    root.put("version", "1.0").putNull("truncation").putNull("padding");
    ArrayNode added = root.putArray("added_tokens");
    ObjectNode model = mapper.createObjectNode();
    model.put("type", "BPE").putNull("dropout").putNull("unk_token");
    model.putNull("continuing_subword_prefix").putNull("end_of_word_suffix");
    model.put("fuse_unk", false).put("byte_fallback", false).put("ignore_merges", false);
    ObjectNode vocab = model.putObject("vocab");
    for (int value = 0; value < IDS; value++) {
      vocab.put(String.valueOf(ByteLevel.character(value)), value);
    }
    new TreeMap<>(specials)
        .forEach((token, id) -> {
          if (id < IDS) {
            throw new IllegalArgumentException(
                "special token %s has id %d, which is a byte".formatted(token, id));
          }
          vocab.put(token, id);
          ObjectNode entry = added.addObject().put("id", id).put("content", token);
          entry.put("single_word", false).put("lstrip", false).put("rstrip", false);
          entry.put("normalized", false).put("special", true);
        });
    model.putArray("merges");
    root.putNull("normalizer");
    root.set("pre_tokenizer", byteLevel(mapper));
    root.putNull("post_processor");
    root.set("decoder", byteLevel(mapper));
    root.set("model", model);
    Path file = folder.resolve("tokenizer.json");
    try {
      PrivateFiles.createFolders(folder);
      PrivateFiles.write(file, mapper.writerWithDefaultPrettyPrinter().writeValueAsBytes(root));
    } catch (IOException e) {
      throw new GatunException("cannot write %s: %s".formatted(file, e), e);
    }
  }

  private static ObjectNode byteLevel(ObjectMapper mapper) {
    return mapper
        .createObjectNode()
        .put("type", "ByteLevel")
        .put("add_prefix_space", false)
        .put("trim_offsets", true)
        .put("use_regex", false);
  }
}
