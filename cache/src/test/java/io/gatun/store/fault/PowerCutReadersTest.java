package io.gatun.store.fault;

import static org.assertj.core.api.Assertions.assertThat;

import io.gatun.store.ConversationStore;
import java.io.BufferedReader;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Random;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/**
 * Fault 3b: the power goes, or a process is killed and then the power goes, just after conversations
 * or the store itself came to be, were forked, renamed or deleted. Whoever only reads afterwards sees
 * what was acknowledged, before anybody opened the store for writing; beside it stands a control that
 * must lose data, see {@link PowerCut}.
 */
class PowerCutReadersTest {
  @TempDir Path temp;

  @Test
  void readersSeeWhatWasAcknowledgedBeforeThePowerWent() throws Throwable {
    Faults.needRootAnd("mount", "mkfs.ext4");
    int rounds = Faults.rounds(2, 100);
    Random random = new Random(Faults.seed(getClass()));
    int controlLost = 0;
    int kills = 0;
    int states = 0;
    int readers = 0;
    for (int round = 0; round < rounds; round++) {
      Path place = Files.createDirectory(temp.resolve("round" + round));
      try (SmallDisk disk = SmallDisk.ext4(place, 96 << 20)) {
        CutExpectation expectation = new CutExpectation();
        // Its parents are new, too.
        Path folder = disk.path().resolve("new").resolve("newer").resolve("store");
        for (int life = 0; life < 2; life++) {
          boolean kill = random.nextInt(3) == 0;
          PowerCut.Control control = new PowerCut.Control(disk.path(), life);
          long reported = 0;
          Process child =
              Faults.start(
                  Faults.java(
                      CutWorkload.class, folder.toString(), Long.toString(random.nextLong())),
                  place.resolve("stderr"));
          boolean ready = false;
          int left = 1 + random.nextInt(random.nextBoolean() ? 12 : 120);
          try (BufferedReader lines = Faults.lines(child)) {
            for (String line; (line = lines.readLine()) != null; ) {
              expectation.line(line);
              ready |= line.equals("READY");
              if (ready && --left == 0) {
                if (!kill) {
                  reported = control.write();
                  TimeUnit.MICROSECONDS.sleep(random.nextInt(5_000));
                  PowerCut.now(disk.path());
                }
                child.toHandle().destroyForcibly();
              }
            }
          }
          assertThat(child.waitFor())
              .as("%s", Files.readString(place.resolve("stderr")))
              .isEqualTo(137);
          if (kill) {
            kills++;
            expectation.checkReaders(ConversationStore.open(folder));
            reported = control.write();
            PowerCut.now(disk.path());
          }
          control.close();
          disk.unmount();
          disk.mount(place.resolve("ext4.image"));
          controlLost += PowerCut.Control.found(disk.path(), life) < reported ? 1 : 0;
          ConversationStore store = ConversationStore.open(folder);
          expectation.checkReaders(store);
          expectation.checkWriters(store);
        }
        states += expectation.states();
        readers += expectation.readers();
      }
      Files.delete(place.resolve("ext4.image"));
    }
    System.out.printf(
        "PowerCutReadersTest: %d power cuts, %d of them after a kill, %d states announced, %d"
            + " readers compared, 0 lost; the unordered control lost rows %d times%n",
        2 * rounds, kills, states, readers, controlLost);
    assertThat(controlLost).isPositive();
  }
}
