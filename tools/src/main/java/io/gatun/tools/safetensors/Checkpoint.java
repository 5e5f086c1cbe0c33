package io.gatun.tools.safetensors;

import com.fasterxml.jackson.core.JacksonException;
import com.fasterxml.jackson.core.StreamReadFeature;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.json.JsonMapper;
import io.gatun.cache.GatunException;
import io.gatun.tools.cli.UserFiles;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.stream.Stream;

/**
 * The tensors of a Hugging Face folder, mapped: {@code model.safetensors}, or several files named
 * by {@code model.safetensors.index.json}, which a single shard needs not. Any thread.
 */
public final class Checkpoint implements AutoCloseable {
  /** The one file of a small checkpoint. */
  public static final String SINGLE = "model.safetensors";

  /** A checkpoint of one shard, which needs no index. */
  private static final String ONE_SHARD = "model-00001-of-00001.safetensors";

  /** The index of a sharded checkpoint. */
  public static final String INDEX = "model.safetensors.index.json";

  private static final ObjectMapper JSON =
      JsonMapper.builder().enable(StreamReadFeature.STRICT_DUPLICATE_DETECTION).build();

  private final Path folder;
  private final List<SafetensorsFile> files;
  private final Map<String, Tensor> tensors;

  private Checkpoint(Path folder, List<SafetensorsFile> files, Map<String, Tensor> tensors) {
    this.folder = folder;
    this.files = List.copyOf(files);
    this.tensors = tensors;
  }

  /**
   * Opens the checkpoint of a folder.
   *
   * @throws GatunException if there is none, or a file of it is missing or not valid
   */
  public static Checkpoint open(Path folder) {
    if (!Files.isDirectory(folder)) {
      throw new GatunException(
          Files.exists(folder)
              ? "%s is a file; a model is a folder with config.json and safetensors files"
                  .formatted(folder)
              : "%s does not exist; give the folder of a model".formatted(folder));
    }
    Path single = folder.resolve(SINGLE);
    Path index = folder.resolve(INDEX);
    Map<String, String> weightMap = null;
    List<String> names;
    if (Files.exists(single)) {
      names = List.of(SINGLE);
    } else if (Files.exists(index)) {
      weightMap = readIndex(index);
      names = weightMap.values().stream().distinct().sorted().toList();
    } else if (Files.exists(folder.resolve(ONE_SHARD))) {
      names = List.of(ONE_SHARD);
    } else {
      throw missing(folder);
    }
    List<SafetensorsFile> files = new ArrayList<>();
    try {
      for (String name : names) {
        Path file = folder.resolve(name);
        if (!Files.exists(file)) {
          throw new GatunException(
              "%s names %s, which is not there; download the whole folder again"
                  .formatted(index, name));
        }
        files.add(SafetensorsFile.open(file));
      }
      return new Checkpoint(folder, files, collect(index, weightMap, files));
    } catch (RuntimeException | Error e) {
      files.forEach(SafetensorsFile::close);
      throw e;
    }
  }

  private static Map<String, Tensor> collect(
      Path index, Map<String, String> weightMap, List<SafetensorsFile> files) {
    Map<String, Tensor> tensors = new TreeMap<>();
    for (SafetensorsFile file : files) {
      for (Tensor tensor : file.tensors().values()) {
        Tensor other = tensors.put(tensor.name(), tensor);
        if (other != null) {
          throw new GatunException(
              "tensor %s lies in %s and in %s; one of them is not of this model"
                  .formatted(tensor.name(), other.file(), tensor.file()));
        }
      }
    }
    if (weightMap != null) {
      weightMap.forEach((name, file) -> {
        Tensor tensor = tensors.get(name);
        if (tensor == null || !tensor.file().getFileName().toString().equals(file)) {
          throw new GatunException(
              "%s says that tensor %s lies in %s, which %s; download the folder again"
                  .formatted(
                      index,
                      name,
                      file,
                      tensor == null ? "has no such tensor" : "is not so: " + tensor.file()));
        }
      });
    }
    return tensors;
  }

