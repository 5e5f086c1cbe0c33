package io.gatun.tools.recall;

import static java.nio.charset.StandardCharsets.US_ASCII;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import io.gatun.attention.Team;
import io.gatun.cache.KvType;
import io.gatun.cache.RowReader;
import io.gatun.tools.model.Model;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.Random;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.condition.EnabledIfSystemProperty;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/**
 * Long contexts in the real decoder. Their rows are put into the cache in closed form, which {@link
 * #theClosedFormIsWhatTheModelComputes} checks; {@code -Dgatun.heavy=true} adds 262,144 tokens in F32
 * (1 GiB) and a real prefill of 131,072.
 */
class LongContextTest {
  private static final long SEED = 131_072;

  @TempDir static Path folder;

  private static Model model;
  private static Team team;

  @BeforeAll
  static void open() {
    model = Model.load(Recall.ensure(folder.resolve("recall")));
    team = Team.of(2);
  }

  @AfterAll
  static void close() {
    team.close();
    model.close();
  }

  /** Letters and spaces in no order: no 24 bytes stand there twice. */
  private static byte[] letters(int count) {
    Random random = new Random(SEED);
    byte[] letters = new byte[count];
    for (int i = 0; i < count; i++) {
      letters[i] = (byte) "etaoin shrdlu cmfwyp".charAt(random.nextInt(20));
    }
    return letters;
  }

  @Test
  void theClosedFormIsWhatTheModelComputes() {
    byte[] bytes = letters(400);
    try (Runner computed = new Runner(model, team, KvType.F32);
        Runner closed = new Runner(model, team, KvType.F32)) {
      computed.read(bytes);
      new ClosedForm(bytes).fill(closed.cache);
      float[] expected = new float[RecallDesign.HEAD_DIM];
      float[] found = new float[RecallDesign.HEAD_DIM];
      for (int position = RecallDesign.MATCH; position < bytes.length; position++) {
        for (int layer = 0; layer < RecallDesign.LAYERS; layer++) {
          for (int head = 0; head < RecallDesign.KV_HEADS; head++) {
            RowReader.key(closed.cache.live(), layer, head, position, expected);
            RowReader.key(computed.cache.live(), layer, head, position, found);
            assertThat(found).containsExactly(expected, within(1e-5f));
            RowReader.value(closed.cache.live(), layer, head, position, expected);
            RowReader.value(computed.cache.live(), layer, head, position, found);
            assertThat(found).containsExactly(expected, within(1e-5f));
          }
        }
      }
    }
  }

  @ParameterizedTest
  @CsvSource({"BF16, 131072", "F16, 65536", "F32, 40000"})
  void findsPassagesAnywhere(KvType type, int context) {
    findsPassages(type, context);
  }

  @ParameterizedTest
  @EnabledIfSystemProperty(named = "gatun.heavy", matches = "true")
  @CsvSource({"F32, 262000", "F16, 262000", "BF16, 262000"})
  void findsPassagesInTheLongestContext(KvType type, int context) {
    findsPassages(type, context);
  }

  private static void findsPassages(KvType type, int context) {
    byte[] bytes = letters(context);
    byte[] passage = "a passage that stands there three times".getBytes(US_ASCII);
    int last = context * 9 / 10;
    for (int at : new int[] {context / 10, context / 2, last}) {
      System.arraycopy(passage, 0, bytes, at, passage.length);
    }
    try (Runner runner = new Runner(model, team, type)) {
      new ClosedForm(bytes).fill(runner.cache);
      for (int from : new int[] {30, context / 3, context - 200, last - 10}) {
        runner.cache.truncate(context);
        runner.read(Arrays.copyOfRange(bytes, from, from + 30 + passage.length));
        int at = from + 30 + passage.length;
        assertThat(new String(runner.continueWith(40), US_ASCII))
            .as("%s, %d tokens, passage at %d, seed %d", type, context, from, SEED)
            .isEqualTo(new String(bytes, at, 40, US_ASCII));
      }
      // Of the three places where the passage stands, the last is continued.
      runner.cache.truncate(context);
      assertThat(new String(runner.read(passage).continueWith(40), US_ASCII))
          .isEqualTo(new String(bytes, last + passage.length, 40, US_ASCII));
    }
  }

  @Test
  @EnabledIfSystemProperty(named = "gatun.heavy", matches = "true")
  void prefillsAndContinuesALongContext() {
    byte[] bytes = letters(131_072);
    try (Runner runner = new Runner(model, team, KvType.F16)) {
      runner.read(bytes);
      runner.read(Arrays.copyOfRange(bytes, 1000, 1040));
      assertThat(runner.continueWith(200)).isEqualTo(Arrays.copyOfRange(bytes, 1040, 1240));
    }
  }
}
