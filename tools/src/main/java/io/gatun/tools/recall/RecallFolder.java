package io.gatun.tools.recall;

import static io.gatun.tools.recall.RecallDesign.*;

import com.fasterxml.jackson.core.util.DefaultIndenter;
import com.fasterxml.jackson.core.util.DefaultPrettyPrinter;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.gatun.cache.GatunException;
import io.gatun.tools.cli.PrivateFiles;
import io.gatun.tools.safetensors.Checkpoint;
import io.gatun.tools.safetensors.CheckpointWriter;
import io.gatun.tools.safetensors.TensorSpec;
import io.gatun.tools.text.ByteTokenizerFile;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.file.DirectoryNotEmptyException;
import java.nio.file.FileAlreadyExistsException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.stream.Stream;
import java.util.zip.CRC32C;

/**
 * The model as a Hugging Face folder. It is made under another name beside its place and moved there
 * whole, so that no reader ever meets half a model, and several processes may make it at once.
 */
final class RecallFolder {
  private static final String CONFIG = "config.json";

  /** Field of the configuration that holds the checksum of the weights. */
  private static final String CHECKSUM = "gatun_recall_weights_crc32c";

  private static final ObjectMapper JSON = new ObjectMapper();

  /** Line ends that do not depend on the system: the files are the same bytes everywhere. */
  private static final DefaultIndenter INDENT = new DefaultIndenter("  ", "\n");

  private static final DefaultPrettyPrinter PRETTY =
      new DefaultPrettyPrinter().withObjectIndenter(INDENT).withArrayIndenter(INDENT);

  private final Map<TensorSpec, float[]> tensors = RecallWeights.compute();
  private final byte[] config = config(tensors);

  /** Whether the folder holds exactly this model: its configuration carries the weights' checksum. */
  boolean isAt(Path folder) {
    try {
      return Files.isRegularFile(folder.resolve(Checkpoint.SINGLE))
          && Files.isRegularFile(folder.resolve(CONFIG))
          && Arrays.equals(Files.readAllBytes(folder.resolve(CONFIG)), config);
    } catch (IOException e) {
      throw new GatunException("cannot read %s: %s".formatted(folder.resolve(CONFIG), e), e);
    }
  }

  /**
   * Writes the folder, unless it is there.
   *
   * @throws GatunException if something else stands there, or it cannot be written
   */
  void write(Path folder) {
    if (isAt(folder)) {
      return;
    }
    Path place = folder.toAbsolutePath().normalize();
    try {
      if (Files.exists(place) && !(Files.isDirectory(place) && isEmpty(place))) {
        throw new GatunException(
            "%s is not an empty folder; give one that is, or the name of a new one"
                .formatted(folder));
      }
      PrivateFiles.createFolders(place.getParent());
      Path draft = Files.createTempDirectory(place.getParent(), ".recall-");
      try {
        fill(draft);
        move(draft, place);
      } finally {
        delete(draft);
      }
    } catch (IOException e) {
      throw new GatunException("cannot write the model to %s: %s".formatted(folder, e), e);
    }
  }

  /** Removes a model that another version of this class has written. */
  void removeOther(Path folder) {
    try {
      Path other = folder.resolve(CONFIG);
      if (!isAt(folder)
          && Files.isRegularFile(other)
          && Files.readString(other).contains(CHECKSUM)) {
        delete(folder);
      }
    } catch (IOException e) {
      throw new GatunException("cannot remove the old model %s: %s".formatted(folder, e), e);
    }
  }

  private static boolean isEmpty(Path folder) throws IOException {
    try (Stream<Path> files = Files.list(folder)) {
      return files.findAny().isEmpty();
    }
  }

  private void move(Path draft, Path place) throws IOException {
    try {
      Files.move(draft, place, StandardCopyOption.ATOMIC_MOVE);
    } catch (DirectoryNotEmptyException | FileAlreadyExistsException e) {
      if (!isAt(place)) {
        throw e;
      } // else another process was faster, with the same bytes
    }
  }

  private static void delete(Path folder) throws IOException {
    if (!Files.exists(folder)) {
      return;
    }
    try (Stream<Path> files = Files.list(folder)) {
      for (Path file : files.toList()) {
        Files.delete(file);
      }
    }
    Files.delete(folder);
  }

  private void fill(Path folder) throws IOException {
    List<TensorSpec> specs = List.copyOf(tensors.keySet());
    try (CheckpointWriter writer = new CheckpointWriter(folder, specs, Long.MAX_VALUE)) {
      for (TensorSpec spec : specs) {
        writer.out().write(tensors.get(spec));
      }
      writer.commit();
    }
    ByteTokenizerFile.write(folder, Map.of());
    PrivateFiles.write(folder.resolve("tokenizer_config.json"), tokenizerConfig());
    PrivateFiles.write(folder.resolve("generation_config.json"), generationConfig());
    PrivateFiles.write(folder.resolve(CONFIG), config);
  }

  private static byte[] config(Map<TensorSpec, float[]> tensors) {
    ObjectNode root = JSON.createObjectNode();
    root.putArray("architectures").add("LlamaForCausalLM");
    root.put("model_type", "llama");
    root.put("vocab_size", VOCAB).put("hidden_size", HIDDEN);
    root.put("intermediate_size", INTERMEDIATE).put("num_hidden_layers", LAYERS);
    root.put("num_attention_heads", HEADS).put("num_key_value_heads", KV_HEADS);
    root.put("head_dim", HEAD_DIM).put("hidden_act", "silu");
    root.put("max_position_embeddings", MAX_POSITIONS);
    root.put("rms_norm_eps", RMS_NORM_EPS).put("rope_theta", ROPE_THETA);
    root.put("attention_bias", false).put("mlp_bias", false);
    root.put("tie_word_embeddings", false).put("torch_dtype", "float32");
    root.putNull("bos_token_id").putNull("eos_token_id");
    root.put(CHECKSUM, checksum(tensors));
    return bytes(root);
  }

  private static String checksum(Map<TensorSpec, float[]> tensors) {
    CRC32C crc = new CRC32C();
    tensors.forEach((spec, values) -> {
      ByteBuffer bytes = ByteBuffer.allocate(4 * values.length).order(ByteOrder.LITTLE_ENDIAN);
      bytes.asFloatBuffer().put(values);
      crc.update(bytes);
    });
    return "%08x".formatted(crc.getValue());
  }

  private static byte[] tokenizerConfig() {
    ObjectNode root = JSON.createObjectNode();
    root.put("tokenizer_class", "PreTrainedTokenizerFast").put("add_prefix_space", false);
    root.put("clean_up_tokenization_spaces", false).put("model_max_length", MAX_POSITIONS);
    return bytes(root);
  }

  private static byte[] generationConfig() {
    return bytes(JSON.createObjectNode().put("do_sample", false));
  }

  private static byte[] bytes(ObjectNode root) {
    try {
      return JSON.writer(PRETTY).writeValueAsBytes(root);
    } catch (IOException e) {
      throw new IllegalStateException("writing to a byte array", e);
    }
  }
}
