package io.gatun.bench.scaling;

import io.gatun.bench.measure.LineFit;
import io.gatun.bench.show.Numbers;
import io.gatun.bench.show.TextTable;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.stream.Collectors;

/** The table of a scaling run, and the line fitted to each series. */
public final class ScalingText {
  /** Below so many bytes a processor cache helps: such points say nothing about memory. */
  static final long FROM_MEMORY = 64L << 20;

  private ScalingText() {}

  /** Rows by series, in their order. */
  public static Map<String, List<ScalingRow>> bySeries(List<ScalingRow> rows) {
    return rows.stream()
        .collect(
            Collectors.groupingBy(ScalingRow::series, LinkedHashMap::new, Collectors.toList()));
  }

  /** Tables and fits, each line ended. */
  public static String text(List<ScalingRow> rows) {
    StringBuilder text = new StringBuilder();
    bySeries(rows)
        .forEach((series, points) -> {
          text.append("\n").append(series).append("\n").append(table(points));
          text.append(fitted(points));
        });
    return text.toString();
  }

  private static String table(List<ScalingRow> rows) {
    TextTable table =
        new TextTable(
            "context",
            "ms/step",
            "spread",
            "GB/s",
            "of ceiling",
            "of roof",
            "planned ms",
            "K/V MiB",
            "planned",
            "file MiB",
            "heap MiB",
            "resident",
            "in files",
            "minor faults",
            "major");
    for (ScalingRow row : rows) {
      table.row(
          Numbers.tokens(row.context()),
          millis(row.nanos().median()),
          Numbers.percent(row.nanos()),
          Numbers.rate(row.stepBytes() / row.nanos().median()),
          Numbers.share(row.ceilingShare().median()),
          Numbers.share(row.roofShare().median()),
          millis(row.plannedNanos()),
          mebibytes(row.blockBytes()),
          mebibytes(row.plannedBytes()),
          mebibytes(row.fileBytes()),
          mebibytes(row.heapBytes()),
          mebibytes(row.residentBytes()),
          mebibytes(row.residentFileBytes()),
          String.format(Locale.ROOT, "%,.0f", row.minorFaults()),
          String.format(Locale.ROOT, "%,.0f", row.majorFaults()));
    }
    return table.text();
  }

  /** What a token costs, from the points that come from memory, or, if the last does, from disk. */
  static String fitted(List<ScalingRow> rows) {
    List<ScalingRow> points = fittedPoints(rows);
    if (points.size() < 2) {
      return "Too few contexts for a fit.\n";
    }
    LineFit fit =
        LineFit.of(
            points.stream().mapToDouble(ScalingRow::context).toArray(),
            points.stream().mapToDouble(row -> row.nanos().median()).toArray());
    ScalingRow last = points.getLast();
    double bytesPerToken = (double) last.stepBytes() / last.context();
    double plannedPerToken = last.plannedNanos() / last.context();
    return String.format(
        Locale.ROOT,
        "fit over %s to %s: %.2f ms + %.2f ns per token and step (farthest point %.0f%%), %.1f"
            + " GB/s; the planner's floor: %.2f ns per token%n",
        Numbers.tokens(points.getFirst().context()),
        Numbers.tokens(last.context()),
        fit.base() / 1e6,
        fit.slope(),
        100 * fit.worst(),
        bytesPerToken / fit.slope(),
        plannedPerToken);
  }

  private static List<ScalingRow> fittedPoints(List<ScalingRow> rows) {
    boolean fromDisk = rows.getLast().majorFaults() >= 1;
    List<ScalingRow> large =
        rows.stream()
            .filter(row -> fromDisk ? row.majorFaults() >= 1 : row.stepBytes() >= FROM_MEMORY)
            .toList();
    return large.size() >= 2 ? large : rows;
  }

  private static String millis(double nanos) {
    double millis = nanos / 1e6;
    return String.format(
        Locale.ROOT, millis >= 100 ? "%,.0f" : millis >= 1 ? "%.2f" : "%.3f", millis);
  }

  private static String mebibytes(long bytes) {
    return String.format(Locale.ROOT, "%,d", Math.round(bytes / 1048576.0));
  }
}
