package io.gatun.store.fault;

import static org.assertj.core.api.Assertions.assertThat;

import io.gatun.store.ConversationStore;
import java.io.BufferedReader;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Random;
import java.util.concurrent.TimeUnit;

/** The rounds of {@link PowerCutReadersTest}; also a program, for modules that have exports. */
public final class PowerCutRounds {
  private PowerCutRounds() {}

  /** Arguments: a folder to work in, rounds, a seed, and what {@link Outside} needs. */
  public static void main(String[] args) throws Throwable {
    run(Path.of(args[0]), Integer.parseInt(args[1]), Long.parseLong(args[2]), Outside.of(args[3]));
  }

  /** Runs them. The control has to lose rows; nothing else may. */
  static void run(Path folder, int rounds, long seed, Outside outside) throws Throwable {
    Random random = new Random(seed);
    int controlLost = 0;
    int kills = 0;
    int states = 0;
    int readers = 0;
    int exports = 0;
    for (int round = 0; round < rounds; round++) {
      Path place = Files.createDirectory(folder.resolve("round" + round));
      try (SmallDisk disk = SmallDisk.ext4(place, 96 << 20)) {
        CutExpectation expectation = new CutExpectation(outside, place);
        // Its parents are new, too.
        Path store = disk.path().resolve("new").resolve("newer").resolve("store");
        for (int life = 0; life < 2; life++) {
          boolean kill = random.nextInt(3) == 0;
          PowerCut.Control control = new PowerCut.Control(disk.path(), life);
          long reported = 0;
          Process child =
              Faults.start(
                  Faults.java(
                      CutWorkload.class, store.toString(), Long.toString(random.nextLong())),
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
                  PowerCut.now(disk.path(), child);
                }
                child.toHandle().destroyForcibly();
              }
            }
          }
          child.waitFor();
          // Behind the cut it may have ended by itself, of an I/O error; before it, it must not.
          assertThat(left).as("%s", Files.readString(place.resolve("stderr"))).isNotPositive();
          if (kill) {
            kills++;
            expectation.checkReaders(ConversationStore.open(store));
            reported = control.write();
            PowerCut.now(disk.path());
          }
          control.close();
          disk.unmount();
          disk.mount(place.resolve("ext4.image"));
          controlLost += PowerCut.Control.found(disk.path(), life) < reported ? 1 : 0;
          ConversationStore again = ConversationStore.open(store);
          expectation.checkReaders(again);
          expectation.checkWriters(again);
        }
        states += expectation.states();
        readers += expectation.readers();
        exports += expectation.exported();
      }
      Files.delete(place.resolve("ext4.image"));
      if (round % 10 == 9) {
        System.out.printf("... %d rounds, control lost %d%n", round + 1, controlLost);
      }
    }
    System.out.printf(
        "%d power cuts, %d of them after a kill, %d states announced, %d readers and %d exports"
            + " compared, 0 lost; the unordered control lost rows %d times%n",
        2 * rounds, kills, states, readers, exports, controlLost);
    assertThat(controlLost).isPositive();
  }
}
