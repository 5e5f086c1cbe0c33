package io.gatun.tools.model;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.gatun.attention.Team;
import io.gatun.attention.TokenTree;
import io.gatun.cache.GatunException;
import io.gatun.cache.KvCache;
import io.gatun.cache.KvType;
import io.gatun.tools.config.ModelConfigReader;
import io.gatun.tools.safetensors.TensorSpec;
import io.gatun.tools.safetensors.TensorType;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;
import org.junit.jupiter.params.provider.ValueSource;

/** The published architectures against an independent forward pass in double, and bit for bit. */
class PublishedArchitecturesTest {
  private static final int TOKENS = 40;

  @TempDir Path folder;

  private final Team team = Team.of(2);

  @AfterEach
  void closeTeam() {
    team.close();
  }

  static Stream<Arguments> models() {
    return PublishedModels.NAMES.stream()
        .flatMap(name ->
            Stream.of(TensorType.F32, TensorType.BF16).map(type -> Arguments.of(name, type)));
  }

  static Stream<String> names() {
    return PublishedModels.NAMES.stream();
  }

  private static KvCache cache(Model model) {
    return KvCache.builder(model.kvShape()).type(KvType.F32).blockTokens(16).build();
  }

  private static int[] tokens(int count, int vocab) {
    return new Random(11).ints(count, 0, vocab).toArray();
  }

  private static float[] copy(MemorySegment logits) {
    return logits.toArray(ValueLayout.JAVA_FLOAT);
  }

  @ParameterizedTest
  @MethodSource("models")
  void logitsAreThoseOfTheReference(String name, TensorType type) throws IOException {
    PublishedModels.write(folder, name, type, 7);
    try (Model model = Model.load(folder);
        KvCache cache = cache(model);
        Decoder decoder = new Decoder(model, cache, team)) {
      assertThat(model.remarks()).isEmpty();
      int[] tokens = tokens(TOKENS, model.config().vocabSize());
      double[][] expected = new PublishedReference(folder).logits(tokens);
      double worst = 0;
      for (int t = 0; t < TOKENS; t++) {
        worst = Math.max(worst, error(copy(decoder.decode(tokens[t])), expected[t]));
      }
      System.out.printf("logits of %s, %s weights: relative error %.1e%n", name, type, worst);
      assertThat(worst).isLessThan(1e-5);
    }
  }

  /** Largest difference relative to the largest logit. */
  private static double error(float[] logits, double[] expected) {
    double difference = 0;
    double largest = 0;
    for (int i = 0; i < expected.length; i++) {
      difference = Math.max(difference, Math.abs(logits[i] - expected[i]));
      largest = Math.max(largest, Math.abs(expected[i]));
    }
    assertThat(largest).isGreaterThan(0.05);
    return difference / largest;
  }

  @ParameterizedTest
  @MethodSource("names")
  void anySplitAndAnyTeamGiveTheSameBits(String name) throws IOException {
    PublishedModels.write(folder, name, TensorType.BF16, 3);
    try (Model model = Model.load(folder)) {
      int[] tokens = tokens(TOKENS, model.config().vocabSize());
      float[][] single = new float[TOKENS][];
      try (KvCache cache = cache(model);
          Decoder decoder = new Decoder(model, cache, team)) {
        for (int t = 0; t < TOKENS; t++) {
          single[t] = copy(decoder.decode(tokens[t]));
        }
        assertThat(copy(decoder.again(tokens[TOKENS - 1]))).isEqualTo(single[TOKENS - 1]);
      }
      Random random = new Random(5);
      for (int trial = 0; trial < 4; trial++) {
        int maxBatch = trial == 0 ? 256 : 1 + random.nextInt(20);
        try (Team other = Team.of(1 + trial % 3);
            KvCache cache = cache(model);
            Decoder decoder = new Decoder(model, cache, other, maxBatch)) {
          for (int done = 0; done < TOKENS; ) {
            int count = trial == 0 ? TOKENS : 1 + random.nextInt(TOKENS - done);
            float[] logits = copy(decoder.prefill(tokens, done, count));
            done += count;
            assertThat(logits).as("trial %d, to %d", trial, done).isEqualTo(single[done - 1]);
          }
        }
      }
    }
  }

