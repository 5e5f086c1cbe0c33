package io.gatun.tools.report;

import io.gatun.cache.GatunException;
import io.gatun.tools.model.Model;
import io.gatun.tools.model.RandomCheckpoint;
import io.gatun.tools.safetensors.TensorType;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.stream.Stream;

/** A small model with random weights in a temporary folder: 8 query heads on 2 KV heads. */
final class RandomModel implements AutoCloseable {
  private static final long SEED = 3;

  private final Path folder;
  private final Model model;

  RandomModel() {
    try {
      folder = Files.createTempDirectory("gatun-report-");
    } catch (IOException e) {
      throw new GatunException("cannot make a temporary folder: " + e, e);
    }
    RandomCheckpoint.write(
        folder,
        Map.ofEntries(
            Map.entry("model_type", "llama"),
            Map.entry("hidden_size", 128),
            Map.entry("intermediate_size", 256),
            Map.entry("num_hidden_layers", 2),
            Map.entry("num_attention_heads", 8),
            Map.entry("num_key_value_heads", 2),
            Map.entry("head_dim", 16),
            Map.entry("vocab_size", 256),
            Map.entry("rms_norm_eps", 1e-5),
            Map.entry("rope_theta", 10000.0),
            Map.entry("max_position_embeddings", 4096)),
        TensorType.F32,
        RandomCheckpoint.DEFAULT_SHARD_BYTES,
        SEED,
        written -> {});
    model = Model.load(folder);
  }

  Model model() {
    return model;
  }

  @Override
  public void close() {
    model.close();
    try (Stream<Path> list = Files.list(folder)) {
      List<Path> files = list.toList();
      for (Path file : files) {
        Files.delete(file);
      }
      Files.delete(folder);
    } catch (IOException e) {
      throw new GatunException("cannot remove %s: %s".formatted(folder, e), e);
    }
  }
}
