package io.gatun.tools.model;

import io.gatun.tools.cli.Progress;
import io.gatun.tools.config.ModelConfig;
import io.gatun.tools.safetensors.TensorType;
import java.nio.file.Path;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;

/** {@code gatun model random}: a model folder with random weights. */
@Command(
    name = "random",
    mixinStandardHelpOptions = true,
    description =
        "Writes a model folder with random weights in the shape of a published model, to measure"
            + " speed and memory where no weights can be had. What it generates means nothing.")
public final class RandomModelCommand implements Callable<Integer> {
  @Parameters(paramLabel = "DIR", description = "The folder to write; made if it is not there.")
  private Path folder;

  @Option(
      names = "--like",
      paramLabel = "NAME",
      defaultValue = "llama-3.2-1b",
      description =
          "llama-3.2-1b (the default), mistral-7b-v0.1, qwen2.5-0.5b, qwen3-0.6b or tiny.")
  private String like;

  @Option(
      names = "--type",
      paramLabel = "TYPE",
      defaultValue = "bf16",
      description = "Type of the weights: f32, f16 or bf16 (the default).")
  private String type;

  @Option(
      names = "--seed",
      paramLabel = "N",
      defaultValue = "1",
      description = "The same seed gives the same weights. Default: 1.")
  private long seed;

  @Override
  public Integer call() {
    var config = ModelPresets.config(like);
    TensorType weights = TensorType.weightOfLabel(type);
    ModelConfig written;
    try (Progress progress = Progress.start("writing", "weights", -1)) {
      written =
          RandomCheckpoint.write(
              folder, config, weights, RandomCheckpoint.DEFAULT_SHARD_BYTES, seed, progress::to);
    }
    long parameters = written.parameters();
    System.out.printf(
        "%s: %,d random %s weights (%,d bytes) in the shape of %s%n",
        folder, parameters, weights.label(), parameters * weights.bytes(), like);
    return 0;
  }
}
