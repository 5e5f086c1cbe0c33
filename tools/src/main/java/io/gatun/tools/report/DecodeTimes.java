package io.gatun.tools.report;

import io.gatun.attention.AttentionOptions;
import io.gatun.attention.GqaAttention;
import io.gatun.attention.Team;
import io.gatun.cache.KvCache;
import io.gatun.cache.KvShape;
import io.gatun.cache.KvType;
import io.gatun.cache.KvView;
import io.gatun.tools.model.Decoder;
import io.gatun.tools.model.Model;
import io.gatun.tools.model.Timings;
import io.gatun.tools.plan.ModelSpec;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.Arrays;
import java.util.Random;

/** Measures decode steps at growing contexts; the rows of the cache are random. */
final class DecodeTimes {
  private static final int BATCH = 256;
  private static final int LEAST_STEPS = 5;
  private static final double WARM_SECONDS = 0.4;
  private static final double SECONDS = 0.4;

  private DecodeTimes() {}

  /** Where a step of a whole model spends its time, in seconds. */
  record Split(double weights, double attention, double other) {}

  /** Median over steps of a whole model behind {@code context} tokens. */
  static Split split(Model model, int context, Team team) {
    try (Arena arena = Arena.ofShared();
        KvCache cache = KvCache.builder(model.kvShape()).build();
        Decoder decoder = new Decoder(model, cache, team, 1)) {
      fill(cache, context, arena);
      steps(decoder, context, WARM_SECONDS);
      decoder.timings().reset();
      int steps = steps(decoder, context, SECONDS);
      Timings t = decoder.timings();
      double scale = 1e-9 / steps;
      return new Split(
          t.weightsNanos() * scale, t.attentionNanos() * scale, t.otherNanos() * scale);
    }
  }

  private static int steps(Decoder decoder, int context, double seconds) {
    long end = System.nanoTime() + (long) (seconds * 1e9);
    int steps = 0;
    while (steps < LEAST_STEPS || System.nanoTime() < end) {
      decoder.decode(steps % decoder.model().config().vocabSize());
      decoder.cache().truncate(context);
      steps++;
    }
    return steps;
  }

  /**
   * Seconds of attention in one step of a model of this shape, all layers, median over rounds: one
   * layer after the other of so many that no cache holds them.
   */
  static double attention(ModelSpec model, KvType type, int context, long bytes, Team team) {
    int keyDim = model.kvShape(1).keyDim();
    long layerBytes = io.gatun.cache.KvLayout.of(model.kvShape(1), type).bytesPerToken() * context;
    int layers = Math.clamp(bytes / layerBytes, 1, 256);
    try (Arena arena = Arena.ofShared();
        KvCache cache = KvCache.builder(model.kvShape(layers)).type(type).build();
        GqaAttention attention =
            GqaAttention.create(
                cache.layout(), AttentionOptions.of(model.numHeads(), keyDim), team)) {
      fill(cache, context, arena);
      MemorySegment q = gaussian(arena, (long) model.numHeads() * keyDim);
      MemorySegment out = arena.allocate(4L * model.numHeads() * cache.shape().valueDim(), 64);
      try (KvView view = cache.view()) {
        int[] next = {0};
        Runnable step = () -> attention.decode(view, next[0]++ % layers, q, out);
        median(step, WARM_SECONDS);
        return median(step, SECONDS) * model.kvLayers();
      }
    }
  }

  private static double median(Runnable step, double seconds) {
    double[] times = new double[4096];
    int count = 0;
    long end = System.nanoTime() + (long) (seconds * 1e9);
    while (count < times.length && (count < LEAST_STEPS || System.nanoTime() < end)) {
      long start = System.nanoTime();
      step.run();
      times[count++] = (System.nanoTime() - start) * 1e-9;
    }
    Arrays.sort(times, 0, count);
    return times[count / 2];
  }

  /** The same random rows again and again, which no kernel can know. */
  private static void fill(KvCache cache, int tokens, Arena arena) {
    KvShape shape = cache.shape();
    int batch = Math.min(BATCH, tokens);
    MemorySegment keys = gaussian(arena, (long) batch * shape.kvHeads() * shape.keyDim());
    MemorySegment values = gaussian(arena, (long) batch * shape.kvHeads() * shape.valueDim());
    for (int done = 0; done < tokens; done += batch) {
      int count = Math.min(batch, tokens - done);
      for (int layer = 0; layer < shape.layers(); layer++) {
        cache.append(layer, keys, values, count);
      }
      cache.advance(count);
    }
  }

  private static MemorySegment gaussian(Arena arena, long count) {
    Random random = new Random(6);
    MemorySegment rows = arena.allocate(4 * count, 64);
    for (long i = 0; i < count; i++) {
      rows.setAtIndex(ValueLayout.JAVA_FLOAT, i, (float) random.nextGaussian());
    }
    return rows;
  }
}
