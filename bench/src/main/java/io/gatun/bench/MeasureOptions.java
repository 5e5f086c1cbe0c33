package io.gatun.bench;

import io.gatun.bench.measure.Contest;
import io.gatun.bench.show.Results;
import io.gatun.bench.system.Machine;
import io.gatun.bench.system.ProcessStatus;
import io.gatun.cache.GatunException;
import io.gatun.tools.cli.Sizes;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import picocli.CommandLine.Option;

/** What all measuring commands can be told. */
final class MeasureOptions {
  @Option(
      names = "--quick",
      description = "Fewer shapes and shorter samples: a minute or so, with a wider spread.")
  boolean quick;

  @Option(
      names = "--json",
      paramLabel = "FILE",
      description = "Write the results with machine, JDK, commit and spread as JSON.")
  Path json;

  @Option(
      names = {"-o", "--output"},
      paramLabel = "DIR",
      description = "Write charts as PNG, and the results as JSON, into this folder.")
  Path output;

  @Option(
      names = "--rounds",
      paramLabel = "N",
      description = "Alternating rounds of each measurement (default: 15; with --quick 10).")
  Integer rounds;

  @Option(
      names = "--note",
      paramLabel = "TEXT",
      description = "Kept in the JSON: what else the machine was doing, for instance.")
  String note;

  /** How long each contest takes. */
  Contest.Effort effort() {
    if (rounds != null && rounds < 1) {
      throw new GatunException("--rounds is %d, not at least 1".formatted(rounds));
    }
    return quick
        ? new Contest.Effort(rounds == null ? 10 : rounds, 40, 500)
        : new Contest.Effort(rounds == null ? 15 : rounds, 100, 2000);
  }

  /** Fails before anything is filled if it cannot fit. */
  static void requireMemory(String what, long bytes) {
    long available = ProcessStatus.memory("MemAvailable");
    if (available > 0 && bytes > available / 10 * 9) {
      throw new GatunException(
          "%s takes %s of memory, and the machine has %s available; choose shorter contexts or fewer types"
              .formatted(what, Sizes.human(bytes), Sizes.human(available)));
    }
  }

  /** Makes the output folder, so that a long run does not fail at its end. */
  void prepare() throws IOException {
    if (output != null) {
      Files.createDirectories(output);
    }
    if (json != null && json.toAbsolutePath().getParent() != null) {
      Files.createDirectories(json.toAbsolutePath().getParent());
    }
  }

  /** Writes the results where they were asked for, and says where. */
  void write(String command, Machine machine, List<?> rows) throws IOException {
    Results results = new Results(command, machine, effort(), note, rows);
    if (json != null) {
      results.write(json);
      System.out.println("Results: " + json);
    }
    if (output != null) {
      Path file = output.resolve(command + ".json");
      results.write(file);
      System.out.println("Results: " + file);
    }
  }
}
