package io.gatun.tools.model;

import io.gatun.cache.KvShape;
import io.gatun.tools.safetensors.Checkpoint;
import java.lang.foreign.Arena;
import java.nio.file.Path;

/**
 * A model as Hugging Face offers it: a folder with {@code config.json}, safetensors files and {@code
 * tokenizer.json}. Its weights are mapped, never read to the heap. Any thread; several decoders may
 * share one model.
 */
public final class Model implements AutoCloseable {
  private final Path folder;
  private final ModelConfig config;
  private final Checkpoint checkpoint;
  private final Arena arena;
  private final Weights weights;

  private Model(
      Path folder, ModelConfig config, Checkpoint checkpoint, Arena arena, Weights weights) {
    this.folder = folder;
    this.config = config;
    this.checkpoint = checkpoint;
    this.arena = arena;
    this.weights = weights;
  }

  /**
   * Opens a model's folder.
   *
   * @throws io.gatun.cache.GatunException if a file is missing or damaged, or the model is not one
   *     that Gatun runs
   */
  public static Model load(Path folder) {
    // First the weights: a path that is no model folder gets the message that says so.
    Checkpoint checkpoint = Checkpoint.open(folder);
    Arena arena = Arena.ofShared();
    try {
      ModelConfig config = ModelConfigReader.read(folder);
      return new Model(folder, config, checkpoint, arena, Weights.of(checkpoint, config, arena));
    } catch (RuntimeException | Error e) {
      arena.close();
      checkpoint.close();
      throw e;
    }
  }

  /** The folder that it was loaded from. */
  public Path folder() {
    return folder;
  }

  /** What it computes. */
  public ModelConfig config() {
    return config;
  }

  /** What one token leaves in a KV cache of this model. */
  public KvShape kvShape() {
    return config.kvShape();
  }

  /** The mapped files. */
  Checkpoint checkpoint() {
    return checkpoint;
  }

  Weights weights() {
    return weights;
  }

  /** Bytes of weights that one decode step reads. */
  public long weightBytesPerStep() {
    return weights.bytesPerStep();
  }

  /** Unmaps the weights. Decoders of this model must be closed before. */
  @Override
  public void close() {
    if (arena.scope().isAlive()) {
      arena.close();
      checkpoint.close();
    }
  }
}