  private static Map<String, String> readIndex(Path index) {
    JsonNode root;
    try {
      root = JSON.readTree(UserFiles.require(index).toFile());
    } catch (JacksonException e) {
      throw new GatunException(
          "%s is not valid JSON (%s); download it again".formatted(index, e.getOriginalMessage()),
          e);
    } catch (IOException e) {
      throw new GatunException("cannot read %s: %s".formatted(index, e), e);
    }
    JsonNode map = root.get("weight_map");
    if (map == null || !map.isObject() || map.isEmpty()) {
      throw new GatunException(
          "%s has no weight_map of tensor names to file names; download it again".formatted(index));
    }
    Map<String, String> weightMap = new LinkedHashMap<>();
    for (Map.Entry<String, JsonNode> entry : map.properties()) {
      String file = entry.getValue().asText("");
      boolean plain =
          entry.getValue().isTextual()
              && file.endsWith(".safetensors")
              && !file.startsWith(".")
              && file.indexOf('/') < 0
              && file.indexOf('\\') < 0
              && file.indexOf('\0') < 0;
      if (!plain) {
        throw new GatunException(
            "%s names %s for tensor %s, not a .safetensors file of its own folder"
                .formatted(index, entry.getValue(), entry.getKey()));
      }
      weightMap.put(entry.getKey(), file);
    }
    return weightMap;
  }

  private static GatunException missing(Path folder) {
    String others;
    try (Stream<Path> list = Files.list(folder)) {
      others =
          list.map(file -> file.getFileName().toString())
              .filter(name -> name.matches(".*\\.(bin|pth|pt|gguf|safetensors)"))
              .min(Comparator.naturalOrder())
              .map(" (it has %s, which is another format or name)"::formatted)
              .orElse("");
    } catch (IOException e) {
      throw new GatunException("cannot read %s: %s".formatted(folder, e), e);
    }
    return new GatunException(
        "%s has neither %s nor %s%s; give a folder as Hugging Face offers it"
            .formatted(folder, SINGLE, INDEX, others));
  }

  /** Where the checkpoint is. */
  public Path folder() {
    return folder;
  }

  /** Its files, in the order of their names. */
  public List<SafetensorsFile> files() {
    return files;
  }

  /** All tensors by name, sorted. */
  public Map<String, Tensor> tensors() {
    return tensors;
  }

  /** Whether there is a tensor of this name. */
  public boolean has(String name) {
    return tensors.containsKey(name);
  }

  /**
   * A tensor that must be there, of this shape and of a type that can be computed with.
   *
   * @throws GatunException if it is not so; the message names the tensor, what was expected and what
   *     was found
   */
  public Tensor weight(String name, long... shape) {
    Tensor tensor = tensors.get(name);
    if (tensor == null) {
      throw new GatunException(
          "%s has no tensor %s, which its config.json asks for; are files of the folder missing?"
              .formatted(folder, name));
    }
    TensorSpec expected = TensorSpec.of(name, TensorType.F32, shape);
    if (!tensor.spec().shape().equals(expected.shape())) {
      throw new GatunException(
          "tensor %s in %s has shape %s, and config.json asks for %s; the files are not of one model"
              .formatted(name, tensor.file(), tensor.spec().shape(), expected.shape()));
    }
    if (!tensor.type().isWeight()) {
      throw new GatunException(
          "tensor %s in %s has type %s, and Gatun computes with F32, F16 and BF16; use the model's"
                  .formatted(
                      name,
                      tensor.file(),
                      tensor.type() == TensorType.OTHER
                          ? "that this version does not know"
                          : tensor.type())
              + " unquantized checkpoint");
    }
    return tensor;
  }

  /** Unmaps all files. */
  @Override
  public void close() {
    files.forEach(SafetensorsFile::close);
  }
}
