package io.gatun.tools.convert;

import com.fasterxml.jackson.databind.DeserializationFeature;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.cfg.JsonNodeFeature;
import com.fasterxml.jackson.databind.json.JsonMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.gatun.cache.GatunException;
import io.gatun.tools.cli.Progress;
import io.gatun.tools.cli.Sizes;
import io.gatun.tools.safetensors.Checkpoint;
import io.gatun.tools.safetensors.SafetensorsFile;
import io.gatun.tools.safetensors.SafetensorsHeader;
import io.gatun.tools.safetensors.SafetensorsWriter;
import io.gatun.tools.safetensors.Tensor;
import io.gatun.tools.safetensors.TensorSpec;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.regex.Pattern;
import java.util.stream.Stream;

/**
 * Writes a checkpoint again with fewer KV heads, as a stream: file by file, tensor by tensor, in the
 * same files and order. Key and value projections are pooled, every other tensor goes over bit for
 * bit, {@code config.json} gets the new number. Besides the tensor under way nothing is held in
 * memory, and none of that on the heap.
 */
final class Converter {
  private static final String CONFIG = "config.json";
  private static final long PIECE = 8 << 20;

  /** Files that hold the weights in another form: carried over, they would be of the old model. */
  private static final Pattern OTHER_WEIGHTS =
      Pattern.compile(
          "(?i).*\\.(bin|pth|pt|gguf|onnx|onnx_data|h5|msgpack|ot|safetensors)"
              + "|.*\\.(bin|pth|pt)\\.index\\.json");

  private static final JsonMapper JSON =
      JsonMapper.builder()
          .enable(DeserializationFeature.USE_BIG_DECIMAL_FOR_FLOATS)
          .disable(JsonNodeFeature.STRIP_TRAILING_BIGDECIMAL_ZEROES)
          .build();

  private final Source source;
  private final int kvHeads;
  private final HeadPooler pooler;
  private final List<String> leftOut = new ArrayList<>();

  /**
   * Checks that the heads can be pooled.
   *
   * @throws GatunException if {@code kvHeads} does not divide the checkpoint's
   */
  Converter(Source source, int kvHeads, Pooling pooling, long seed) {
    int have = source.heads().kvHeads();
    if (kvHeads > have) {
      throw new GatunException(
          "%s has %d KV heads, and pooling only makes fewer: --kv-heads %d is too many"
              .formatted(source.checkpoint().folder(), have, kvHeads));
    }
    if (kvHeads < 1 || have % kvHeads != 0) {
      throw new GatunException(
          "%d KV heads cannot be pooled into %d equal groups; --kv-heads must divide %d"
              .formatted(have, kvHeads, have));
    }
    this.source = source;
    this.kvHeads = kvHeads;
    this.pooler = new HeadPooler(have, kvHeads, pooling, seed);
  }

  /** The pooler that this converter uses. */
  HeadPooler pooler() {
    return pooler;
  }

  /** Files of the source folder that were not carried over, after {@link #write}. */
  List<String> leftOut() {
    return leftOut;
  }

  /**
   * Writes the converted checkpoint into a folder that exists and is empty.
   *
   * @param replaced tensors, encoded in their own type and of their converted shape, to be written
   *     instead of those that would be
   */
  void write(Path folder, Map<String, MemorySegment> replaced) {
    try {
      checkSpace(folder);
      copyOtherFiles(folder);
      try (Progress progress = Progress.bytes("convert", sourceBytes())) {
        for (SafetensorsFile file : source.checkpoint().files()) {
          writeFile(file, folder.resolve(file.path().getFileName()), replaced, progress);
        }
      }
      writeIndex(folder);
      // Last: without it the folder is no model.
      writeConfig(folder);
    } catch (IOException e) {
      throw new GatunException("cannot write %s: %s".formatted(folder, e), e);
    }
  }

  private boolean changesNothing() {
    return kvHeads == source.heads().kvHeads();
  }

  private long sourceBytes() {
    long bytes = 0;
    for (Tensor tensor : source.checkpoint().tensors().values()) {
      bytes += tensor.data().byteSize();
    }
    return bytes;
  }

  private void checkSpace(Path folder) throws IOException {
    long needed = 0;
    for (Tensor tensor : source.checkpoint().tensors().values()) {
      needed += converted(tensor.spec()).bytes();
    }
    long free = Files.getFileStore(folder).getUsableSpace();
    if (needed > free) {
      throw new GatunException(
          "the converted model takes %s, and %s has %s free"
              .formatted(Sizes.human(needed), folder.getParent(), Sizes.human(free)));
    }
  }

  private TensorSpec converted(TensorSpec spec) {
    if (!source.isPooled(spec.name())) {
      return spec;
    }
    List<Long> shape = new ArrayList<>(spec.shape());
    shape.set(0, shape.getFirst() / source.heads().kvHeads() * kvHeads);
    return new TensorSpec(spec.name(), spec.type(), shape);
  }

