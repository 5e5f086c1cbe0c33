package io.gatun.tools.model;

import io.gatun.attention.Team;
import io.gatun.cache.GatunException;
import java.nio.file.Path;
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
            + " FMA peak of the same threads, in alternating rounds; prints medians.")
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

  @Override
  public Integer call() {
    if (threads < 1 || rounds < 1) {
      throw new GatunException(
          "--threads is %d and --rounds %d; both must be at least 1".formatted(threads, rounds));
    }
    try (Model model = Model.load(folder);
        Team team = Team.of(threads)) {
      ModelSpeed speed = ModelSpeed.of(model, team, rounds);
      System.out.printf(
          "%s: %,d bytes of weights a decode step, %d threads, median of %d rounds%n",
          folder, model.weightBytesPerStep(), threads, rounds);
      System.out.printf(
          "decode   %8.2f tokens/s   weights %.0f %%, attention %.0f %% of a step%n",
          speed.tokensPerSecond(), 100 * speed.weightsShare(), 100 * speed.attentionShare());
      System.out.printf(
          "         weights at %.2f of a plain read of them (%.1f GB/s)%n",
          speed.readShare(), speed.readBytesPerSecond() * 1e-9);
      System.out.printf(
          "prefill  %8.2f tokens/s   weights at %.2f of the FMA peak (%.0f GFLOP/s)%n",
          speed.prefillTokensPerSecond(), speed.fmaShare(), speed.fmaPerSecond() * 1e-9);
    }
    return 0;
  }
}
