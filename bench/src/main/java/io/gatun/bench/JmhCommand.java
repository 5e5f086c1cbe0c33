package io.gatun.bench;

import java.io.IOException;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Unmatched;

/** {@code gatun bench jmh}: the JMH command line over Gatun's benchmarks. */
@Command(
    name = "jmh",
    description = {
      "Runs the JMH benchmarks: decode, prefill, append, open, commit.",
      "",
      "All arguments go to JMH; -l lists the benchmarks, -lp their parameters, -h explains the"
          + " rest. For instance: gatun bench jmh DecodeBenchmark -p type=BF16 -p context=16384 -f"
          + " 1",
      ""
    })
final class JmhCommand implements Callable<Integer> {
  @Unmatched private List<String> arguments = new ArrayList<>();

  @Override
  public Integer call() throws IOException {
    org.openjdk.jmh.Main.main(arguments.toArray(String[]::new));
    return 0;
  }
}