  private void writeFile(
      SafetensorsFile file, Path to, Map<String, MemorySegment> replaced, Progress progress)
      throws IOException {
    if (changesNothing() && replaced.isEmpty()) {
      copy(file.path(), to, progress);
      return;
    }
    List<TensorSpec> specs = new ArrayList<>();
    for (SafetensorsHeader.Entry entry : file.header().entries().values()) {
      specs.add(converted(entry.spec()));
    }
    try (SafetensorsWriter writer = SafetensorsWriter.create(to, specs, file.header().metadata())) {
      for (TensorSpec spec : specs) {
        Tensor tensor = file.tensors().get(spec.name());
        writeTensor(writer, tensor, spec, replaced.get(spec.name()));
        progress.by(tensor.data().byteSize());
      }
      writer.commit();
    }
  }

  private void writeTensor(
      SafetensorsWriter writer, Tensor tensor, TensorSpec spec, MemorySegment replacement) {
    if (replacement != null) {
      if (replacement.byteSize() != spec.bytes()) {
        throw new IllegalArgumentException(
            "%s takes %d bytes, %d are given"
                .formatted(spec.name(), spec.bytes(), replacement.byteSize()));
      }
      writer.writeEncoded(replacement);
    } else if (source.isPooled(spec.name()) && !changesNothing()) {
      try (Arena arena = Arena.ofConfined()) {
        writer.writeEncoded(pooler.pool(tensor, arena));
      }
    } else {
      writer.writeEncoded(tensor.data());
    }
  }

  /** Everything that is not weights, and the weights' files only by {@link #writeFile}. */
  private void copyOtherFiles(Path folder) throws IOException {
    List<Path> files;
    try (Stream<Path> list = Files.list(source.checkpoint().folder())) {
      files = list.sorted().toList();
    }
    for (Path file : files) {
      String name = file.getFileName().toString();
      boolean ours =
          source.checkpoint().files().stream()
              .anyMatch(f -> f.path().getFileName().toString().equals(name));
      if (ours || name.equals(CONFIG) || name.equals(Checkpoint.INDEX)) {
        continue;
      }
      if (Files.isRegularFile(file) && !OTHER_WEIGHTS.matcher(name).matches()) {
        copy(file, folder.resolve(name), null);
      } else {
        leftOut.add(name);
      }
    }
  }

  private static void copy(Path from, Path to, Progress progress) throws IOException {
    try (FileChannel in = FileChannel.open(from, StandardOpenOption.READ);
        FileChannel out =
            FileChannel.open(to, StandardOpenOption.CREATE_NEW, StandardOpenOption.WRITE)) {
      long size = in.size();
      for (long at = 0; at < size; ) {
        long copied = in.transferTo(at, Math.min(PIECE, size - at), out);
        if (copied == 0) {
          throw new IOException(from + " became shorter while it was copied");
        }
        at += copied;
        if (progress != null) {
          progress.by(copied);
        }
      }
      out.force(true);
    }
  }

  private void writeIndex(Path folder) throws IOException {
    Path index = source.checkpoint().folder().resolve(Checkpoint.INDEX);
    boolean sharded = !Files.exists(source.checkpoint().folder().resolve(Checkpoint.SINGLE));
    if (!sharded) {
      return;
    }
    Path to = folder.resolve(Checkpoint.INDEX);
    if (changesNothing()) {
      copy(index, to, null);
      return;
    }
    ObjectNode root = (ObjectNode) JSON.readTree(index.toFile());
    if (root.path("metadata").has("total_size")) {
      long total = 0;
      for (Tensor tensor : source.checkpoint().tensors().values()) {
        total = Math.addExact(total, converted(tensor.spec()).bytes());
      }
      ((ObjectNode) root.get("metadata")).put("total_size", total);
    }
    writeJson(root, to);
  }

  private void writeConfig(Path folder) throws IOException {
    Path config = source.checkpoint().folder().resolve(CONFIG);
    Path to = folder.resolve(CONFIG);
    if (changesNothing()) {
      copy(config, to, null);
      return;
    }
    ObjectNode root = (ObjectNode) JSON.readTree(config.toFile());
    JsonNode text = root.path("text_config");
    ObjectNode decoder = text.isObject() ? (ObjectNode) text : root;
    decoder.put("num_key_value_heads", kvHeads);
    writeJson(root, to);
  }

  private static void writeJson(ObjectNode root, Path to) throws IOException {
    byte[] bytes = JSON.writerWithDefaultPrettyPrinter().writeValueAsBytes(root);
    Files.write(to, bytes, StandardOpenOption.CREATE_NEW);
    try (FileChannel channel = FileChannel.open(to, StandardOpenOption.WRITE)) {
      channel.force(true);
    }
  }
}
