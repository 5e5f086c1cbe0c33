package io.gatun.tools.safetensors;

import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.gatun.cache.GatunException;
import io.gatun.tools.cli.PrivateFiles;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;

/**
 * Writes the tensors of a checkpoint folder as a stream: one {@code model.safetensors}, or, if that
 * would pass a limit, shards {@code model-00001-of-0000n.safetensors} and their index. The index
 * comes last. One thread.
 */
public final class CheckpointWriter implements AutoCloseable {
  private static final Map<String, String> METADATA = Map.of("format", "pt");

  private final Path folder;
  private final List<List<TensorSpec>> shards;
  private int shard = -1;
  private SafetensorsWriter writer;

  /**
   * Starts the files of a folder, which is made if it is not there.
   *
   * @param specs every tensor, in the order in which their values will be given
   * @param maxShardBytes a file is ended before it would pass this; a single larger tensor gets a
   *     file of its own
   * @throws GatunException if the folder cannot be made, or holds a checkpoint of the other form,
   *     which would be taken for the new one
   */
  public CheckpointWriter(Path folder, List<TensorSpec> specs, long maxShardBytes) {
    this.folder = folder;
    this.shards = split(specs, maxShardBytes);
    try {
      PrivateFiles.createFolders(folder);
    } catch (IOException e) {
      throw new GatunException("cannot make the folder %s: %s".formatted(folder, e), e);
    }
    String otherForm = shards.size() == 1 ? Checkpoint.INDEX : Checkpoint.SINGLE;
    if (Files.exists(folder.resolve(otherForm))) {
      throw new GatunException(
          "%s has a model already (%s); give another folder or remove that one"
              .formatted(folder, otherForm));
    }
    nextShard();
  }

  private static List<List<TensorSpec>> split(List<TensorSpec> specs, long maxShardBytes) {
    if (specs.isEmpty() || maxShardBytes < 1) {
      throw new IllegalArgumentException(
          "%d tensors in shards of %d bytes".formatted(specs.size(), maxShardBytes));
    }
    List<List<TensorSpec>> shards = new ArrayList<>();
    long bytes = 0;
    for (TensorSpec spec : specs) {
      if (shards.isEmpty() || Math.addExact(bytes, spec.bytes()) > maxShardBytes) {
        shards.add(new ArrayList<>());
        bytes = 0;
      }
      shards.getLast().add(spec);
      bytes += spec.bytes();
    }
    return shards;
  }

  private String name(int index) {
    return shards.size() == 1
        ? Checkpoint.SINGLE
        : "model-%05d-of-%05d.safetensors".formatted(index + 1, shards.size());
  }

  private void nextShard() {
    shard++;
    if (shard < shards.size()) {
      writer = SafetensorsWriter.create(folder.resolve(name(shard)), shards.get(shard), METADATA);
    }
  }

  /** The writer of the tensor whose values come next; null when all are written. */
  public SafetensorsWriter out() {
    while (shard < shards.size() && writer.current() == null) {
      writer.commit();
      writer.close();
      nextShard();
    }
    return shard < shards.size() ? writer : null;
  }

  /**
   * Ends the last file and writes the index.
   *
   * @throws IllegalStateException if a tensor is not complete; it is named
   */
  public void commit() {
    SafetensorsWriter unfinished = out();
    if (unfinished != null) {
      unfinished.commit(); // throws: it names the tensor that misses values
    }
    if (shards.size() > 1) {
      writeIndex();
    }
  }

  private void writeIndex() {
    ObjectMapper mapper = new ObjectMapper();
    ObjectNode root = mapper.createObjectNode();
    long total = 0;
    ObjectNode map = mapper.createObjectNode();
    for (int i = 0; i < shards.size(); i++) {
      for (TensorSpec spec : shards.get(i)) {
        map.put(spec.name(), name(i));
        total = Math.addExact(total, spec.bytes());
      }
    }
    root.putObject("metadata").put("total_size", total);
    root.set("weight_map", map);
    Path index = folder.resolve(Checkpoint.INDEX);
    Path temporary = folder.resolve(Checkpoint.INDEX + ".part");
    try {
      Files.deleteIfExists(temporary);
      PrivateFiles.write(
          temporary, mapper.writerWithDefaultPrettyPrinter().writeValueAsBytes(root));
      Files.move(
          temporary, index, StandardCopyOption.ATOMIC_MOVE, StandardCopyOption.REPLACE_EXISTING);
    } catch (IOException e) {
      throw new GatunException("cannot write %s: %s".formatted(index, e), e);
    }
  }

  /** Ends the writer; an unfinished file is removed. */
  @Override
  public void close() {
    if (shard < shards.size()) {
      writer.close();
    }
  }
}
