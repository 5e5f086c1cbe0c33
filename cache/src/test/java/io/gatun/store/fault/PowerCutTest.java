package io.gatun.store.fault;

import static org.assertj.core.api.Assertions.assertThat;

import io.gatun.store.ConversationStore;
import java.io.BufferedReader;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Random;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/**
 * Fault 3: the power goes. An ext4 of its own is shut down at a random moment without flushing its
 * journal ({@code FS_IOC_SHUTDOWN}), and mounted again. Beside the store, on the same disk, a control
 * writes its rows and forces only its own log, as a careless store would: it must lose rows that it
 * reported, or the test proves nothing.
 */
class PowerCutTest {
  @TempDir Path temp;

  @Test
  void everyForcedStateSurvives() throws Throwable {
    cut(false, Faults.rounds(2, 50));
  }

  /**
   * What a killed process left stands in the page cache only. Whoever opens it next must not take
   * that for forced: so it is opened, and then the power goes.
   */
  @Test
  void whatAKilledProcessLeftSurvivesThePowerCutThatFollows() throws Throwable {
    cut(true, Faults.rounds(1, 25));
  }

  private void cut(boolean afterAKill, int rounds) throws Throwable {
    Faults.needRootAnd("mount", "mkfs.ext4");
    Random random = new Random(Faults.seed(getClass()));
    int controlLost = 0;
    int states = 0;
    for (int round = 0; round < rounds; round++) {
      Path place = Files.createDirectory(temp.resolve("round" + round));
      try (SmallDisk disk = SmallDisk.ext4(place, 96 << 20)) {
        Expectation expectation = new Expectation(true);
        Path folder = disk.path().resolve("store");
        // Two lives: what the second finds was itself recovered.
        for (int life = 0; life < 2; life++) {
          if (afterAKill) {
            kill(folder, expectation, random, place);
          }
          PowerCut.Control control = new PowerCut.Control(disk.path(), life);
          Process child =
              Faults.start(
                  Faults.java(
                      Workload.class, folder.toString(), Long.toString(random.nextLong()), "-1"),
                  place.resolve("stderr"));
          long reported = 0;
          try (BufferedReader lines = Faults.lines(child)) {
            boolean ready = false;
            int left = 1 + (afterAKill ? random.nextInt(20) : 9 + random.nextInt(150));
            for (String line; (line = lines.readLine()) != null; ) {
              expectation.line(line);
              ready |= line.equals("READY");
              if (ready && --left == 0) {
                reported = control.write();
                TimeUnit.MICROSECONDS.sleep(random.nextInt(5_000));
                PowerCut.now(disk.path(), child);
                child.toHandle().destroyForcibly();
              }
            }
          }
          child.waitFor();
          control.close();
          disk.unmount();
          disk.mount(place.resolve("ext4.image"));
          controlLost += PowerCut.Control.found(disk.path(), life) < reported ? 1 : 0;
          states += expectation.lines().size();
          expectation.check(ConversationStore.open(folder));
        }
      }
      Files.delete(place.resolve("ext4.image"));
    }
    System.out.printf(
        "PowerCutTest: %d power cuts%s, %d states announced, 0 lost; the unordered control lost"
            + " rows %d times%n",
        2 * rounds, afterAKill ? " after as many kills" : "", states, controlLost);
    assertThat(controlLost).isPositive();
  }

  /** Runs a workload and kills it somewhere. */
  private static void kill(Path folder, Expectation expectation, Random random, Path place)
      throws IOException, InterruptedException {
    Process child =
        Faults.start(
            Faults.java(Workload.class, folder.toString(), Long.toString(random.nextLong()), "-1"),
            place.resolve("stderr"));
    try (BufferedReader lines = Faults.lines(child)) {
      boolean ready = false;
      int left = 10 + random.nextInt(150);
      for (String line; (line = lines.readLine()) != null; ) {
        expectation.line(line);
        ready |= line.equals("READY");
        if (ready && --left == 0) {
          child.toHandle().destroyForcibly();
        }
      }
    }
    assertThat(child.waitFor()).isEqualTo(137);
  }
}
