package io.gatun.tools.recall;

import static java.nio.charset.StandardCharsets.US_ASCII;
import static org.assertj.core.api.Assertions.assertThat;

import io.gatun.attention.Team;
import io.gatun.cache.KvType;
import io.gatun.cache.KvView;
import io.gatun.tools.model.Model;
import io.gatun.tools.text.Tokenizer;
import java.io.ByteArrayOutputStream;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.Random;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** The model in the real decoder, over real caches. */
class RecallTest {
  private static final long SEED = 20_260_601;

  /** Bytes of the bundled text that the tests read, from the middle of it. */
  private static final byte[] PART = Arrays.copyOfRange(bytes(Recall.text()), 9_000, 11_500);

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

  private static byte[] bytes(String text) {
    return text.getBytes(US_ASCII);
  }

  private static byte[] join(byte[]... parts) {
    ByteArrayOutputStream out = new ByteArrayOutputStream();
    for (byte[] part : parts) {
      out.writeBytes(part);
    }
    return out.toByteArray();
  }

  @ParameterizedTest
  @EnumSource(
      value = KvType.class,
      names = {"F32", "F16", "BF16", "Q8", "Q8_PLAIN"})
  void continuesPassagesOfTheTextVerbatim(KvType type) {
    Random random = new Random(SEED);
    try (Runner runner = new Runner(model, team, type)) {
      runner.read(PART);
      for (int i = 0; i < 4; i++) {
        int from = random.nextInt(PART.length - 300);
        byte[] prompt = Arrays.copyOfRange(PART, from, from + 24 + random.nextInt(30));
        runner.cache.truncate(PART.length);
        runner.read(prompt);
        int at = from + prompt.length;
        assertThat(runner.logit(runner.best()))
            .as("%s, seed %d", type, SEED)
            .isCloseTo(80, within());
        assertThat(new String(runner.continueWith(220), US_ASCII))
            .as("%s, seed %d, passage at %d", type, SEED, from)
            .isEqualTo(new String(PART, at, 220, US_ASCII));
      }
    }
  }

  private static org.assertj.core.data.Offset<Float> within() {
    return org.assertj.core.data.Offset.offset(0.01f);
  }

  @Test
  void theDefaultPromptStandsOnceInTheTextAndIsContinued() {
    byte[] text = bytes(Recall.text());
    String prompt = Recall.defaultPrompt();
    int at = Recall.text().indexOf(prompt);
    assertThat(at).isBetween(text.length / 3, 2 * text.length / 3);
    assertThat(Recall.text().indexOf(prompt, at + 1)).isEqualTo(-1);
    assertThat(text.length).isGreaterThanOrEqualTo(16_000);
    byte[] context = join(text, bytes(prompt), new byte[1000]);
    for (int i = 0; i < 1000; i++) {
      int length = text.length + prompt.length() + i;
      int source = latestFullMatch(context, length);
      assertThat(source).isEqualTo(at + prompt.length() + i);
      context[length] = text[source];
    }
  }

  /** The rule for the common case, without scoring every place. */
  private static int latestFullMatch(byte[] context, int length) {
    for (int p = length; --p >= 24; ) {
      if (Arrays.equals(context, p - 12, p, context, length - 12, length)
          && MatchRule.isFullMatch(context, length, p)) {
        return p;
      }
    }
    return -1;
  }

  @ParameterizedTest
  @EnumSource(
      value = KvType.class,
      names = {"F32", "F16", "BF16"})
  // The margin between equal passages is too small for the steps of quantised keys.
  void ofEqualPassagesTheLaterOneWins(KvType type) {
    byte[] passage = bytes("the same twenty-four bytes and more");
    byte[] context =
        join(
            bytes("Something in front of it, so that nothing begins here. "),
            passage,
            bytes(" ONE, then other words of some length, which are not repeated, and again "),
            passage,
            bytes(" TWO. "),
            Arrays.copyOf(PART, 300),
            passage);
    try (Runner runner = new Runner(model, team, type)) {
      assertThat(new String(runner.read(context).continueWith(5), US_ASCII)).isEqualTo(" TWO.");
    }
  }

  @Test
  void theByteBeforeTheTwelveDecidesByItsParity() {
    byte[] twelve = bytes("twelve bytes");
    byte[] context =
        join(
            bytes("Some words in front, and then other words x"), // 'x' is 1111000, parity 0
            twelve,
            bytes(" LEFT, and then other words y"), // 'y' is 1111001, parity 1
            twelve,
            bytes(" RIGHT, and again other words x"),
            twelve);
    try (Runner runner = new Runner(model, team, KvType.F32)) {
      assertThat(new String(runner.read(context).continueWith(5), US_ASCII)).isEqualTo(" LEFT");
    }
  }

