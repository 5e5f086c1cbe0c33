package io.gatun.tools.model;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.gatun.attention.Team;
import io.gatun.cache.GatunException;
import io.gatun.cache.KvCache;
import io.gatun.cache.KvType;
import io.gatun.tools.safetensors.Checkpoint;
import io.gatun.tools.safetensors.TensorType;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.file.Files;
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
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.MethodSource;

/** The runner against an independent forward pass in double, and against itself, bit for bit. */
class DecoderTest {
  private static final int TOKENS = 45;

  @TempDir Path folder;

  private final Team team = Team.of(2);

  @AfterEach
  void closeTeam() {
    team.close();
  }

  static Stream<Arguments> models() {
    return TinyModels.NAMES.stream()
        .flatMap(name ->
            Stream.of(TensorType.F32, TensorType.F16, TensorType.BF16)
                .map(type -> Arguments.of(name, type)));
  }

  static Stream<String> names() {
    return TinyModels.NAMES.stream();
  }

  private Model model(String name, TensorType type, long shardBytes) {
    RandomCheckpoint.write(folder, TinyModels.config(name), type, shardBytes, 7, written -> {});
    return Model.load(folder);
  }

  private static int[] tokens(int count, int vocab) {
    return new Random(11).ints(count, 0, vocab).toArray();
  }

  private static KvCache cache(Model model) {
    return KvCache.builder(model.kvShape()).type(KvType.F32).blockTokens(16).build();
  }

  private static float[] copy(MemorySegment logits) {
    return logits.toArray(ValueLayout.JAVA_FLOAT);
  }

