package io.gatun.bench.scaling;

import io.gatun.attention.Team;
import io.gatun.bench.measure.Ceiling;
import io.gatun.bench.measure.Contest;
import io.gatun.bench.system.ProcessStatus;
import io.gatun.bench.system.RamLimit;
import io.gatun.bench.work.Storage;
import io.gatun.tools.cli.Progress;
import io.gatun.tools.plan.Plan;
import io.gatun.tools.yardstick.Workers;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;

/** Measures series: grows each cache from context to context, and times a step at each. */
public final class ScalingRun {
  private static final String STEP = "step";

  /**
   * A step over files larger than RAM takes seconds and waits for the disk: no warm-up, few rounds.
   */
  private static final Contest.Effort FROM_DISK = new Contest.Effort(3, 1, 0);

  /** Steps over which page faults are counted. */
  private static final int COUNTED_STEPS = 3;

  private final int threads;
  private final Path folder;
  private final Contest.Effort effort;
  private final double bandwidth;

  /**
   * A run.
   *
   * @param folder where mapped files go
   * @param bandwidth the planner's, in bytes per second
   */
  public ScalingRun(int threads, Path folder, Contest.Effort effort, double bandwidth) {
    this.threads = threads;
    this.folder = folder;
    this.effort = effort;
    this.bandwidth = bandwidth;
  }

  /** Measures one series at growing contexts. */
  public List<ScalingRow> run(Series series, List<Long> contexts) {
    if (series.ramLimit() == 0) {
      return grow(series, contexts);
    }
    try (RamLimit _ = RamLimit.enter(series.ramLimit())) {
      return grow(series, contexts);
    }
  }

  private List<ScalingRow> grow(Series series, List<Long> contexts) {
    Contest.Effort each = series.ramLimit() == 0 ? effort : FROM_DISK;
    long work = contexts.size() * each.reports(2) + contexts.getLast() / 1024;
    List<ScalingRow> rows = new ArrayList<>();
    try (Team team = Team.of(threads);
        Workers workers = new Workers(threads);
        GrowingWork cache =
            new GrowingWork(
                series.layout(), series.heads(), series.storage(), folder, team, workers);
        Progress progress = Progress.start(series.name(), "steps", work)) {
      long done = 0;
      for (long context : contexts) {
        cache.grow(context, tokens -> progress.by(tokens / 1024));
        rows.add(measure(series, context, cache, each, progress));
        done = rows.size() * each.reports(2) + context / 1024;
        progress.to(done);
      }
    }
    return rows;
  }

  private ScalingRow measure(
      Series series, long context, GrowingWork cache, Contest.Effort each, Progress progress) {
    Contest.Result result =
        new Contest()
            .add(Ceiling.READ, index -> cache.read())
            .add(STEP, index -> cache.step())
            .run(each, () -> progress.by(1));
    int counted = series.ramLimit() == 0 ? COUNTED_STEPS : 1;
    long[] before = ProcessStatus.faults();
    for (int step = 0; step < counted; step++) {
      cache.step();
    }
    long[] after = ProcessStatus.faults();
    ProcessStatus status = ProcessStatus.now();
    Plan plan = series.plan(context, bandwidth);
    double bytes = cache.stepBytes();
    return new ScalingRow(
        series.name(),
        series.storageName(),
        series.type().label(),
        series.heads().toString(),
        series.layers(),
        context,
        cache.stepBytes(),
        series.storage() == Storage.MAPPED ? cache.blockBytes() : 0,
        result.time(STEP),
        result.share(STEP, Ceiling.READ, bytes, Double.POSITIVE_INFINITY),
        result.share(STEP, Ceiling.READ, bytes, Ceiling.most(threads)),
        result.rate(Ceiling.READ, bytes),
        status.heapBytes(),
        status.residentBytes(),
        status.fileBytes(),
        (double) (after[0] - before[0]) / counted,
        (double) (after[1] - before[1]) / counted,
        plan.attentionFloorSeconds() * 1e9,
        plan.gatunBytes(),
        cache.blockBytes());
  }
}
