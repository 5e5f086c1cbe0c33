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
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Random;

/**
 * Time of a decode step beside that of a plain read of the same bytes, in one process, in turns, and
 * the element types in turns too, so that their ratio means something on a machine whose memory is
 * faster at some times than at others.
 *
 * <p>Arguments, all optional, as {@code name=value}: {@code types=f32,bf16,f16,q8,q4
 * contexts=4096,16384 heads=32 kvHeads=8 dim=128 threads=2 rounds=12 minBytes=536870912 seconds=0.25
 * warm=4 clock=wall}. Layers are rotated over {@code minBytes} of K and V of each type, so that the
 * caches do not help. {@code clock=cpu} takes the processor time of the threads that work, divided by
 * their number: of use on a machine that others keep busy, where wall time is mostly time spent
 * waiting for a processor.
 */
public final class DecodeBench {
  private DecodeBench() {}

  /** Runs the measurement and prints a table. */
  public static void main(String[] args) {
    Settings settings = Settings.of(args);
    System.out.println(
        "type     context threads   ceiling us (GB/s)    decode us (GB/s)   share  [quartiles]   of"
            + " first type");
    for (String context : settings.list("contexts", "4096,16384")) {
      for (String threads : settings.list("threads", "2,1")) {
        measure(settings, Integer.parseInt(context), Integer.parseInt(threads));
      }
    }
  }

  /** A cache of one element type, and what runs over its layers. */
  private static final class Subject implements AutoCloseable {
    final KvType type;
    final Arena arena = Arena.ofShared();
    final KvCache cache;
    final KvView view;
    final GqaAttention attention;
    final Runnable read;
    final Runnable decode;
    final long layerBytes;
    final double[] reads;
    final double[] decodes;
    private int next;

    Subject(Settings settings, KvType type, int context, Team team, int rounds) {
      this.type = type;
      int heads = settings.number("heads", 32);
      int kvHeads = settings.number("kvHeads", 8);
      int dim = settings.number("dim", 128);
      long rowBytes = type.rowBytes(dim) + (long) type.scales(dim) * KvType.SCALE_BYTES;
      layerBytes = 2L * kvHeads * context * rowBytes;
      long minBytes = settings.number("minBytes", 1 << 29);
      int layers = (int) Math.max(1, Math.ceilDiv(minBytes, layerBytes));
      cache = KvCache.builder(new KvShape(layers, kvHeads, dim, dim)).type(type).build();
      attention = GqaAttention.create(cache.layout(), AttentionOptions.of(heads, dim), team);
      fill(cache, context, arena);
      view = cache.view();
      ReadCeiling[] ceilings = new ReadCeiling[layers];
      for (int layer = 0; layer < layers; layer++) {
        ceilings[layer] = new ReadCeiling(LayerBytes.of(view, layer), team);
      }
      MemorySegment q = gaussian(arena, (long) heads * dim);
      MemorySegment out = gaussian(arena, (long) heads * dim);
      read = () -> ceilings[next++ % layers].read();
      decode = () -> attention.decode(view, next++ % layers, q, out);
      reads = new double[rounds];
      decodes = new double[rounds];
    }

    @Override
    public void close() {
      attention.close();
      view.close();
      cache.close();
      arena.close();
    }
  }

  private static void measure(Settings settings, int context, int threads) {
    int rounds = settings.number("rounds", 12);
    double seconds = Double.parseDouble(settings.text("seconds", "0.25"));
    double warm = Double.parseDouble(settings.text("warm", "4"));
    List<Subject> subjects = new ArrayList<>();
    try (Team team = Team.of(threads)) {
      Stopwatch clock = Stopwatch.of(settings.text("clock", "wall"), threads);
      for (String type : settings.list("types", "f32,bf16,f16,q8,q4")) {
        subjects.add(new Subject(settings, KvType.ofLabel(type), context, team, rounds));
      }
      for (Subject subject : subjects) {
        time(clock, subject.read, warm / 4);
        time(clock, subject.decode, warm);
      }
      for (int i = 0; i < rounds; i++) {
        for (Subject subject : subjects) {
          subject.reads[i] = time(clock, subject.read, seconds);
          subject.decodes[i] = time(clock, subject.decode, seconds);
        }
      }
      for (Subject subject : subjects) {
        print(subject, subjects.getFirst(), context, threads);
      }
    } finally {
      subjects.forEach(Subject::close);
    }
  }

  private static void print(Subject subject, Subject first, int context, int threads) {
    int rounds = subject.reads.length;
    double[] shares = new double[rounds];
    double[] ratios = new double[rounds];
    for (int i = 0; i < rounds; i++) {
      shares[i] = subject.reads[i] / subject.decodes[i];
      ratios[i] = subject.decodes[i] / first.decodes[i];
    }
    Arrays.sort(shares);
    double readMicros = median(subject.reads);
    double decodeMicros = median(subject.decodes);
    System.out.printf(
        "%-8s %7d %7d %12.1f (%5.1f) %12.1f (%5.1f) %7.3f  [%.3f, %.3f] %7.3f%n",
        subject.type.label(),
        context,
        threads,
        readMicros,
        subject.layerBytes / readMicros / 1e3,
        decodeMicros,
        subject.layerBytes / decodeMicros / 1e3,
        shares[rounds / 2],
        shares[rounds / 4],
        shares[rounds * 3 / 4],
        median(ratios));
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
