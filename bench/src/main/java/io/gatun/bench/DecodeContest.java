package io.gatun.bench;

import io.gatun.attention.Team;
import io.gatun.bench.measure.Allocation;
import io.gatun.bench.measure.Bound;
import io.gatun.bench.measure.Ceiling;
import io.gatun.bench.measure.Contest;
import io.gatun.bench.measure.Summary;
import io.gatun.bench.show.Numbers;
import io.gatun.bench.work.DecodeWork;
import io.gatun.bench.work.Heads;
import io.gatun.bench.work.Storage;
import io.gatun.cache.KvType;
import io.gatun.tools.yardstick.FmaPeak;
import io.gatun.tools.yardstick.Workers;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;

/**
 * Decode steps beside each other: in each round every one of them, the plain read of its bytes, and
 * the FMA peak of the same threads.
 *
 * @param entries what takes part
 * @param threads threads that decode, and that the yardsticks have
 * @param folder where mapped files go
 */
record DecodeContest(List<Entry> entries, int threads, Path folder) {
  private static final String PEAK = "peak";

  /** Heap is counted over so many steps, or as many as fit {@link #COUNTED_NANOS}. */
  private static final int COUNTED = 64;

  private static final double COUNTED_NANOS = 5e8;

  /**
   * One that takes part: a step of one layer.
   *
   * @param layers that rotate
   */
  record Entry(KvType type, Heads heads, int layers, long context, Storage storage) {
    /** With layers enough that no processor cache helps. */
    static Entry rotating(KvType type, Heads heads, long context, Storage storage) {
      int layers = DecodeWork.rotatingLayers(heads, type, context);
      return new Entry(type, heads, layers, context, storage);
    }

    /** Bytes of the cache that is filled for it. */
    long bytes() {
      return DecodeWork.bytes(heads, type, layers, context);
    }

    @Override
    public String toString() {
      return "%s %s %s %s"
          .formatted(
              type.label(),
              heads,
              Numbers.tokens(context),
              storage.name().toLowerCase(Locale.ROOT));
    }
  }

  /**
   * What came of it.
   *
   * @param rows one for each entry, in their order
   * @param result all samples
   */
  record Outcome(List<DecodeRow> rows, Contest.Result result) {
    /** Time of a step of one entry by that of another, round by round. */
    Summary timeRatio(Entry entry, Entry other) {
      return result.ratio(entry.toString(), other.toString());
    }
  }

  DecodeContest {
    entries = List.copyOf(entries);
  }

  /** How often a listener of {@link #run} is told of something. */
  long reports(Contest.Effort effort) {
    return entries.size() + effort.reports(2 * entries.size() + 1);
  }

  /** Bytes that {@link #run} fills. */
  long bytes() {
    return entries.stream().mapToLong(Entry::bytes).sum();
  }

  /** Fills the caches, warms up, measures; told of each cache, warm-up and sample. */
  Outcome run(Contest.Effort effort, Contest.Listener listener) {
    Map<Entry, DecodeWork> works = new LinkedHashMap<>();
    try (Team team = Team.of(threads);
        Workers workers = new Workers(threads)) {
      for (Entry entry : entries) {
        works.put(
            entry,
            new DecodeWork(
                entry.heads(),
                entry.type(),
                entry.layers(),
                entry.context(),
                entry.storage(),
                folder,
                team,
                workers,
                tokens -> {}));
        listener.reported();
      }
      FmaPeak peak = new FmaPeak(workers, FmaPeak.PIECES / 2);
      Contest contest = new Contest().add(PEAK, index -> peak.run());
      works.forEach((entry, work) ->
          contest.add(Ceiling.READ + entry, work::read).add(entry.toString(), work::decode));
      Contest.Result result = contest.run(effort, listener);
      List<DecodeRow> rows =
          entries.stream()
              .map(entry -> row(entry, works.get(entry), result, peak.operations()))
              .toList();
      return new Outcome(rows, result);
    } finally {
      works.values().forEach(DecodeWork::close);
    }
  }

  private DecodeRow row(Entry entry, DecodeWork work, Contest.Result result, double peakCall) {
    String name = entry.toString();
    String ceiling = Ceiling.READ + entry;
    double bytes = work.stepBytes();
    Summary nanos = result.time(name);
    int counted = (int) Math.clamp(COUNTED_NANOS / nanos.median(), 4, COUNTED);
    return new DecodeRow(
        entry.type().label(),
        entry.heads().toString(),
        entry.context(),
        threads,
        entry.storage().name().toLowerCase(Locale.ROOT),
        work.cache().shape().layers(),
        work.stepBytes(),
        work.operations(),
        nanos,
        result.rate(name, bytes),
        result.rate(ceiling, bytes),
        result.share(name, ceiling, bytes, Double.POSITIVE_INFINITY),
        result.share(name, ceiling, bytes, Ceiling.most(threads)),
        result.rate(PEAK, peakCall),
        Bound.of(result, name, ceiling, PEAK, work.operations() / peakCall),
        Allocation.perCall(work::decode, counted));
  }
}
