package io.gatun.tools.report;

import io.gatun.attention.AttentionOptions;
import io.gatun.attention.GqaAttention;
import io.gatun.attention.Team;
import io.gatun.cache.KvCache;
import io.gatun.cache.KvShape;
import io.gatun.cache.KvType;
import io.gatun.cache.KvView;
import io.gatun.tools.config.AttentionShape;
import io.gatun.tools.model.Decoder;
import io.gatun.tools.model.Model;
import io.gatun.tools.model.Timings;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.Random;
import java.util.function.DoubleSupplier;

/**
 * Measures decode steps at growing contexts; the rows of the cache are random. What counts is the
 * fastest of the steps, as for the bandwidth that they are set beside: other work on the machine only
 * makes a step slower.
 */
final class DecodeTimes {
  private static final int BATCH = 256;
  private static final int LEAST_STEPS = 5;

  /** A warm-up goes on while a round is this much faster than the best before, or for so long. */
  private static final double FASTER = 0.9;

  private static final double ROUND_SECONDS = 0.25;
  private static final int MOST_ROUNDS = 48;
  private static final int IDLE_ROUNDS = 8;
  private static final double SECONDS = 0.4;

  private DecodeTimes() {}

  /** Where a step of a whole model spends its time, in seconds. */
  record Split(double weights, double attention, double other) {
    double total() {
      return weights + attention + other;
    }
  }

  /** The fastest step of a whole model behind {@code context} tokens. */
  static Split split(Model model, int context, Team team) {
    try (Arena arena = Arena.ofShared();
        KvCache cache = KvCache.builder(model.kvShape()).build();
        Decoder decoder = new Decoder(model, cache, team, 1)) {
      fill(cache, context, arena);
      warm(() -> fastest(decoder, context, ROUND_SECONDS).total());
      return fastest(decoder, context, SECONDS);
    }
  }

  private static Split fastest(Decoder decoder, int context, double seconds) {
    long end = System.nanoTime() + (long) (seconds * 1e9);
    Split best = null;
    for (int step = 0; step < LEAST_STEPS || System.nanoTime() < end; step++) {
      decoder.timings().reset();
      decoder.decode(step % decoder.model().config().vocabSize());
      decoder.cache().truncate(context);
      Timings t = decoder.timings();
      Split split =
          new Split(t.weightsNanos() * 1e-9, t.attentionNanos() * 1e-9, t.otherNanos() * 1e-9);
      if (best == null || split.total() < best.total()) {
        best = split;
      }
    }
    return best;
  }

  /**
   * Repeats rounds until the compiler is done: eight in a row, two seconds, that bring nothing. It
   * works beside the steps, and on a busy machine takes its time for the kernels.
   */
  private static void warm(DoubleSupplier round) {
    double best = Double.POSITIVE_INFINITY;
    int idle = 0;
    for (int i = 0; i < MOST_ROUNDS && idle < IDLE_ROUNDS; i++) {
      double time = round.getAsDouble();
      idle = time < FASTER * best ? 0 : idle + 1;
      best = Math.min(best, time);
    }
  }

  /**
   * Seconds of attention in one step of a model of this shape, all layers: the fastest layer
   * of many, times their number, one after the other so that no cache holds them.
   */
  static double attention(AttentionShape model, KvType type, int context, long bytes, Team team) {
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
        warm(() -> fastest(step, ROUND_SECONDS));
        return fastest(step, SECONDS) * model.kvLayers();
      }
    }
  }

  private static double fastest(Runnable step, double seconds) {
    double best = Double.POSITIVE_INFINITY;
    long end = System.nanoTime() + (long) (seconds * 1e9);
    for (int i = 0; i < LEAST_STEPS || System.nanoTime() < end; i++) {
      long start = System.nanoTime();
      step.run();
      best = Math.min(best, (System.nanoTime() - start) * 1e-9);
    }
    return best;
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
