package io.gatun.bench;

import io.gatun.bench.measure.Contest;
import io.gatun.bench.scaling.ScalingRow;
import io.gatun.bench.scaling.ScalingRun;
import io.gatun.bench.scaling.ScalingText;
import io.gatun.bench.scaling.Series;
import io.gatun.bench.show.Charts;
import io.gatun.bench.show.Numbers;
import io.gatun.bench.system.Machine;
import io.gatun.bench.system.ProcessStatus;
import io.gatun.bench.work.Heads;
import io.gatun.bench.work.Storage;
import io.gatun.cache.GatunException;
import io.gatun.cache.KvType;
import io.gatun.tools.cli.Amounts;
import io.gatun.tools.cli.Sizes;
import io.gatun.tools.plan.ReadBandwidth;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;

/** {@code gatun bench scaling}. */
@Command(
    name = "scaling",
    mixinStandardHelpOptions = true,
    description = {
      "How a decode step, memory and disk grow with the context, layers, KV heads and types.",
      "",
      "One cache grows from context to context: in anonymous memory, in mapped files that fit RAM,"
          + " and with --ram-limit in files larger than that. At each context a whole step, all"
          + " layers, is timed beside the plain read of the same bytes. The first of --layers,"
          + " --heads and --types grows to --up-to; the others, one at a time, to a quarter of it.",
      ""
    })
final class ScalingCommand implements Callable<Integer> {
  private static final long FIRST = 1024;

  private static final double MIB = 1 << 20;

  @Mixin private MeasureOptions options;

  @Option(
      names = "--up-to",
      paramLabel = "TOKENS",
      description = "Longest context (default: 1M; with --quick 64k).")
  private String upTo;

  @Option(
      names = "--layers",
      split = ",",
      paramLabel = "N",
      description = "Layers (default: ${DEFAULT-VALUE}).",
      defaultValue = "1,2,4")
  private List<Integer> layers;

  @Option(
      names = "--heads",
      split = ",",
      paramLabel = "H/KV/DIM",
      description = "Query heads / KV heads / head dims (default: ${DEFAULT-VALUE}).",
      defaultValue = "32/8/128,32/2/128,32/32/128")
  private List<String> heads;

  @Option(
      names = "--types",
      split = ",",
      paramLabel = "TYPE",
      description = "Element types (default: bf16, then the others): ${COMPLETION-CANDIDATES}.")
  private List<KvType> types;

  @Option(
      names = "--storage",
      split = ",",
      paramLabel = "WHERE",
      description = "Where K/V lies: ${COMPLETION-CANDIDATES} (default: both).")
  private List<Storage> storages = List.of(Storage.values());

  @Option(
      names = "--ram-limit",
      paramLabel = "SIZE",
      description =
          "Also measure mapped files of one to four times this size while a control group limits"
              + " the process to it, 1GiB for instance.")
  private String ramLimit;

  @Option(
      names = "--folder",
      paramLabel = "DIR",
      description = "Where mapped files go (default: ${DEFAULT-VALUE}).",
      defaultValue = "${sys:java.io.tmpdir}")
  private Path folder;

  @Option(names = "--threads", paramLabel = "N", description = "Threads (default: all processors).")
  private int threads = Runtime.getRuntime().availableProcessors();

  private final List<String> remarks = new ArrayList<>();

  @Override
  public Integer call() throws IOException {
    options.prepare();
    long longest = Amounts.tokens(upTo != null ? upTo : options.quick ? "64k" : "1M");
    if (longest < FIRST) {
      throw new GatunException("--up-to is %d; contexts begin at %d".formatted(longest, FIRST));
    }
    Machine machine = Machine.here();
    System.out.println(machine.line());
    double bandwidth = ReadBandwidth.measure();
    System.out.printf(
        Locale.ROOT, "%d threads; the planner measured %.1f GB/s.%n", threads, bandwidth / 1e9);
    ScalingRun run = new ScalingRun(threads, folder, effort(), bandwidth);
    List<ScalingRow> rows = new ArrayList<>();
    for (Series series : series()) {
      long limit = series.equals(base(series.storage())) ? longest : Math.max(FIRST, longest / 4);
      List<Long> contexts = fitting(series, limit);
      if (!contexts.isEmpty()) {
        rows.addAll(run.run(series, contexts));
      }
    }
    rows.addAll(largerThanRam(run));
    System.out.print(ScalingText.text(rows));
    remarks.forEach(System.out::println);
    if (options.output != null) {
      charts(rows);
    }
    options.write("scaling", machine, rows);
    return 0;
  }

  /** Many points: shorter samples than elsewhere. */
  private Contest.Effort effort() {
    Contest.Effort effort = options.effort();
    return new Contest.Effort(
        options.rounds != null ? effort.rounds() : 10, effort.sampleMillis() / 2, 600);
  }

