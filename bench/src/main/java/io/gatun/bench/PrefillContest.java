package io.gatun.bench;

import io.gatun.attention.Team;
import io.gatun.bench.measure.Contest;
import io.gatun.bench.work.Heads;
import io.gatun.bench.work.PrefillWork;
import io.gatun.cache.GatunException;
import io.gatun.cache.KvType;
import io.gatun.tools.yardstick.FmaPeak;
import io.gatun.tools.yardstick.Workers;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/**
 * The attention of many query tokens, in each element type and beside the FMA peak in each round.
 *
 * @param types element types of K and V
 * @param heads heads of the layer
 * @param context tokens in the cache
 * @param queries query tokens, the last of them
 * @param threads threads that compute, and that the peak has
 */
record PrefillContest(List<KvType> types, Heads heads, long context, int queries, int threads) {
  private static final String PEAK = "peak";

  PrefillContest {
    if (queries < 1 || queries > context) {
      throw new GatunException(
          "%d query tokens of %d tokens: must be from 1 to that".formatted(queries, context));
    }
    types = List.copyOf(types);
  }

  /** How often a listener of {@link #run} is told of something. */
  long reports(Contest.Effort effort) {
    return types.size() + effort.reports(types.size() + 1);
  }

  /** Fills the caches, warms up, measures; told of each cache, warm-up and sample. */
  List<PrefillRow> run(Contest.Effort effort, Contest.Listener listener) {
    Map<KvType, PrefillWork> works = new LinkedHashMap<>();
    try (Team team = Team.of(threads);
        Workers workers = new Workers(threads)) {
      FmaPeak peak = new FmaPeak(workers, FmaPeak.PIECES);
      Contest contest = new Contest().add(PEAK, index -> peak.run());
      for (KvType type : types) {
        PrefillWork work = new PrefillWork(heads, type, context, queries, team);
        works.put(type, work);
        contest.add(type.label(), work::prefill, work::prefillFew);
        listener.reported();
      }
      Contest.Result result = contest.run(effort, listener);
      return types.stream()
          .map(type -> row(type.label(), works.get(type).operations(), peak.operations(), result))
          .toList();
    } finally {
      works.values().forEach(PrefillWork::close);
    }
  }

  private PrefillRow row(String type, double operations, double peakCall, Contest.Result result) {
    Contest.Result atPeak = result.with("at the peak", result.scaled(PEAK, operations / peakCall));
    return new PrefillRow(
        type,
        heads.toString(),
        context,
        queries,
        threads,
        result.time(type),
        result.rate(type, operations),
        result.rate(PEAK, peakCall),
        atPeak.ratio("at the peak", type));
  }
}
