package io.gatun.bench;

import io.gatun.bench.measure.Bound;
import io.gatun.bench.measure.Ceiling;
import io.gatun.bench.measure.Contest;
import io.gatun.bench.show.TargetChart;
import io.gatun.bench.system.Machine;
import io.gatun.bench.work.Heads;
import io.gatun.bench.work.Storage;
import io.gatun.cache.KvType;
import io.gatun.tools.cli.Progress;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.EnumSet;
import java.util.List;
import java.util.Set;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;

/** {@code gatun bench targets}. */
@Command(
    name = "targets",
    mixinStandardHelpOptions = true,
    description = {
      "All that Gatun set out to reach, measured in one process and held against its targets.",
      "",
      "Each line beside its yardstick in the same rounds: the plain read of the same bytes, the FMA"
          + " peak, BF16's time, anonymous memory. Peers have a command of their own, and so have"
          + " the errors of the element types (accuracy).",
      ""
    })
final class TargetsCommand implements Callable<Integer> {
  /** The contexts that the targets name. */
  private static final List<Long> CONTEXTS = List.of(4L << 10, 16L << 10, 64L << 10, 128L << 10);

  private static final long SHAPES_CONTEXT = 16 << 10;

  private static final List<KvType> PLAIN = List.of(KvType.F32, KvType.F16, KvType.BF16);

  private static final Heads HEADS = new Heads(32, 8, 128);

  /** A part of the table that can be measured alone. */
  enum Part {
    CONTEXTS("two threads, contexts"),
    SINGLE("one thread"),
    SHAPES("other head shapes"),
    MAPPED("mapped file, in the page cache"),
    PREFILL("prefill");

    private final String title;

    Part(String title) {
      this.title = title;
    }
  }

  /** A contest of decode steps, and the part that it is for. */
  private record Planned(Part part, DecodeContest contest) {}

  @Mixin private MeasureOptions options;

  @Option(
      names = "--parts",
      split = ",",
      paramLabel = "PART",
      description = "Only these (default: all): ${COMPLETION-CANDIDATES}.")
  private Set<Part> parts = EnumSet.allOf(Part.class);

  @Option(
      names = "--folder",
      paramLabel = "DIR",
      description = "Where the mapped file goes (default: ${DEFAULT-VALUE}).",
      defaultValue = "${sys:java.io.tmpdir}")
  private Path folder;

  /** The targets are set for two threads; a machine with one processor has to do with it. */
  private final int pair = Math.min(2, Runtime.getRuntime().availableProcessors());

  @Override
  public Integer call() throws IOException {
    options.prepare();
    List<Planned> plan = plan();
    for (Planned planned : plan) {
      DecodeContest contest = planned.contest();
      MeasureOptions.requireMemory(
          "K/V of " + contest.entries().size() + " steps like " + contest.entries().getLast(),
          contest.bytes());
    }
    Machine machine = Machine.here();
    System.out.println(machine.line());
    Contest.Effort effort = options.effort();
    PrefillContest prefill = new PrefillContest(List.of(KvType.F16), HEADS, 4 << 10, 512, pair);
    long reports =
        plan.stream().mapToLong(planned -> planned.contest().reports(effort)).sum()
            + (parts.contains(Part.PREFILL) ? prefill.reports(effort) : 0);
    List<TargetRow> rows = new ArrayList<>();
    List<DecodeRow> steps = new ArrayList<>();
    try (Progress progress = Progress.start("targets", "samples", reports)) {
      for (Planned planned : plan) {
        DecodeContest.Outcome outcome = planned.contest().run(effort, () -> progress.by(1));
        steps.addAll(outcome.rows());
        List<TargetRow> held = held(planned, outcome);
        // A run takes minutes: what is known is said, should it be ended.
        held.forEach(row -> System.out.println(row.line()));
        rows.addAll(held);
      }
      if (parts.contains(Part.PREFILL)) {
        for (PrefillRow row : prefill.run(effort, () -> progress.by(1))) {
          rows.add(TargetRows.prefill(Part.PREFILL.title, row));
        }
      }
    }
    if (!steps.isEmpty()) {
      rows.add(TargetRows.heap("heap", steps));
    }
    print(rows, steps);
    if (options.output != null) {
      System.out.println(
          "Chart: " + TargetChart.draw(TargetRow.bars(rows), options.output, "targets"));
    }
    options.write("targets", machine, rows);
    return 0;
  }

