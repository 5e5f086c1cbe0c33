package io.gatun.bench.kernel;

import io.gatun.attention.AttentionOptions;
import io.gatun.attention.GqaAttention;
import io.gatun.attention.Team;
import io.gatun.cache.KvCache;
import io.gatun.cache.KvShape;
import io.gatun.cache.KvType;
import io.gatun.tools.yardstick.FmaPeak;
import io.gatun.tools.yardstick.Workers;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.Arrays;

/**
 * Arithmetic rate of a prefill beside the rate of multiply-adds that depend on nothing but
 * registers, in one process, in turns.
 *
 * <p>Arguments, all optional, as {@code name=value}: {@code types=f32,bf16,f16 queries=512
 * context=4096 heads=32 kvHeads=8 dim=128 threads=2 rounds=7 clock=wall}. The last {@code queries}
 * tokens of a context attend; two operations are counted for each multiply-add of scores and
 * weighted values that a query does not skip by causality, and none for the softmax.
 */
public final class PrefillBench {
  private PrefillBench() {}

  /** Runs the measurement and prints a table. */
  public static void main(String[] args) {
    Settings settings = Settings.of(args);
    System.out.println("type   queries context threads   peak GFLOP/s   prefill GFLOP/s   share");
    for (String type : settings.list("types", "f32,bf16,f16")) {
      for (String threads : settings.list("threads", "2,1")) {
        measure(settings, KvType.ofLabel(type), Integer.parseInt(threads));
      }
    }
  }

  private static void measure(Settings settings, KvType type, int threads) {
    int heads = settings.number("heads", 32);
    int kvHeads = settings.number("kvHeads", 8);
    int dim = settings.number("dim", 128);
    int context = settings.number("context", 4096);
    int queries = settings.number("queries", 512);
    int rounds = settings.number("rounds", 7);
    KvShape shape = new KvShape(1, kvHeads, dim, dim);
    try (Arena arena = Arena.ofShared();
        Team team = Team.of(threads);
        Workers workers = new Workers(threads);
        KvCache cache = KvCache.builder(shape).type(type).build();
        GqaAttention attention =
            GqaAttention.create(cache.layout(), AttentionOptions.of(heads, dim), team)) {
      DecodeBench.fill(cache, context, arena);
      MemorySegment q = DecodeBench.gaussian(arena, (long) queries * heads * dim);
      MemorySegment out = arena.allocate(q.byteSize(), 64);
      Stopwatch clock = Stopwatch.of(settings.text("clock", "wall"), threads);
      Runnable prefill = () -> attention.prefill(cache.live(), 0, queries, q, out);
      FmaPeak fmas = new FmaPeak(workers, FmaPeak.PIECES);
      Runnable peak = fmas::run;
      DecodeBench.time(clock, peak, 0.5);
      DecodeBench.time(clock, prefill, 3.0);
      double seen = queries * (context - queries) + queries * (queries + 1) / 2.0;
      double flops = 4.0 * seen * heads * dim;
      double[] peaks = new double[rounds];
      double[] rates = new double[rounds];
      double[] shares = new double[rounds];
      for (int i = 0; i < rounds; i++) {
        peaks[i] = fmas.operations() / DecodeBench.time(clock, peak, 0.1) / 1e3;
        rates[i] = flops / DecodeBench.time(clock, prefill, 0.3) / 1e3;
        shares[i] = rates[i] / peaks[i];
      }
      Arrays.sort(shares);
      System.out.printf(
          "%-5s %8d %7d %7d %14.1f %17.1f %7.3f  [%.3f, %.3f]%n",
          type.label(),
          queries,
          context,
          threads,
          DecodeBench.median(peaks),
          DecodeBench.median(rates),
          shares[rounds / 2],
          shares[rounds / 4],
          shares[rounds * 3 / 4]);
    }
  }
}
