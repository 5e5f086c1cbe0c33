package io.gatun.tools.model;

import io.gatun.attention.Team;
import io.gatun.cache.GatunException;
import java.nio.file.Path;
import java.util.List;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;

/** {@code gatun model speed}: how fast a model runs here, beside what the machine can do. */
@Command(
    name = "speed",
    mixinStandardHelpOptions = true,
    description =
        "Measures a model's decode and prefill beside a plain read of the same weights and the"
            + " FMA peak of the same threads, in alternating rounds; prints medians, and of the"
            + " shares the range from the 10th to the 90th percentile.")
public final class SpeedCommand implements Callable<Integer> {
  @Parameters(paramLabel = "DIR", description = "The model's folder.")
  private Path folder;

  @Option(
      names = "--threads",
      paramLabel = "N",
      description = "Threads; by default one for each processor.")
  private int threads = Runtime.getRuntime().availableProcessors();

  @Option(
      names = "--rounds",
      paramLabel = "N",
      defaultValue = "10",
      description = "Rounds to take the median of. Default: 10.")
  private int rounds;

  @Option(
      names = "--weights",
      paramLabel = "FORM",
      split = ",",
      defaultValue = "model",
      description =
          "model: as the folder has them (the default); q8: rounded to 8 bits, in a file of their"
              + " own; model,q8: both, one after the other.")
  private List<WeightForm> forms;

  @Option(
      names = "--weights-dir",
      paramLabel = "DIR",
      description = "Where rounded weights are kept; by default in the model's folder.")
  private Path weightsFolder;

  @Override
  public Integer call() {
    if (threads < 1 || rounds < 1) {
      throw new GatunException(
          "--threads is %d and --rounds %d; both must be at least 1".formatted(threads, rounds));
    }
    for (WeightForm form : forms) {
      WeightOptions options =
          WeightOptions.of(form, weightsFolder, message -> System.err.println("gatun: " + message));
      try (Team team = Team.of(threads);
          Model model = Model.load(folder, options, team)) {
        print(model, ModelSpeed.of(model, team, rounds));
      }
    }
    return 0;
  }

  private void print(Model model, ModelSpeed speed) {
    System.out.printf(
        "%s: %s weights, %,d bytes of them a decode step, %d threads, median of %d rounds%n",
        folder, model.weightLabel(), model.weightBytesPerStep(), threads, rounds);
    System.out.printf(
        "decode   %8.2f tokens/s   weights %.0f %%, attention %.0f %% of a step%n",
        speed.tokensPerSecond(), 100 * speed.weightsShare(), 100 * speed.attentionShare());
    System.out.printf(
        "         weights at %.2f (%.2f to %.2f) of a plain read of them (%.1f GB/s)%n",
        speed.readShare().median(),
        speed.readShare().low(),
        speed.readShare().high(),
        speed.readBytesPerSecond() * 1e-9);
    System.out.printf(
        "prefill  %8.2f tokens/s   weights at %.2f (%.2f to %.2f) of the FMA peak (%.0f GFLOP/s)%n",
        speed.prefillTokensPerSecond(),
        speed.fmaShare().median(),
        speed.fmaShare().low(),
        speed.fmaShare().high(),
        speed.fmaPerSecond() * 1e-9);
  }
}
