package io.gatun.store.fault;

import static org.assertj.core.api.Assertions.assertThat;

import io.gatun.store.ConversationStore;
import java.io.BufferedReader;
import java.io.IOException;
import java.nio.file.Path;
import java.util.Random;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Fault 1: {@code kill -9} at random moments, with forks, rollbacks and deletions under way. */
class KillTest {
  @TempDir Path temp;

  @Test
  void everyAcknowledgedStateSurvivesAKill() throws IOException, InterruptedException {
    Random random = new Random(Faults.seed(getClass()));
    int rounds = Faults.rounds(6, 500);
    long states = 0;
    for (int round = 0; round < rounds; round++) {
      // The store goes on from round to round, so that recovered states are recovered from again.
      Path folder = temp.resolve("store" + round / 25);
      Expectation expectation = new Expectation(false);
      Process child =
          Faults.start(
              Faults.java(
                  Workload.class, folder.toString(), Long.toString(random.nextLong()), "-1"),
              temp.resolve("stderr"));
      try (BufferedReader lines = Faults.lines(child)) {
        boolean ready = false;
        int left = 1 + random.nextInt(150);
        for (String line; (line = lines.readLine()) != null; ) {
          expectation.line(line);
          ready |= line.equals("READY");
          if (ready && --left == 0) {
            // Not at a line's end only: somewhere in what comes after it.
            TimeUnit.MICROSECONDS.sleep(random.nextInt(5_000));
            // The handle, since the process object would also close the stream.
            child.toHandle().destroyForcibly();
          }
        }
      }
      assertThat(child.waitFor()).as("round %d: killed, not ended", round).isEqualTo(137);
      states += expectation.lines().size();
      expectation.check(ConversationStore.open(folder));
    }
    System.out.printf("KillTest: %d kills, %d states announced, 0 lost%n", rounds, states);
  }
}