  @ParameterizedTest
  @MethodSource("models")
  void logitsAreThoseOfTheReference(String name, TensorType type) throws IOException {
    long shardBytes = type == TensorType.BF16 ? 30_000 : Long.MAX_VALUE;
    try (Model model = model(name, type, shardBytes);
        KvCache cache = cache(model);
        Decoder decoder = new Decoder(model, cache, team)) {
      assertThat(Files.exists(folder.resolve(Checkpoint.INDEX))).isEqualTo(type == TensorType.BF16);
      int[] tokens = tokens(TOKENS, model.config().vocabSize());
      double[][] expected = new ReferenceModel(folder).logits(tokens);
      double worst = 0;
      for (int t = 0; t < TOKENS; t++) {
        float[] logits = copy(decoder.decode(tokens[t]));
        worst = Math.max(worst, error(logits, expected[t]));
      }
      System.out.printf("logits of %s, %s weights: relative error %.1e%n", name, type, worst);
      // The weights are read as they are in all types, so all types have f32's error.
      assertThat(worst).isLessThan(2e-6);
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
    assertThat(largest).isGreaterThan(0.5);
    return difference / largest;
  }

  @ParameterizedTest
  @MethodSource("names")
  void anySplitAndAnyTeamGiveTheSameBits(String name) {
    try (Model model = model(name, TensorType.BF16, Long.MAX_VALUE)) {
      int[] tokens = tokens(TOKENS, model.config().vocabSize());
      List<float[]> single = new ArrayList<>();
      float[][] rows;
      try (KvCache cache = cache(model);
          Decoder decoder = new Decoder(model, cache, team)) {
        for (int token : tokens) {
          single.add(copy(decoder.decode(token)));
        }
        rows = rows(cache);
        assertThat(copy(decoder.again(tokens[TOKENS - 1]))).isEqualTo(single.getLast());
        assertThat(rows(cache)).isDeepEqualTo(rows);
      }
      Random random = new Random(5);
      for (int trial = 0; trial < 8; trial++) {
        int maxBatch = trial == 0 ? 256 : 1 + random.nextInt(20);
        try (Team other = Team.of(1 + trial % 3);
            KvCache cache = cache(model);
            Decoder decoder = new Decoder(model, cache, other, maxBatch)) {
          for (int done = 0; done < TOKENS; ) {
            int count = trial == 0 ? TOKENS : 1 + random.nextInt(TOKENS - done);
            float[] logits = copy(decoder.prefill(tokens, done, count));
            done += count;
            assertThat(logits)
                .as("trial %d, batches of %d, %d tokens to %d", trial, maxBatch, count, done)
                .isEqualTo(single.get(done - 1));
          }
          assertThat(rows(cache)).isDeepEqualTo(rows);
        }
      }
    }
  }

  @Test
  void aSequenceGoesOnFromTheSameBlocksBitForBit() {
    try (Model model = model("llama3-scaling", TensorType.F16, Long.MAX_VALUE);
        KvCache cache = cache(model)) {
      int[] tokens = tokens(TOKENS, model.config().vocabSize());
      float[] whole;
      try (Decoder decoder = new Decoder(model, cache, team)) {
        whole = copy(decoder.prefill(tokens, 0, TOKENS));
      }
      try (KvCache resumed = cache.fork(29);
          Team one = Team.of(1);
          Decoder decoder = new Decoder(model, resumed, one)) {
        decoder.prefill(tokens, 29, 7);
        float[] logits = null;
        for (int t = 36; t < TOKENS; t++) {
          logits = copy(decoder.decode(tokens[t]));
        }
        assertThat(logits).isEqualTo(whole);
      }
    }
  }

  @Test
  void aFailedStepLeavesTheCacheAsItWas() {
    try (Model model = model("qwen3", TensorType.F32, Long.MAX_VALUE);
        KvCache cache = KvCache.builder(model.kvShape()).type(KvType.F16).blockTokens(16).build();
        Decoder decoder = new Decoder(model, cache, team)) {
      int[] tokens = tokens(20, model.config().vocabSize());
      decoder.prefill(tokens, 0, 20);
      MemorySegment gain =
          ((AttentionWeights.OfHeads) model.weights().layers().get(2).attention()).keyNorm();
      float before = gain.get(ValueLayout.JAVA_FLOAT, 0);
      gain.set(ValueLayout.JAVA_FLOAT, 0, 1e30f);
      assertThatThrownBy(() -> decoder.decode(3))
          .isInstanceOf(GatunException.class)
          .hasMessageContaining("layer 2")
          .hasMessageContaining("token 20");
      assertThat(cache.length()).isEqualTo(20);
      gain.set(ValueLayout.JAVA_FLOAT, 0, before);
      float[] afterFailure = copy(decoder.decode(3));
      try (KvCache other =
              KvCache.builder(model.kvShape()).type(KvType.F16).blockTokens(16).build();
          Decoder fresh = new Decoder(model, other, team)) {
        fresh.prefill(tokens, 0, 20);
        assertThat(copy(fresh.decode(3))).isEqualTo(afterFailure);
      }
    }
  }

  @Test
  void wrongArgumentsAreRefused() {
    try (Model model = model("llama", TensorType.F32, Long.MAX_VALUE);
        KvCache cache = cache(model);
        Decoder decoder = new Decoder(model, cache, team)) {
      assertThatThrownBy(() -> decoder.decode(263))
          .isInstanceOf(IllegalArgumentException.class)
          .hasMessage("token id 263 is not in the vocabulary of 263");
      assertThatThrownBy(() -> decoder.prefill(new int[] {1, -1}, 0, 2))
          .isInstanceOf(IllegalArgumentException.class)
          .hasMessageContaining("token id -1");
      assertThatThrownBy(() -> decoder.prefill(new int[2], 0, 0))
          .hasMessage("count is 0, not at least 1");
      try (KvCache wrong = KvCache.builder(new io.gatun.cache.KvShape(1, 1, 8, 8)).build()) {
        assertThatThrownBy(() -> new Decoder(model, wrong, team))
            .isInstanceOf(IllegalArgumentException.class)
            .hasMessageContaining("the cache holds 1 layers");
      }
    }
  }

  /**
   * In a JVM of its own, as a runner is: where many models of many types were run before, C2 may
   * give up on inlining a kernel, and then vectors are boxed.
   */
  @ParameterizedTest
  @EnumSource(WeightForm.class)
  @Tag("own-jvm")
  void aStepAllocatesNothingOnTheHeap(WeightForm form) {
    RandomCheckpoint.write(
        folder,
        TinyModels.config("llama3-scaling"),
        TensorType.BF16,
        Long.MAX_VALUE,
        7,
        written -> {});
    WeightOptions options = new WeightOptions(form, null, folder.resolve("notes"), message -> {});
    try (Model model = Model.load(folder, options, team);
        KvCache cache = KvCache.builder(model.kvShape()).type(KvType.F16).build();
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

  /** Every key and value of a cache, by layer, head and token. */
  private static float[][] rows(KvCache cache) {
    List<float[]> rows = new ArrayList<>();
    var shape = cache.live().layout().shape();
    for (int layer = 0; layer < shape.layers(); layer++) {
      for (int head = 0; head < shape.kvHeads(); head++) {
        for (long token = 0; token < cache.length(); token++) {
          float[] key = new float[shape.keyDim()];
          float[] value = new float[shape.valueDim()];
          io.gatun.cache.RowReader.key(cache.live(), layer, head, token, key);
          io.gatun.cache.RowReader.value(cache.live(), layer, head, token, value);
          rows.add(key);
          rows.add(value);
        }
      }
    }
    return rows.toArray(float[][]::new);
  }
}
