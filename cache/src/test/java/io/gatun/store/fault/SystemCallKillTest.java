package io.gatun.store.fault;

import static org.assertj.core.api.Assertions.assertThat;

import io.gatun.store.ConversationStore;
import java.io.BufferedReader;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;
import org.junit.jupiter.params.provider.ValueSource;

/**
 * Faults 2 and 6: the k-th system call of a kind kills the process, or fails, for every k: through
 * create, append, commit, fork, rollback, delete, eviction, gc, and, on the same store, through
 * recovery. {@code -Dgatun.fault.calls=unlink,rmdir} runs some calls only.
 */
class SystemCallKillTest {
  private static final long SEED = 5;
  private static final int OPERATIONS = 45;

  @TempDir Path temp;

  @BeforeEach
  void strace() {
    Faults.needTools("strace");
  }

  private List<String> straced(String inject, Path store, long seed, int operations) {
    List<String> command = new ArrayList<>();
    command.addAll(List.of("strace", "-f", "-qq", "-o", temp.resolve("strace").toString()));
    if (inject.contains("error=")) {
      // Faster; but strace 6.1 then miscounts the calls that a signal is for.
      command.add("--seccomp-bpf");
    }
    command.addAll(List.of("-e", "trace=" + inject.split(":")[0], "-e", "inject=" + inject));
    command.addAll(
        Faults.java(
            Workload.class, store.toString(), Long.toString(seed), Integer.toString(operations)));
    return command;
  }

  private int run(List<String> command, Expectation expectation)
      throws IOException, InterruptedException {
    Process child = Faults.start(command, temp.resolve("stderr"));
    try (BufferedReader lines = Faults.lines(child)) {
      for (String line; (line = lines.readLine()) != null; ) {
        expectation.line(line);
      }
    }
    return child.waitFor();
  }

  /** In every build only some k; under the profile all. */
  private static int next(int k) {
    return Faults.LONG ? k + 1 : k * 5 + 11;
  }

  static List<String> calls() {
    List<String> all =
        List.of(
            "msync",
            "fsync",
            "write",
            "pwrite64",
            "fallocate",
            "rename",
            "unlink",
            "mkdir",
            "rmdir");
    String chosen = System.getProperty("gatun.fault.calls");
    if (chosen != null) {
      return List.of(chosen.split(","));
    }
    return Faults.LONG ? all : List.of("msync", "rename");
  }

  @ParameterizedTest
  @MethodSource("calls")
  void killedAtEveryCall(String call) throws IOException, InterruptedException {
    int kills = 0;
    for (int k = 1; ; k = next(k)) {
      Path folder = temp.resolve("store" + k);
      Expectation expectation = new Expectation(false);
      int exit =
          run(straced(call + ":signal=SIGKILL:when=" + k, folder, SEED, OPERATIONS), expectation);
      if (exit == 0) {
        assertThat(expectation.lines()).last().isEqualTo("END");
        break;
      }
      assertThat(exit).as("%s, k = %d", call, k).isEqualTo(137);
      kills++;
      // Recovery, too, is killed at some call before it is let run to its end.
      run(
          straced(call + ":signal=SIGKILL:when=" + (1 + k % 7), folder, 1, 0),
          new Expectation(false));
      expectation.check(ConversationStore.open(folder));
    }
    assertThat(kills).isGreaterThan(Faults.LONG ? 3 : 0);
    System.out.printf("SystemCallKillTest: %s: %d kills%n", call, kills);
  }

  @ParameterizedTest
  @ValueSource(strings = {"msync", "fsync"})
  void aFailedForcePoisonsForGood(String call) throws IOException, InterruptedException {
    int failures = 0;
    for (int k = 1; ; k = next(k)) {
      Path folder = temp.resolve("store" + k);
      Expectation expectation = new Expectation(false);
      int exit = run(straced(call + ":error=EIO:when=" + k, folder, SEED, OPERATIONS), expectation);
      if (exit == 0) {
        break;
      }
      failures++;
      List<String> lines = expectation.lines();
      assertThat(lines).noneMatch(line -> line.contains("BROKEN"));
      if (exit == 3) {
        // strace counts the calls of each thread: the late force of another conversation's token
        // ids may be the k-th of its thread, and fail, too.
        assertThat(lines).last().asString().matches("POISONED [1-9]");
      } else {
        // A folder or a new journal could not be forced: the operation failed, and nothing of it
        // counts.
        assertThat(exit).as("%s, k = %d", call, k).isEqualTo(1);
      }
      expectation.check(ConversationStore.open(folder));
    }
    assertThat(failures).isPositive();
    System.out.printf("SystemCallKillTest: %s: %d I/O errors%n", call, failures);
  }
}
