package io.gatun.store.fault;

import static org.assertj.core.api.Assertions.assertThat;

import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.junit.jupiter.api.Assumptions;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/**
 * Fault 10: the stress tests of {@code src/jcstress}, by the harness that reorders what the memory
 * model lets it reorder. Compiled and run under the Maven profile fault only.
 */
class StressTest {
  @TempDir Path temp;

  @Test
  void publishedLengthsComeBehindTheirRows() throws Exception {
    Class<?> main;
    try {
      main = Class.forName("org.openjdk.jcstress.Main");
    } catch (ClassNotFoundException e) {
      Assumptions.abort("jcstress is there under the profile fault only");
      return;
    }
    List<String> command = new ArrayList<>(Faults.java(main));
    // Its forks inherit these flags; both compilers have to do their worst.
    command.remove("-XX:TieredStopAtLevel=1");
    command.set(command.indexOf("-Xmx128m"), "-Xmx512m");
    command.addAll(
        List.of(
            "-t",
            "io.gatun.",
            "-v",
            "-af",
            "NONE",
            "-sc",
            "false",
            "-f",
            "1",
            "-fsm",
            "1",
            "-iters",
            "6",
            "-time",
            // Two tests in two forks of six iterations each.
            Long.toString(Faults.seconds(60, 60) * 1_000 / 24),
            "-r",
            temp.resolve("results").toString(),
            "-strideSize",
            "16",
            "-strideCount",
            "4",
            "-jvmArgs",
            "-Xmx256m"));
    Path output = temp.resolve("output");
    int exit =
        new ProcessBuilder(command)
            .directory(temp.toFile())
            .redirectErrorStream(true)
            .redirectOutput(output.toFile())
            .start()
            .waitFor();
    String said = Files.readString(output);
    assertThat(exit).as(said).isZero();
    assertThat(said).contains("Failed tests: No matches").contains("Error tests: No matches");
    assertThat(said).contains("CacheLengthStress").contains("PublishedEndStress");
    System.out.printf("StressTest: %s%n", samples(said));
  }

  /** How often each outcome was seen, over all runs: lines of "outcome  samples  share ...". */
  private static String samples(String said) {
    Matcher line =
        Pattern.compile("(?m)^\\s+(\\d+, \\d+)\\s+([\\d,]+)\\s+<?[\\d.]+%").matcher(said);
    java.util.Map<String, Long> counts = new java.util.TreeMap<>();
    while (line.find()) {
      counts.merge(line.group(1), Long.parseLong(line.group(2).replace(",", "")), Long::sum);
    }
    return counts.toString();
  }
}
