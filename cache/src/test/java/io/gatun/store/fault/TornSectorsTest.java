package io.gatun.store.fault;

import static org.assertj.core.api.Assertions.assertThat;

import io.gatun.store.Conversation;
import io.gatun.store.ConversationStore;
import io.gatun.store.Rows;
import io.gatun.store.StoreOptions;
import io.gatun.store.StoreOptions.Validation;
import java.io.IOException;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Map;
import java.util.Random;
import java.util.TreeMap;
import org.junit.jupiter.api.Test;

/**
 * Fault 4: power fails while the disk writes 512-byte sectors in any order. Between two forces, any
 * subset of the sectors that differ may have arrived.
 *
 * <p>Three images are taken of a step: A, all forced; B, tokens and rows written, nothing forced; C,
 * after the commit. Until the blocks are forced, the disk holds A with any sectors of B. After that,
 * all of B's blocks and any sectors of C's journal.
 */
class TornSectorsTest {
  private static final int SECTOR = 512;

  @Test
  void anySubsetOfSectorsRecovers() throws IOException {
    Random random = new Random(Faults.seed(getClass()));
    int images = Faults.rounds(600, 10_000);
    int older = 0;
    int newer = 0;
    try (Scratch scratch = new Scratch()) {
      Path live = scratch.folder().resolve("live");
      Path crashed = scratch.folder().resolve("crashed");
      StoreOptions options =
          StoreOptions.defaults()
              .withTokenDelay(Duration.ofHours(1))
              .withCommitOnClose(false)
              .withValidation(Validation.ALWAYS);
      for (int done = 0; done < images; ) {
        Scratch.delete(live);
        try (Conversation talk =
            ConversationStore.open(live, options)
                .openOrCreate("talk", Workload.MODEL, Rows.layout())) {
          Rows.accept(talk, 1 + random.nextInt(150), random.nextLong());
          Rows.prefill(talk);
          talk.commit();
          if (random.nextBoolean()) {
            // The rows behind a cut are written again in place.
            talk.truncate(
                talk.tokens().count() - random.nextInt(Math.min(60, talk.tokens().count())));
            talk.commit();
          }
          Map<String, byte[]> a = Scratch.image(live);
          String before = state(talk);
          int tokensBefore = talk.tokens().count();
          Rows.accept(talk, 1 + random.nextInt(150), random.nextLong());
          Rows.prefill(talk);
          Map<String, byte[]> b = Scratch.image(live);
          talk.commit();
          Map<String, byte[]> c = Scratch.image(live);
          String after = state(talk);
          for (int i = 0; i < 50 && done < images; i++, done++) {
            boolean blocksForced = random.nextBoolean();
            Scratch.restore(blocksForced ? mix(a, b, c, random) : mix(a, a, b, random), crashed);
            try (Conversation found =
                ConversationStore.open(crashed, options)
                    .openOrCreate("talk", Workload.MODEL, Rows.layout())) {
              Rows.check(found.cache().live(), found.tokens());
              assertThat(found.tokens().count()).isGreaterThanOrEqualTo(tokensBefore);
              assertThat(state(found)).isIn(before, after);
              if (state(found).equals(after)) {
                newer++;
              } else {
                older++;
              }
            }
          }
        }
      }
    }
    System.out.printf(
        "TornSectorsTest: %d images, %d at the commit before, %d at the one under way%n",
        images, older, newer);
    assertThat(older).isPositive();
  }

  private static String state(Conversation talk) {
    int length = (int) talk.committedTokens();
    return "%d %x".formatted(length, Rows.history(talk.tokens(), length));
  }

  /**
   * What the disk may hold.
   *
   * @param forced the image that was forced, as far as journals go
   * @param forcedBlocks the image that was forced, as far as blocks go
   * @param current what was written since
   */
  private static Map<String, byte[]> mix(
      Map<String, byte[]> forced,
      Map<String, byte[]> forcedBlocks,
      Map<String, byte[]> current,
      Random random) {
    Map<String, byte[]> disk = new TreeMap<>();
    double share = random.nextDouble();
    for (Map.Entry<String, byte[]> file : current.entrySet()) {
      boolean block = file.getKey().endsWith(".kv");
      byte[] base = (block ? forcedBlocks : forced).get(file.getKey());
      if (base == null) {
        if (random.nextBoolean()) {
          continue;
        }
        base = new byte[0];
      }
      byte[] now = file.getValue();
      byte[] mixed = new byte[now.length];
      System.arraycopy(base, 0, mixed, 0, Math.min(base.length, now.length));
      for (int at = 0; at < now.length; at += SECTOR) {
        if (random.nextDouble() < share) {
          System.arraycopy(now, at, mixed, at, Math.min(SECTOR, now.length - at));
        }
      }
      disk.put(file.getKey(), mixed);
    }
    return disk;
  }
}
