package io.gatun.tools.model;

import com.fasterxml.jackson.databind.ObjectMapper;
import io.gatun.cache.GatunException;
import io.gatun.tools.cli.PrivateFiles;
import io.gatun.tools.config.ModelConfig;
import io.gatun.tools.config.ModelConfigReader;
import io.gatun.tools.safetensors.CheckpointWriter;
import io.gatun.tools.safetensors.TensorSpec;
import io.gatun.tools.safetensors.TensorType;
import io.gatun.tools.text.ByteTokenizerFile;
import java.io.IOException;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.SplittableRandom;
import java.util.function.LongConsumer;

/**
 * Writes a model of a given shape with random weights, as a Hugging Face folder, for tests and for
 * measuring speed: it says nothing sensible, but costs what a real one of its shape costs. Streams,
 * so that the heap stays small.
 */
public final class RandomCheckpoint {
  /** Largest file, as Hugging Face cuts them. */
  public static final long DEFAULT_SHARD_BYTES = 5_000_000_000L;

  private static final int CHUNK = 1 << 14;

  private RandomCheckpoint() {}

  /**
   * Writes a folder.
   *
   * @param config the fields of {@code config.json}
   * @param type of the weights
   * @param maxShardBytes a file is ended before it would pass this
   * @param seed of the weights: the same seed gives the same files
   * @param progress is told how many weights are written so far, now and then
   * @throws GatunException if the configuration is not one that Gatun runs, or the files cannot be
   *     written
   */
  public static ModelConfig write(
      Path folder,
      Map<String, ?> config,
      TensorType type,
      long maxShardBytes,
      long seed,
      LongConsumer progress) {
    ModelConfig parsed = writeConfig(folder, config, type);
    List<TensorSpec> specs = Weights.tensors(parsed, type);
    SplittableRandom random = new SplittableRandom(seed);
    long written = 0;
    float[] chunk = new float[CHUNK];
    try (CheckpointWriter writer = new CheckpointWriter(folder, specs, maxShardBytes)) {
      for (TensorSpec spec : specs) {
        long left = spec.elements();
        while (left > 0) {
          int count = (int) Math.min(CHUNK, left);
          fill(chunk, count, spec, random);
          writer.out().write(chunk, 0, count);
          left -= count;
          written += count;
          progress.accept(written);
        }
      }
      writer.commit();
    }
    if (parsed.vocabSize() >= ByteTokenizerFile.IDS) {
      ByteTokenizerFile.write(folder, Map.of());
    }
    return parsed;
  }

  private static ModelConfig writeConfig(Path folder, Map<String, ?> config, TensorType type) {
    Map<String, Object> fields = new LinkedHashMap<>(config);
    fields.put(
        "torch_dtype",
        switch (type) {
          case F32 -> "float32";
          case F16 -> "float16";
          default -> "bfloat16";
        });
    Path file = folder.resolve("config.json");
    try {
      PrivateFiles.createFolders(folder);
      PrivateFiles.write(
          file, new ObjectMapper().writerWithDefaultPrettyPrinter().writeValueAsBytes(fields));
    } catch (IOException e) {
      throw new GatunException("cannot write %s: %s".formatted(file, e), e);
    }
    return ModelConfigReader.read(folder);
  }

  /**
   * Matrices get values of variance 1 / columns, which keeps activations of order 1; gains lie around
   * 1 and biases around 0.
   */
  private static void fill(float[] chunk, int count, TensorSpec spec, SplittableRandom random) {
    boolean gain = spec.name().endsWith("norm.weight");
    // Experts in one tensor have their inputs before their outputs; a table of biases has none.
    int extents = spec.shape().size();
    boolean matrix = extents >= 2 && !spec.name().endsWith("bias");
    float mean = gain ? 1 : 0;
    float deviation = matrix ? (float) (1 / Math.sqrt(spec.shape().get(1))) : 0.1f;
    // Uniform on 2^16 steps around 0: variance 1 after scaling by sqrt(12) / 2^16.
    float step = deviation * (float) (Math.sqrt(12) / 65536);
    for (int i = 0; i < count; i += 4) {
      long bits = random.nextLong();
      for (int k = i; k < Math.min(i + 4, count); k++) {
        chunk[k] = Math.fma((short) bits, step, mean);
        bits >>>= 16;
      }
    }
  }
}