  private List<KvType> types() {
    if (types != null) {
      return types;
    }
    Set<KvType> all = new LinkedHashSet<>(List.of(KvType.BF16));
    all.addAll(List.of(KvType.values()));
    return List.copyOf(all);
  }

  private Series base(Storage storage) {
    return new Series(
        storage, types().getFirst(), Heads.parse(heads.getFirst()), layers.getFirst(), 0);
  }

  /** The base series of each storage, and in the first storage what differs from it in one thing. */
  private List<Series> series() {
    Set<Series> all = new LinkedHashSet<>();
    storages.forEach(storage -> all.add(base(storage)));
    Series base = base(storages.getFirst());
    layers.forEach(n -> all.add(new Series(base.storage(), base.type(), base.heads(), n, 0)));
    heads.forEach(shape ->
        all.add(new Series(base.storage(), base.type(), Heads.parse(shape), base.layers(), 0)));
    types()
        .forEach(type -> all.add(new Series(base.storage(), type, base.heads(), base.layers(), 0)));
    return List.copyOf(all);
  }

  /** Doubling contexts up to the longest that memory, or the disk, has room for. */
  private List<Long> fitting(Series series, long longest) throws IOException {
    long room = ProcessStatus.memory("MemAvailable") / 10 * 8;
    if (series.storage() == Storage.MAPPED) {
      room = Math.min(room, Files.getFileStore(folder).getUsableSpace() / 10 * 8);
    }
    List<Long> contexts = new ArrayList<>();
    for (long context = FIRST; context <= longest; context *= 2) {
      if (room > 0 && series.blockBytes(context) > room) {
        remarks.add(
            "%s ends before %s tokens: they take %s, and there is room for %s."
                .formatted(
                    series.name(),
                    Numbers.tokens(context),
                    Sizes.human(series.blockBytes(context)),
                    Sizes.human(room)));
        break;
      }
      contexts.add(context);
    }
    return contexts;
  }

  private List<ScalingRow> largerThanRam(ScalingRun run) throws IOException {
    if (ramLimit == null) {
      remarks.add(
          "Files larger than RAM were not measured; --ram-limit 1GiB does, where a control group"
              + " may be made.");
      return List.of();
    }
    long limit = Sizes.parse(ramLimit);
    Series base = base(Storage.MAPPED);
    Series limited = new Series(Storage.MAPPED, base.type(), base.heads(), base.layers(), limit);
    List<Long> contexts = new ArrayList<>();
    long disk = Files.getFileStore(folder).getUsableSpace() / 10 * 8;
    for (long context = FIRST;
        limited.blockBytes(context) <= Math.min(4 * limit, disk);
        context *= 2) {
      if (limited.blockBytes(context) > limit / 4) {
        contexts.add(context);
      }
    }
    if (contexts.isEmpty()) {
      throw new GatunException(
          "--ram-limit %s is too small for a block of this shape, or the disk is full"
              .formatted(ramLimit));
    }
    try {
      return run.run(limited, contexts);
    } catch (GatunException e) {
      // Everything else was measured: report it, and say why this was not.
      remarks.add("Files larger than RAM were not measured: " + e.getMessage());
      return List.of();
    }
  }

  private void charts(List<ScalingRow> rows) throws IOException {
    Map<String, Map<Long, Double>> times = new LinkedHashMap<>();
    for (ScalingRow row : rows) {
      point(times, row.series(), row, row.nanos().median() / 1e6);
    }
    for (ScalingRow row : ScalingText.bySeries(rows).values().iterator().next()) {
      point(times, Charts.PLANNED, row, row.plannedNanos() / 1e6);
    }
    System.out.println(
        "Chart: "
            + Charts.overContexts(
                "Decode step, all layers", "milliseconds", times, options.output, "scaling-time"));
    List<ScalingRow> base = ScalingText.bySeries(rows).values().iterator().next();
    Map<String, Map<Long, Double>> memory = new LinkedHashMap<>();
    for (ScalingRow row : base) {
      point(memory, "K/V in blocks", row, row.blockBytes() / MIB);
      point(memory, Charts.PLANNED, row, row.plannedBytes() / MIB);
      point(memory, "resident memory", row, row.residentBytes() / MIB);
      point(memory, "Java heap in use", row, row.heapBytes() / MIB);
    }
    System.out.println(
        "Chart: "
            + Charts.overContexts(
                "Memory: " + base.getFirst().series(),
                "MiB",
                memory,
                options.output,
                "scaling-memory"));
  }

  private static void point(
      Map<String, Map<Long, Double>> lines, String name, ScalingRow row, double y) {
    lines.computeIfAbsent(name, line -> new LinkedHashMap<>()).put(row.context(), y);
  }
}
