package io.gatun.bench;

import io.gatun.attention.Team;
import io.gatun.bench.measure.Contest;
import io.gatun.bench.measure.Summary;
import io.gatun.bench.show.Charts;
import io.gatun.bench.show.Numbers;
import io.gatun.bench.show.TextTable;
import io.gatun.bench.system.Machine;
import io.gatun.bench.work.Heads;
import io.gatun.bench.work.PrefillWork;
import io.gatun.cache.GatunException;
import io.gatun.cache.KvType;
import io.gatun.tools.cli.Progress;
import io.gatun.tools.plan.Amounts;
import io.gatun.tools.yardstick.FmaPeak;
import io.gatun.tools.yardstick.Workers;
import java.io.IOException;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;

/** {@code gatun bench prefill}. */
@Command(
    name = "prefill",
    mixinStandardHelpOptions = true,
    description = {
      "The attention of many query tokens at once, beside the FMA peak of the same threads.",
      "",
      "Prefill is bound by arithmetic: its yardstick is the rate of multiply-adds out of"
          + " registers. Each query sees the tokens up to its own; only those are counted.",
      ""
    })
final class PrefillCommand implements Callable<Integer> {
  private static final String PEAK = "peak";

  @Mixin private MeasureOptions options;

  @Option(
      names = "--types",
      split = ",",
      paramLabel = "TYPE",
      description = "Element types (default: all): ${COMPLETION-CANDIDATES}.")
  private List<KvType> types = Arrays.asList(KvType.values());

  @Option(
      names = "--heads",
      split = ",",
      paramLabel = "H/KV/DIM",
      description = "Query heads / KV heads / head dims (default: ${DEFAULT-VALUE}).",
      defaultValue = "32/8/128")
  private List<String> heads;

  @Option(
      names = "--contexts",
      split = ",",
      paramLabel = "TOKENS",
      description = "Tokens in the cache, the queries' own included (default: ${DEFAULT-VALUE}).",
      defaultValue = "4k")
  private List<String> contexts;

  @Option(
      names = "--queries",
      split = ",",
      paramLabel = "TOKENS",
      description = "Query tokens (default: 512; without --quick 1, 8, 64 and 512).")
  private List<Integer> queries;

  @Option(
      names = "--threads",
      split = ",",
      paramLabel = "N",
      description = "Threads (default: all processors).")
  private List<Integer> threads = List.of(Runtime.getRuntime().availableProcessors());

  /**
   * One line of the table.
   *
   * @param type element type of K and V
   * @param heads numHeads/numKvHeads/headDim
   * @param context tokens in the cache
   * @param queries query tokens, the last of them
   * @param threads threads that compute
   * @param nanos nanoseconds of a call
   * @param gflops 10^9 operations a second
   * @param peakGflops the FMA peak
   * @param share of the peak, round by round
   */
  record Row(
      String type,
      String heads,
      long context,
      int queries,
      int threads,
      Summary nanos,
      Summary gflops,
      Summary peakGflops,
      Summary share) {}

  @Override
  public Integer call() throws IOException {
    options.prepare();
    Machine machine = Machine.here();
    System.out.println(machine.line());
    List<Integer> batches =
        queries != null ? queries : options.quick ? List.of(512) : List.of(1, 8, 64, 512);
    List<Row> rows = new ArrayList<>();
    for (String shape : heads) {
      for (String length : contexts) {
        for (int batch : batches) {
          for (int team : threads) {
            rows.addAll(measure(Heads.parse(shape), Amounts.tokens(length), batch, team));
          }
        }
      }
    }
    System.out.print("\n" + table(rows));
    if (options.output != null) {
      System.out.println("Chart: " + Charts.shares(chart(rows), options.output, "prefill"));
    }
    options.write("prefill", machine, rows);
    return 0;
  }

  private List<Row> measure(Heads shape, long context, int batch, int threadCount) {
    if (batch < 1 || batch > context) {
      throw new GatunException(
          "%d query tokens of %d tokens: must be from 1 to that".formatted(batch, context));
    }
    String what = "%d on %s x%d".formatted(batch, Numbers.tokens(context), threadCount);
    Map<KvType, PrefillWork> works = new LinkedHashMap<>();
    try (Team team = Team.of(threadCount);
        Workers workers = new Workers(threadCount)) {
      FmaPeak peak = new FmaPeak(workers, FmaPeak.PIECES);
      Contest contest = new Contest().add(PEAK, index -> peak.run());
      for (KvType type : types) {
        PrefillWork work = new PrefillWork(shape, type, context, batch, team);
        works.put(type, work);
        contest.add(type.label(), work::prefill);
      }
      Contest.Effort effort = options.effort();
      Contest.Result result;
      try (Progress progress =
          Progress.start(what, "samples", (long) contest.size() * effort.rounds())) {
        result = contest.run(effort, () -> progress.by(1));
      }
      List<Row> rows = new ArrayList<>();
      works.forEach((type, work) -> {
        String name = type.label();
        Summary perPeak = result.ratio(PEAK, name);
        double scale = work.operations() / peak.operations();
        rows.add(
            new Row(
                name,
                shape.toString(),
                context,
                batch,
                threadCount,
                result.time(name),
                result.rate(name, work.operations()),
                result.rate(PEAK, peak.operations()),
                new Summary(
                    perPeak.median() * scale,
                    perPeak.low() * scale,
                    perPeak.high() * scale,
                    perPeak.count())));
      });
      return rows;
    } finally {
      works.values().forEach(PrefillWork::close);
    }
  }

  static String table(List<Row> rows) {
    TextTable table =
        new TextTable(
            "heads",
            "context",
            "queries",
            "threads",
            "type",
            "us/call",
            "spread",
            "GFLOP/s",
            "FMA peak",
            "of peak",
            "10%-90%");
    for (Row row : rows) {
      table.row(
          row.heads(),
          Numbers.tokens(row.context()),
          Integer.toString(row.queries()),
          Integer.toString(row.threads()),
          row.type(),
          Numbers.micros(row.nanos().median()),
          Numbers.percent(row.nanos()),
          Numbers.rate(row.gflops().median()),
          Numbers.rate(row.peakGflops().median()),
          Numbers.share(row.share().median()),
          Numbers.spread(row.share()));
    }
    return table.text();
  }

  private static Map<String, Map<String, Double>> chart(List<Row> rows) {
    Map<String, Map<String, Double>> chart = new LinkedHashMap<>();
    for (Row row : rows) {
      chart
          .computeIfAbsent(row.type(), type -> new LinkedHashMap<>())
          .put(
              String.format(
                  Locale.ROOT,
                  "%s %d on %s x%d",
                  row.heads(),
                  row.queries(),
                  Numbers.tokens(row.context()),
                  row.threads()),
              row.share().median());
    }
    return chart;
  }
}
