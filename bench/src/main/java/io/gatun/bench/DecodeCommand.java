package io.gatun.bench;

import io.gatun.attention.Team;
import io.gatun.bench.measure.Allocation;
import io.gatun.bench.measure.Ceiling;
import io.gatun.bench.measure.Contest;
import io.gatun.bench.show.Charts;
import io.gatun.bench.show.Floors;
import io.gatun.bench.show.Numbers;
import io.gatun.bench.show.TextTable;
import io.gatun.bench.system.Machine;
import io.gatun.bench.work.DecodeWork;
import io.gatun.bench.work.Heads;
import io.gatun.bench.work.Storage;
import io.gatun.cache.KvType;
import io.gatun.tools.cli.Progress;
import io.gatun.tools.plan.Amounts;
import io.gatun.tools.yardstick.Workers;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
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

  /** One contest: all types at one shape, context, number of threads and storage. */
  private record Cell(Heads heads, long context, int threads, Storage storage) {}

  @Override
  public Integer call() throws IOException {
    Floors limits = check ? Floors.load(floors) : null;
    options.prepare();
    Machine machine = Machine.here();
    List<Cell> cells = cells();
    for (Cell cell : cells) {
      long bytes = types.stream().mapToLong(type -> bytes(cell, type)).sum();
      MeasureOptions.requireMemory(
          "K/V of %s tokens, %s, in %d types"
              .formatted(Numbers.tokens(cell.context()), cell.heads(), types.size()),
          bytes);
    }
    System.out.println(machine.line());
    List<DecodeRow> rows = new ArrayList<>();
    for (Cell cell : cells) {
      rows.addAll(measure(cell));
    }
    System.out.print("\n" + table(rows));
    System.out.print(Ceiling.explain(rows.stream().map(DecodeRow::ceilingGbps).toList()));
    if (options.output != null) {
      System.out.println("Chart: " + Charts.shares(chart(rows), options.output, "decode"));
    }
    options.write("decode", machine, rows);
    return limits == null ? 0 : verdict(limits, rows);
  }

  private List<Cell> cells() {
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
    List<Cell> cells = new ArrayList<>();
    for (Storage storage : storages) {
      for (String length : lengths) {
        for (String shape : heads != null ? heads : List.of("32/8/128")) {
          for (int team : teams) {
            cells.add(new Cell(Heads.parse(shape), Amounts.tokens(length), team, storage));
          }
        }
      }
      if (heads == null && contexts == null && !options.quick) {
        for (String shape : List.of("32/32/128", "32/1/128", "64/8/128", "14/2/64")) {
          cells.add(new Cell(Heads.parse(shape), 16_384, teams.getLast(), storage));
        }
      }
    }
    return cells;
  }

  private static long bytes(Cell cell, KvType type) {
    int layers = DecodeWork.rotatingLayers(cell.heads(), type, cell.context());
    return DecodeWork.bytes(cell.heads(), type, layers, cell.context());
  }

  private List<DecodeRow> measure(Cell cell) {
    String what =
        "%s %s x%d".formatted(cell.heads(), Numbers.tokens(cell.context()), cell.threads());
    Map<KvType, DecodeWork> works = new LinkedHashMap<>();
    try (Team team = Team.of(cell.threads());
        Workers workers = new Workers(cell.threads())) {
      try (Progress progress =
          Progress.start("fill " + what, "tokens", cell.context() * types.size())) {
        for (KvType type : types) {
          int layers = DecodeWork.rotatingLayers(cell.heads(), type, cell.context());
          works.put(
              type,
              new DecodeWork(
                  cell.heads(),
                  type,
                  layers,
                  cell.context(),
                  cell.storage(),
                  folder,
                  team,
                  workers,
                  progress::by));
        }
      }
      Contest contest = new Contest();
      works.forEach((type, work) ->
          contest.add(Ceiling.READ + type, work::read).add(type.label(), work::decode));
      Contest.Effort effort = options.effort();
      Contest.Result result;
      try (Progress progress =
          Progress.start(what, "samples", (long) contest.size() * effort.rounds())) {
        result = contest.run(effort, () -> progress.by(1));
      }
      List<DecodeRow> rows = new ArrayList<>();
      works.forEach((type, work) -> rows.add(row(cell, type, work, result)));
      return rows;
    } finally {
      works.values().forEach(DecodeWork::close);
    }
  }

  private static DecodeRow row(Cell cell, KvType type, DecodeWork work, Contest.Result result) {
    String ceiling = Ceiling.READ + type;
    double bytes = work.stepBytes();
    return new DecodeRow(
        type.label(),
        cell.heads().toString(),
        cell.context(),
        cell.threads(),
        cell.storage().name().toLowerCase(Locale.ROOT),
        work.cache().shape().layers(),
        work.stepBytes(),
        result.time(type.label()),
        result.rate(type.label(), bytes),
        result.rate(ceiling, bytes),
        result.share(type.label(), ceiling, bytes, Double.POSITIVE_INFINITY),
        result.share(type.label(), ceiling, bytes, Ceiling.most(cell.threads())),
        Allocation.perCall(work::decode, 64));
  }

  static String table(List<DecodeRow> rows) {
    TextTable table =
        new TextTable(
            "heads",
            "context",
            "threads",
            "storage",
            "type",
            "us/step",
            "spread",
            "GB/s",
            "ceiling",
            "of ceiling",
            "of roof",
            "10%-90%",
            "heap B/step");
    for (DecodeRow row : rows) {
      table.row(
          row.heads(),
          Numbers.tokens(row.context()),
          Integer.toString(row.threads()),
          row.storage(),
          row.type(),
          Numbers.micros(row.nanos().median()),
          Numbers.percent(row.nanos()),
          Numbers.rate(row.gbps().median()),
          Numbers.rate(row.ceilingGbps().median()),
          Numbers.share(row.ceilingShare().median()),
          Numbers.share(row.roofShare().median()),
          Numbers.spread(row.roofShare()),
          Long.toString(Math.round(row.allocatedBytes())));
    }
    return table.text();
  }

  private static Map<String, Map<String, Double>> chart(List<DecodeRow> rows) {
    return rows.stream()
        .collect(
            Collectors.groupingBy(
                DecodeRow::type,
                LinkedHashMap::new,
                Collectors.toMap(
                    row ->
                        "%s %s x%d"
                                .formatted(
                                    row.heads(), Numbers.tokens(row.context()), row.threads())
                            + (row.storage().equals("mapped") ? " mapped" : ""),
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
