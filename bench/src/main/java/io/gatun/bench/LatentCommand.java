package io.gatun.bench;

import io.gatun.attention.Team;
import io.gatun.bench.measure.Allocation;
import io.gatun.bench.measure.Ceiling;
import io.gatun.bench.measure.Contest;
import io.gatun.bench.measure.Summary;
import io.gatun.bench.show.Numbers;
import io.gatun.bench.show.TextTable;
import io.gatun.bench.system.Machine;
import io.gatun.bench.work.LatentWork;
import io.gatun.cache.KvType;
import io.gatun.tools.cli.Amounts;
import io.gatun.tools.cli.Progress;
import io.gatun.tools.yardstick.FmaPeak;
import io.gatun.tools.yardstick.Workers;
import java.io.IOException;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;

/** {@code gatun bench latent}. */
@Command(
    name = "latent",
    mixinStandardHelpOptions = true,
    description = {
      "The time of one decode step of latent attention in the shape of DeepSeek-V3 (128 heads,"
          + " latent 512 + 64), beside the plain read of the same bytes and the FMA peak.",
      "",
      "128 heads share each row, so a byte of a BF16 cache is multiplied about 120 times: the FMA"
          + " peak bounds such a step, not memory. Layers rotate over more than 512 MiB.",
      ""
    })
final class LatentCommand implements Callable<Integer> {
  private static final String PEAK = "peak";

  @Mixin private MeasureOptions options;

  @Option(
      names = "--types",
      split = ",",
      paramLabel = "TYPE",
      defaultValue = "bf16",
      description = "Element types of the rows (default: bf16): ${COMPLETION-CANDIDATES}.")
  private List<KvType> types;

  @Option(
      names = "--contexts",
      split = ",",
      paramLabel = "TOKENS",
      defaultValue = "4k",
      description = "Contexts, 4096 or 4k (default: 4k).")
  private List<String> contexts;

  @Option(names = "--threads", paramLabel = "N", description = "Threads (default: all processors).")
  private int threads = Runtime.getRuntime().availableProcessors();

  /**
   * One line.
   *
   * @param stepBytes rows of a layer and the up-projection
   * @param operations floating-point operations of a step
   * @param ceilingShare time of the plain read over that of the step
   * @param peakShare the step's operations per second over the FMA peak
   */
  record Row(
      String type,
      long context,
      int threads,
      long stepBytes,
      double operations,
      Summary nanos,
      Summary ceilingGbps,
      Summary ceilingShare,
      Summary gflops,
      Summary peakGflops,
      Summary peakShare,
      double allocatedBytes) {}

  @Override
  public Integer call() throws IOException {
    options.prepare();
    Machine machine = Machine.here();
    System.out.println(machine.line());
    List<Row> rows = new ArrayList<>();
    for (String context : contexts) {
      for (KvType type : types) {
        rows.add(measure(type, Amounts.tokens(context)));
      }
    }
    System.out.print("\n" + table(rows));
    options.write("latent", machine, rows);
    return 0;
  }

  private Row measure(KvType type, long context) {
    String what = "latent %s %s x%d".formatted(type.label(), Numbers.tokens(context), threads);
    int layers = LatentWork.rotatingLayers(type, context);
    try (Team team = Team.of(threads);
        Workers workers = new Workers(threads);
        LatentWork work = new LatentWork(type, layers, context, team, workers)) {
      FmaPeak peak = new FmaPeak(workers, FmaPeak.PIECES);
      Contest contest =
          new Contest()
              .add(Ceiling.READ, work::read)
              .add(PEAK, index -> peak.run())
              .add(what, work::decode);
      Contest.Effort effort = options.effort();
      Contest.Result result;
      try (Progress progress = Progress.start(what, "samples", effort.reports(contest.size()))) {
        result = contest.run(effort, () -> progress.by(1));
      }
      Contest.Result atPeak =
          result.with("at the peak", result.scaled(PEAK, work.operations() / peak.operations()));
      return new Row(
          type.label(),
          context,
          threads,
          work.stepBytes(),
          work.operations(),
          result.time(what),
          result.rate(Ceiling.READ, work.stepBytes()),
          result.ratio(Ceiling.READ, what),
          result.rate(what, work.operations()),
          result.rate(PEAK, peak.operations()),
          atPeak.ratio("at the peak", what),
          Allocation.perCall(work::decode, 16));
    }
  }

  static String table(List<Row> rows) {
    TextTable table =
        new TextTable(
            "type",
            "context",
            "threads",
            "us/step",
            "spread",
            "ceiling GB/s",
            "of ceiling",
            "GFLOP/s",
            "FMA peak",
            "of peak",
            "10%-90%",
            "heap B/step");
    for (Row row : rows) {
      table.row(
          row.type(),
          Numbers.tokens(row.context()),
          Integer.toString(row.threads()),
          Numbers.micros(row.nanos().median()),
          Numbers.percent(row.nanos()),
          Numbers.rate(row.ceilingGbps().median()),
          Numbers.share(row.ceilingShare().median()),
          Numbers.rate(row.gflops().median()),
          Numbers.rate(row.peakGflops().median()),
          Numbers.share(row.peakShare().median()),
          Numbers.spread(row.peakShare()),
          Long.toString(Math.round(row.allocatedBytes())));
    }
    return table.text();
  }
}