  /** In a JVM of its own, as a runner is; see DecoderTest. */
  @ParameterizedTest
  @ValueSource(strings = {"gpt_oss", "deepseek_v3", "gemma2"})
  @Tag("own-jvm")
  void aStepAllocatesNothingOnTheHeap(String name) throws IOException {
    PublishedModels.write(folder, name, TensorType.BF16, 3);
    try (Model model = Model.load(folder);
        KvCache cache = KvCache.builder(model.kvShape()).type(KvType.F32).build();
        Team one = Team.of(1);
        Decoder decoder = new Decoder(model, cache, one)) {
      var threads =
          (com.sun.management.ThreadMXBean)
              java.lang.management.ManagementFactory.getThreadMXBean();
      long least = Long.MAX_VALUE;
      decoder.decode(0);
      for (int round = 0; round < 300 && least > 0; round++) {
        long before = threads.getCurrentThreadAllocatedBytes();
        for (int i = 0; i < 100; i++) {
          decoder.decode(i);
        }
        least = Math.min(least, threads.getCurrentThreadAllocatedBytes() - before);
        // Not to 0: that would give the block back, and the next round would take another.
        cache.truncate(1);
      }
      assertThat(least).as("bytes allocated in 100 steps, once compiled").isZero();
    }
  }

  @ParameterizedTest
  @ValueSource(strings = {"gemma2", "phi3", "qwen3_moe-mixed", "deepseek_v3"})
  void weightsOfEightBitsAreReadInTheirPlace(String name) throws IOException {
    PublishedModels.write(folder, name, TensorType.BF16, 3);
    List<String> messages = new ArrayList<>();
    WeightOptions options =
        new WeightOptions(WeightForm.Q8, null, folder.resolve("notes"), messages::add);
    try (Model model = Model.load(folder);
        Model rounded = Model.load(folder, options, team);
        KvCache cache = cache(model);
        KvCache other = cache(model);
        Decoder decoder = new Decoder(model, cache, team);
        Decoder coarse = new Decoder(rounded, other, team)) {
      int[] tokens = tokens(20, model.config().vocabSize());
      float[] exact = copy(decoder.prefill(tokens, 0, 20));
      double[] expected = new double[exact.length];
      for (int i = 0; i < exact.length; i++) {
        expected[i] = exact[i];
      }
      double error = error(copy(coarse.prefill(tokens, 0, 20)), expected);
      System.out.printf("logits of %s, q8 weights: %.1e to those of bf16%n", name, error);
      assertThat(error).isBetween(1e-4, 0.3);
      assertThat(rounded.weightBytesPerStep()).isLessThan(model.weightBytesPerStep());
    }
  }

  @Test
  void expertsWithInputsOutermostAreNotRounded() throws IOException {
    PublishedModels.write(folder, "gpt_oss", TensorType.BF16, 3);
    WeightOptions options =
        new WeightOptions(WeightForm.Q8, null, folder.resolve("notes"), message -> {});
    assertThatThrownBy(() -> Model.load(folder, options, team).close())
        .isInstanceOf(GatunException.class)
        .hasMessageContaining("lie with their inputs outermost")
        .hasMessageContaining("leave --weights q8 out");
  }

  @ParameterizedTest
  @MethodSource("names")
  void theTensorsAreCountedAsTheyArePublished(String name) throws IOException {
    PublishedModels.write(folder, name, TensorType.F32, 3);
    long published =
        PublishedModels.tensors(PublishedModels.config(name), TensorType.F32).stream()
            .mapToLong(TensorSpec::elements)
            .sum();
    assertThat(ModelConfigReader.read(folder).parameters()).isEqualTo(published);
  }

  @ParameterizedTest
  @MethodSource("names")
  void verifiedDraftsHaveTheBitsOfTheirPath(String name) throws IOException {
    PublishedModels.write(folder, name, TensorType.BF16, 3);
    TokenTree tree = TokenTree.of(-1, 0, 0, 1, -1, 4);
    try (Model model = Model.load(folder);
        KvCache cache = cache(model);
        Decoder decoder = new Decoder(model, cache, team)) {
      int vocab = model.config().vocabSize();
      int[] context = tokens(13, vocab);
      int[] drafts = new Random(2).ints(tree.tokens(), 0, vocab).toArray();
      decoder.prefill(context, 0, context.length);
      MemorySegment logits = decoder.verify(drafts, tree);
      for (int token = 0; token < tree.tokens(); token++) {
        try (KvCache alone = cache.fork(context.length);
            Decoder plain = new Decoder(model, alone, team)) {
          float[] expected = null;
          for (int draft : tree.path(token)) {
            expected = copy(plain.decode(drafts[draft]));
          }
          assertThat(copy(logits.asSlice(4L * token * vocab, 4L * vocab)))
              .as("token %d", token)
              .isEqualTo(expected);
        }
      }
      decoder.accept();
    }
  }
}
