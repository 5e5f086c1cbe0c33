package io.gatun.bench.kernel;

import io.gatun.attention.AttentionOptions;
import io.gatun.attention.GqaAttention;
import io.gatun.attention.Team;
import io.gatun.bench.work.LayerBytes;
import io.gatun.cache.KvCache;
import io.gatun.cache.KvShape;
import io.gatun.cache.KvType;
import io.gatun.cache.KvView;
import io.gatun.tools.yardstick.ReadCeiling;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.Arrays;
import java.util.Random;

/**
 * Time of a decode step beside that of a plain read of the same bytes, in one process, in turns.
 *
 * <p>Arguments, all optional, as {@code name=value}: {@code types=f32,bf16,f16 contexts=4096,16384
 * heads=32 kvHeads=8 dim=128 threads=2 rounds=12 minBytes=536870912 seconds=0.25 clock=wall}. Layers
 * are rotated over {@code minBytes} of K and V, so that the caches do not help. {@code clock=cpu}
 * takes the processor time of the threads that work, divided by their number: of use on a machine
 * that others keep busy, where wall time is mostly time spent waiting for a processor.
 */
public final class DecodeBench {
  private DecodeBench() {}

  /** Runs the measurement and prints a table. */
  public static void main(String[] args) {
    Settings settings = Settings.of(args);
    System.out.println(
        "type   context threads   ceiling us (GB/s)    decode us (GB/s)   share  [quartiles]");
    for (String type : settings.list("types", "f32,bf16,f16")) {
      for (String context : settings.list("contexts", "4096,16384")) {
        for (String threads : settings.list("threads", "2,1")) {
          measure(
              settings, KvType.ofLabel(type), Integer.parseInt(context), Integer.parseInt(threads));
        }
      }
    }
  }

  private static void measure(Settings settings, KvType type, int context, int threads) {
    int heads = settings.number("heads", 32);
    int kvHeads = settings.number("kvHeads", 8);
    int dim = settings.number("dim", 128);
    int rounds = settings.number("rounds", 12);
    long minBytes = settings.number("minBytes", 1 << 29);
    double seconds = Double.parseDouble(settings.text("seconds", "0.25"));
    long layerBytes = 2L * kvHeads * context * type.rowBytes(dim);
    int layers = (int) Math.max(1, Math.ceilDiv(minBytes, layerBytes));
    KvShape shape = new KvShape(layers, kvHeads, dim, dim);
    try (Arena arena = Arena.ofShared();
        Team team = Team.of(threads);
        KvCache cache = KvCache.builder(shape).type(type).build();
        GqaAttention attention =
            GqaAttention.create(cache.layout(), AttentionOptions.of(heads, dim), team)) {
      fill(cache, context, arena);
      MemorySegment q = gaussian(arena, (long) heads * dim);
      MemorySegment out = gaussian(arena, (long) heads * dim);
      try (KvView view = cache.view()) {
        ReadCeiling[] ceilings = new ReadCeiling[layers];
        for (int layer = 0; layer < layers; layer++) {
          ceilings[layer] = new ReadCeiling(LayerBytes.of(view, layer), team);
        }
        int[] next = {0};
        Runnable read = () -> ceilings[next[0]++ % layers].read();
        Runnable decode = () -> attention.decode(view, next[0]++ % layers, q, out);
        Stopwatch clock = Stopwatch.of(settings.text("clock", "wall"), threads);
        time(clock, read, 1.0);
        time(clock, decode, 4.0);
        double[] reads = new double[rounds];
        double[] decodes = new double[rounds];
        double[] shares = new double[rounds];
        for (int i = 0; i < rounds; i++) {
          reads[i] = time(clock, read, seconds);
          decodes[i] = time(clock, decode, seconds);
          shares[i] = reads[i] / decodes[i];
        }
        double readMicros = median(reads);
        double decodeMicros = median(decodes);
        Arrays.sort(shares);
        System.out.printf(
            "%-5s %8d %7d %12.1f (%5.1f) %12.1f (%5.1f) %7.3f  [%.3f, %.3f]%n",
            type.label(),
            context,
            threads,
            readMicros,
            layerBytes / readMicros / 1e3,
            decodeMicros,
            layerBytes / decodeMicros / 1e3,
            shares[rounds / 2],
            shares[rounds / 4],
            shares[rounds * 3 / 4]);
      }
    }
  }

  /** Microseconds per call, over as many calls as fill this time. */
  static double time(Stopwatch clock, Runnable work, double seconds) {
    long start = clock.nanos();
    long end = start + (long) (seconds * 1e9);
    long calls = 0;
    long now;
    do {
      work.run();
      calls++;
      now = clock.nanos();
    } while (now < end);
    return (now - start) / 1e3 / calls;
  }

  static double median(double[] values) {
    double[] sorted = values.clone();
    Arrays.sort(sorted);
    return sorted[sorted.length / 2];
  }

  static MemorySegment gaussian(Arena arena, long count) {
    Random random = new Random(42);
    MemorySegment rows = arena.allocate(count * Float.BYTES, 64);
    for (long i = 0; i < count; i++) {
      rows.setAtIndex(ValueLayout.JAVA_FLOAT, i, (float) random.nextGaussian());
    }
    return rows;
  }

  /** Fills all layers; the same rows over and over, which the kernels cannot know. */
  static void fill(KvCache cache, int tokens, Arena arena) {
    KvShape shape = cache.shape();
    int batch = Math.min(tokens, 256);
    MemorySegment rows = gaussian(arena, (long) batch * shape.kvHeads() * shape.keyDim());
    for (int done = 0; done < tokens; done += batch) {
      int count = Math.min(batch, tokens - done);
      for (int layer = 0; layer < shape.layers(); layer++) {
        cache.append(layer, rows, rows, count);
      }
      cache.advance(count);
    }
  }
}