  @ParameterizedTest
  @EnumSource(KvType.class)
  void bytesOfAllValues(KvType type) {
    byte[] noise = new byte[700];
    new Random(SEED).nextBytes(noise);
    for (int i = 0; i < 256; i++) {
      noise[300 + i] = (byte) (i * 37); // every value at least once
    }
    try (Runner runner = new Runner(model, team, type)) {
      runner.read(join(noise, Arrays.copyOfRange(noise, 200, 230)));
      assertThat(runner.continueWith(470)).isEqualTo(Arrays.copyOfRange(noise, 230, 700));
    }
  }

  @Test
  void followsTheRuleWhereNothingMatchesFully() {
    Random random = new Random(SEED);
    byte[] letters = new byte[1500];
    for (int i = 0; i < letters.length; i++) {
      letters[i] = (byte) ('a' + random.nextInt(20));
    }
    byte[] context = Arrays.copyOf(letters, letters.length + 40);
    try (Runner runner = new Runner(model, team, KvType.F32)) {
      runner.read(letters);
      for (int i = 0; i < 40; i++) {
        int length = letters.length + i;
        byte expected = context[MatchRule.source(context, length)];
        assertThat(runner.continueWith(1))
            .as("step %d, seed %d", i, SEED)
            .containsExactly(expected);
        context[length] = expected;
      }
    }
  }

  @Test
  void aShortPromptIsContinuedWhereItsEndFits() {
    byte[] context = join(PART, bytes("\n\nAnd now: that was drawn up a long"));
    try (Runner runner = new Runner(model, team, KvType.F32)) {
      String continued = new String(runner.read(context).continueWith(9), US_ASCII);
      assertThat(continued).isEqualTo(" time ago");
    }
  }

  @Test
  void theBeginningOfTheContextIsFoundToo() {
    byte[] text = Arrays.copyOf(bytes(Recall.text()), 200);
    byte[] context = join(text, bytes("\n\nAgain: "), Arrays.copyOf(text, 14));
    try (Runner runner = new Runner(model, team, KvType.F32)) {
      assertThat(runner.read(context).continueWith(100))
          .isEqualTo(Arrays.copyOfRange(text, 14, 114));
    }
  }

  @Test
  void aContextOfOneByteIsRepeated() {
    try (Runner runner = new Runner(model, team, KvType.F32)) {
      assertThat(new String(runner.read(bytes("a")).continueWith(30), US_ASCII))
          .isEqualTo("a".repeat(30));
    }
  }

  @ParameterizedTest
  @EnumSource(
      value = KvType.class,
      names = {"F32", "F16", "BF16"})
  // Where a value is a code whose scale lies elsewhere, no single byte of a row is a sign.
  void oneWrongByteInTheCacheIsOneWrongLetter(KvType type) {
    byte[] prompt = Arrays.copyOfRange(PART, 500, 540);
    String expected = new String(PART, 540, 60, US_ASCII);
    try (Runner runner = new Runner(model, team, type)) {
      runner.read(PART);
      int position = 560;
      flipSign(runner.cache.live(), position, 0);
      flipSign(runner.cache.live(), position, ByteCode.PARITY);
      String wrong = new String(runner.read(prompt).continueWith(60), US_ASCII);
      char[] letters = expected.toCharArray();
      letters[20] ^= 1; // bit 0 of the byte; its parity was changed along with it
      assertThat(wrong).isEqualTo(new String(letters)).isNotEqualTo(expected);
    }
  }

  private static void flipSign(KvView view, int position, int dim) {
    int run = 0;
    while (position >= view.runStart(run) + view.runTokens(run)) {
      run++;
    }
    int width = view.layout().valueRowBytes() / RecallDesign.HEAD_DIM;
    int row = (int) (position - view.runStart(run));
    long at = view.layout().valueOffset(1, 0, row) + (long) width * dim + width - 1;
    MemorySegment values = view.values(run);
    values.set(ValueLayout.JAVA_BYTE, at, (byte) (values.get(ValueLayout.JAVA_BYTE, at) ^ 0x80));
  }

  @Test
  void tokenIdsAreTheBytesOfTheText() {
    Tokenizer tokenizer = model.tokenizer();
    String text = "Wal \ud83d\udc0b, K\u00e4se\r\n\t\u0000 end";
    byte[] utf8 = text.getBytes(java.nio.charset.StandardCharsets.UTF_8);
    int[] ids = tokenizer.encode(text, true);
    assertThat(ids).hasSameSizeAs(utf8);
    for (int i = 0; i < ids.length; i++) {
      assertThat(ids[i]).isEqualTo(utf8[i] & 0xff);
    }
    assertThat(tokenizer.decode(ids, 0, ids.length, false)).isEqualTo(text);
  }
}