  private List<Planned> plan() {
    List<Planned> plan = new ArrayList<>();
    if (parts.contains(Part.CONTEXTS)) {
      CONTEXTS.forEach(context ->
          plan.add(
              decode(
                  Part.CONTEXTS,
                  List.of(KvType.F32, KvType.F16, KvType.BF16, KvType.Q8, KvType.Q4),
                  HEADS,
                  context,
                  pair)));
    }
    if (parts.contains(Part.SINGLE)) {
      CONTEXTS
          .subList(0, 2)
          .forEach(context -> plan.add(decode(Part.SINGLE, PLAIN, HEADS, context, 1)));
    }
    if (parts.contains(Part.SHAPES)) {
      for (String shape : List.of("32/32/128", "32/1/128", "64/8/128", "14/2/64")) {
        List<KvType> types = List.of(KvType.F32, KvType.BF16);
        plan.add(decode(Part.SHAPES, types, Heads.parse(shape), SHAPES_CONTEXT, pair));
      }
    }
    if (parts.contains(Part.MAPPED)) {
      List<DecodeContest.Entry> entries = new ArrayList<>();
      for (KvType type : List.of(KvType.F32, KvType.BF16)) {
        for (Storage storage : Storage.values()) {
          entries.add(DecodeContest.Entry.rotating(type, HEADS, SHAPES_CONTEXT, storage));
        }
      }
      plan.add(new Planned(Part.MAPPED, new DecodeContest(entries, pair, folder)));
    }
    return plan;
  }

  private Planned decode(Part part, List<KvType> types, Heads heads, long context, int threads) {
    List<DecodeContest.Entry> entries =
        types.stream()
            .map(type -> DecodeContest.Entry.rotating(type, heads, context, Storage.ANONYMOUS))
            .toList();
    return new Planned(part, new DecodeContest(entries, threads, folder));
  }

  private static List<TargetRow> held(Planned planned, DecodeContest.Outcome outcome) {
    String title = planned.part().title;
    return switch (planned.part()) {
      case CONTEXTS -> contexts(title, planned.contest(), outcome);
      case SINGLE -> outcome.rows().stream().map(row -> TargetRows.roof(title, row)).toList();
      case SHAPES -> outcome.rows().stream().map(row -> TargetRows.shape(title, row)).toList();
      case MAPPED -> mapped(title, planned.contest(), outcome);
      case PREFILL -> List.of();
    };
  }

  private static List<TargetRow> contexts(
      String title, DecodeContest contest, DecodeContest.Outcome outcome) {
    int bf16 = PLAIN.indexOf(KvType.BF16);
    List<TargetRow> rows = new ArrayList<>();
    for (int i = 0; i < outcome.rows().size(); i++) {
      DecodeRow row = outcome.rows().get(i);
      if (i < PLAIN.size()) {
        rows.add(TargetRows.roof(title, row));
        continue;
      }
      DecodeContest.Entry entry = contest.entries().get(i);
      rows.add(
          TargetRows.quantised(title, row, outcome.timeRatio(entry, contest.entries().get(bf16))));
      if (entry.context() == CONTEXTS.getFirst()) {
        rows.add(TargetRows.memory(title, row, outcome.rows().get(bf16)));
      }
    }
    return rows;
  }

  private static List<TargetRow> mapped(
      String title, DecodeContest contest, DecodeContest.Outcome outcome) {
    List<TargetRow> rows = new ArrayList<>();
    // Each type in anonymous memory, then in a mapped file.
    for (int i = 1; i < contest.entries().size(); i += 2) {
      DecodeContest.Entry anonymous = contest.entries().get(i - 1);
      DecodeContest.Entry mapped = contest.entries().get(i);
      rows.add(
          TargetRows.mapped(title, outcome.rows().get(i), outcome.timeRatio(anonymous, mapped)));
    }
    return rows;
  }

  private static void print(List<TargetRow> rows, List<DecodeRow> steps) {
    System.out.print("\n" + TargetRow.table(rows));
    if (steps.isEmpty()) {
      return;
    }
    System.out.print(Ceiling.explain(steps.stream().map(DecodeRow::ceilingGbps).toList()));
    System.out.println();
    steps.stream()
        .filter(row -> row.bound().by().equals(Bound.ARITHMETIC))
        .forEach(row -> System.out.print(TargetRows.sentence(row)));
    System.out.print("\n" + DecodeRow.table(steps));
    System.out.print("\n" + DecodeRow.limits(steps));
  }
}
