package io.gatun.store.fault;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.BufferedReader;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Assumptions;
import org.junit.jupiter.api.Test;

/**
 * Every system call that the store makes fails once: before it does anything, after it did it, and
 * with all that follow. After the fault is gone a new program finds everything that was
 * acknowledged; until then nothing wrong is handed out, no undocumented exception comes out,
 * nothing is held for ever. In every build a sample, under the profile every case.
 *
 * <p>{@code -Dgatun.fault.case='scenario|call:k:error:form|end'} repeats a case, {@code
 * -Dgatun.fault.case=scenario} runs some scenarios, {@code -Dgatun.fault.rounds=N} so many cases of
 * each.
 */
class SystemCallFaultTest {
  @Test
  void anErrorThatPassesIsNoDamage() throws Exception {
    if (!FaultShim.fits()) {
      System.err.println("SKIPPED: SystemCallFaultTest: it needs Linux on x86-64");
      Assumptions.abort("it needs Linux on x86-64");
    }
    Faults.needTools("cc");
    Path library = FaultShim.compile(Path.of("target", "fault"));
    String chosen = System.getProperty("gatun.fault.case", "");
    String most = Integer.toString(Faults.rounds(18, -1));
    String seconds = Long.toString(Faults.seconds(30, 6 * 3600));
    String seed = Long.toString(Faults.seed(getClass()));
    List<String> command =
        new ArrayList<>(
            Faults.java(SystemCallFaults.class, library.toString(), seed, most, seconds, chosen));
    Path errors = Path.of("target", "fault", "SystemCallFaultTest.stderr");
    Process child = Faults.start(command, errors);
    List<String> lines = new ArrayList<>();
    try (BufferedReader reader = Faults.lines(child)) {
      for (String line; (line = reader.readLine()) != null; ) {
        System.out.println(line);
        lines.add(line);
      }
    }
    int exit = child.waitFor();
    assertThat(exit).as("%s%n%s", Files.readString(errors), String.join("\n", lines)).isZero();
    assertThat(lines).anyMatch(line -> line.contains(" 0 not as they should be"));
  }
}
