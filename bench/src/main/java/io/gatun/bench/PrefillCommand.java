package io.gatun.bench;

import io.gatun.bench.measure.Contest;
import io.gatun.bench.show.Charts;
import io.gatun.bench.show.Numbers;
import io.gatun.bench.show.TextTable;
import io.gatun.bench.system.Machine;
import io.gatun.bench.work.Heads;
import io.gatun.cache.KvType;
import io.gatun.tools.cli.Amounts;
import io.gatun.tools.cli.Progress;
import java.io.IOException;
import java.util.ArrayList;
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
  @Mixin private MeasureOptions options;

  @Option(
      names = "--types",
      split = ",",
      paramLabel = "TYPE",
      description =
          "Element types (default: all; with --quick f32, f16 and bf16): ${COMPLETION-CANDIDATES}.")
  private List<KvType> types;

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

  @Override
  public Integer call() throws IOException {
    options.prepare();
    Machine machine = Machine.here();
    System.out.println(machine.line());
    List<PrefillContest> contests = contests();
    Contest.Effort effort = options.effort();
    List<PrefillRow> rows = new ArrayList<>();
    long reports = contests.stream().mapToLong(contest -> contest.reports(effort)).sum();
    try (Progress progress = Progress.start("prefill", "samples", reports)) {
      for (PrefillContest contest : contests) {
        rows.addAll(contest.run(effort, () -> progress.by(1)));
      }
    }
    System.out.print("\n" + table(rows));
    if (options.output != null) {
      System.out.println("Chart: " + Charts.shares(chart(rows), options.output, "prefill"));
    }
    options.write("prefill", machine, rows);
    return 0;
  }

  private List<PrefillContest> contests() {
    List<Integer> batches =
        queries != null ? queries : options.quick ? List.of(512) : List.of(1, 8, 64, 512);
    List<KvType> chosen = types;
    if (chosen == null) {
      chosen =
          options.quick ? List.of(KvType.F32, KvType.F16, KvType.BF16) : List.of(KvType.values());
    }
    List<PrefillContest> contests = new ArrayList<>();
    for (String shape : heads) {
      for (String length : contexts) {
        for (int batch : batches) {
          for (int team : threads) {
            contests.add(
                new PrefillContest(
                    chosen, Heads.parse(shape), Amounts.tokens(length), batch, team));
          }
        }
      }
    }
    return contests;
  }

  static String table(List<PrefillRow> rows) {
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
    for (PrefillRow row : rows) {
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

  private static Map<String, Map<String, Double>> chart(List<PrefillRow> rows) {
    Map<String, Map<String, Double>> chart = new LinkedHashMap<>();
    for (PrefillRow row : rows) {
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
