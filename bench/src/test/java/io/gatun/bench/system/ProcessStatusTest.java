package io.gatun.bench.system;

import static org.assertj.core.api.Assertions.assertThat;

import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.Assumptions;
import org.junit.jupiter.api.Test;

class ProcessStatusTest {
  @Test
  void faultsAreCountedBehindANameWithBlanks() {
    String stat = "42 (java ) x) S 1 42 42 0 -1 4194304 1234 5 67 8 9 10";
    assertThat(ProcessStatus.faults(stat)).containsExactly(1234, 67);
  }

  @Test
  void kilobytesAreFoundByWholeName() {
    String text = "SwapRss:  9 kB\nRss:             123 kB\nAnonymous:  4 kB\n";
    assertThat(ProcessStatus.kilobytes(text, "Rss")).isEqualTo(123 << 10);
    assertThat(ProcessStatus.kilobytes(text, "Pss")).isZero();
  }

  @Test
  void thisProcessIsSomewhere() {
    Assumptions.assumeTrue(Files.exists(Path.of("/proc/self/smaps_rollup")), "no /proc");
    ProcessStatus status = ProcessStatus.now();
    assertThat(status.heapBytes()).isPositive();
    assertThat(status.residentBytes()).isGreaterThan(status.heapBytes() / 2);
    assertThat(status.fileBytes()).isBetween(1L, status.residentBytes());
    assertThat(status.minorFaults()).isPositive();
    assertThat(ProcessStatus.memory("MemTotal")).isGreaterThan(1 << 28);
  }

  @Test
  void theMachineSaysWhatItIs() {
    Machine machine = Machine.here();
    assertThat(machine.cpu()).isNotBlank();
    assertThat(machine.cores()).isPositive();
    assertThat(machine.vectorBits()).isGreaterThanOrEqualTo(64);
    assertThat(machine.line()).contains(machine.cpu()).contains(machine.commit());
  }
}
