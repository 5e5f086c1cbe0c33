package io.gatun.bench;

import io.gatun.bench.measure.Ceiling;
import io.gatun.bench.measure.Contest;
import io.gatun.bench.show.Charts;
import io.gatun.bench.show.Floors;
import io.gatun.bench.system.Machine;
import io.gatun.bench.work.Heads;
import io.gatun.bench.work.Storage;
import io.gatun.cache.KvType;
import io.gatun.tools.cli.Amounts;
import io.gatun.tools.cli.Progress;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.Callable;
import java.util.stream.Collectors;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;

/** {@code gatun bench decode}. */
@Command(
    name = "decode",
    mixinStandardHelpOptions = true,
    description = {
      "The time of one decode step of one layer, beside the plain read of the same bytes.",
      "",
      "One query token; layers rotate over more than 512 MiB, so that no processor cache helps.",
      ""
    })
final class DecodeCommand implements Callable<Integer> {
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
      description =
          "Query heads / KV heads / head dims (default: 32/8/128; at 16,384 tokens also 32/32,"
              + " 32/1, 64/8 and 14/2).")
  private List<String> heads;

  @Option(
      names = "--contexts",
      split = ",",
      paramLabel = "TOKENS",
      description = "Contexts, 4096 or 4k (default: 4k,16k,64k; with --quick 4k).")
  private List<String> contexts;

  @Option(
      names = "--threads",
      split = ",",
      paramLabel = "N",
      description = "Threads (default: 1 and all processors; with --quick all processors).")
  private List<Integer> threads;

  @Option(
      names = "--storage",
      split = ",",
      paramLabel = "WHERE",
      description = "Where K/V lies: ${COMPLETION-CANDIDATES} (default: anonymous).")
  private List<Storage> storages = List.of(Storage.ANONYMOUS);

  @Option(
      names = "--folder",
      paramLabel = "DIR",
      description = "Where mapped files go (default: ${DEFAULT-VALUE}).",
      defaultValue = "${sys:java.io.tmpdir}")
  private Path folder;

  @Option(
      names = "--check",
      description = "Compare the shares with the floors; exit 1 and name those that fell.")
  private boolean check;

  @Option(
      names = "--floors",
      paramLabel = "FILE",
      description = "The floors of --check (default: bench/floors.json as it was built in).")
  private Path floors;

  @Override
  public Integer call() throws IOException {
    Machine machine = Machine.here();
    Floors limits = check ? Floors.load(floors, machine) : null;
    options.prepare();
    List<DecodeContest> contests = contests();
    for (DecodeContest contest : contests) {
      MeasureOptions.requireMemory(
          "K/V of " + contest.entries().size() + " steps like " + contest.entries().getLast(),
          contest.bytes());
    }
    System.out.println(machine.line());
    Contest.Effort effort = options.effort();
    List<DecodeRow> rows = new ArrayList<>();
    long reports = contests.stream().mapToLong(contest -> contest.reports(effort)).sum();
    try (Progress progress = Progress.start("decode", "samples", reports)) {
      for (DecodeContest contest : contests) {
        rows.addAll(contest.run(effort, () -> progress.by(1)).rows());
      }
    }
    System.out.print("\n" + DecodeRow.table(rows));
    System.out.print(Ceiling.explain(rows.stream().map(DecodeRow::ceilingGbps).toList()));
    System.out.print("\n" + DecodeRow.limits(rows));
    if (options.output != null) {
      System.out.println("Chart: " + Charts.shares(chart(rows), options.output, "decode"));
    }
    options.write("decode", machine, rows);
    return limits == null ? 0 : verdict(limits, rows);
  }

  /** One contest for each shape, context, number of threads and storage: all types in it. */
  private List<DecodeContest> contests() {
    int all = Runtime.getRuntime().availableProcessors();
    List<Integer> teams = threads;
    if (teams == null && check) {
      // The floors were set with two threads: the number that nearly every machine has.
      teams = List.of(Math.min(2, all));
    } else if (teams == null) {
      teams = options.quick || all == 1 ? List.of(all) : List.of(1, all);
    }
    List<String> lengths =
        contexts != null ? contexts : options.quick ? List.of("4k") : List.of("4k", "16k", "64k");
    List<DecodeContest> contests = new ArrayList<>();
    for (Storage storage : storages) {
      for (String length : lengths) {
        for (String shape : heads != null ? heads : List.of("32/8/128")) {
          for (int team : teams) {
            contests.add(contest(shape, Amounts.tokens(length), team, storage));
          }
        }
      }
      if (heads == null && contexts == null && !options.quick) {
        for (String shape : List.of("32/32/128", "32/1/128", "64/8/128", "14/2/64")) {
          contests.add(contest(shape, 16_384, teams.getLast(), storage));
        }
      }
    }
    return contests;
  }

  private DecodeContest contest(String shape, long context, int team, Storage storage) {
    Heads parsed = Heads.parse(shape);
    return new DecodeContest(
        types.stream()
            .map(type -> DecodeContest.Entry.rotating(type, parsed, context, storage))
            .toList(),
        team,
        folder);
  }

  private static Map<String, Map<String, Double>> chart(List<DecodeRow> rows) {
    return rows.stream()
        .collect(
            Collectors.groupingBy(
                DecodeRow::type,
                LinkedHashMap::new,
                Collectors.toMap(
                    DecodeRow::place,
                    row -> row.roofShare().median(),
                    (a, b) -> b,
                    LinkedHashMap::new)));
  }

  /** Prints how the rows compare with their floors; the exit code. */
  static int verdict(Floors floors, List<DecodeRow> rows) {
    Map<String, Double> shares = new LinkedHashMap<>();
    rows.forEach(row -> shares.put(row.key(), row.roofShare().median()));
    Floors.Verdict verdict = floors.check(shares);
    System.out.print("\n" + verdict.text());
    return verdict.passed() ? 0 : 1;
  }
}
