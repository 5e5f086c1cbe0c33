package io.gatun.bench;

import io.gatun.bench.measure.Summary;
import io.gatun.bench.show.Numbers;
import io.gatun.bench.show.TargetChart;
import io.gatun.bench.show.TextTable;
import java.util.ArrayList;
import java.util.List;

/**
 * One line of {@code bench targets}.
 *
 * @param part which part of the table it belongs to
 * @param what what was measured
 * @param unit what the figures are a share of, or their unit
 * @param target null where there is none, and the line only says what was measured
 * @param measured as summarised over the rounds
 * @param verdict whether the median meets the target, or by how much not
 * @param detail the row of {@code bench decode} or {@code bench prefill} that it was taken from
 */
record TargetRow(
    String part,
    String what,
    String unit,
    Target target,
    Summary measured,
    String verdict,
    Object detail) {
  TargetRow(String part, String what, String unit, Target target, Summary measured, Object detail) {
    this(part, what, unit, target, measured, target.verdict(measured.median()), detail);
  }

  private boolean met() {
    return target != null && target.met(measured.median());
  }

  /** The row in one line, for those who watch. */
  String line() {
    return "%s: %s %s (%s), %s"
        .formatted(what, Numbers.share(measured.median()), unit, Numbers.spread(measured), verdict);
  }

  static String table(List<TargetRow> rows) {
    TextTable table =
        new TextTable(
            "what",
            "measured as",
            "target",
            "aim",
            "median",
            "10%-90%",
            "verdict",
            "bound by",
            "of bound",
            "of FMA peak");
    String part = null;
    for (TargetRow row : rows) {
      if (!row.part().equals(part)) {
        part = row.part();
        table.row(part + ":", "", "", "", "", "", "", "", "", "");
      }
      boolean decode = row.detail() instanceof DecodeRow;
      DecodeRow step = decode ? (DecodeRow) row.detail() : null;
      table.row(
          "  " + row.what(),
          row.unit(),
          row.target() == null ? "-" : row.target().text(),
          row.target() == null || row.target().aim() == null
              ? "-"
              : Numbers.share(row.target().aim()),
          Numbers.share(row.measured().median()),
          Numbers.spread(row.measured()),
          row.verdict(),
          decode ? step.bound().by() : "",
          decode ? Numbers.share(step.bound().share().median()) : "",
          decode ? Numbers.share(step.bound().peakShare().median()) : "");
    }
    long targets = rows.stream().filter(row -> row.target() != null).count();
    long met = rows.stream().filter(TargetRow::met).count();
    return table.text() + "%d of %d targets met.%n".formatted(met, targets);
  }

  /** The bars of the chart: all lines that are shares. */
  static List<TargetChart.Bar> bars(List<TargetRow> rows) {
    List<TargetChart.Bar> bars = new ArrayList<>();
    for (TargetRow row : rows) {
      if (!row.unit().equals(TargetRows.BYTES)) {
        Target target = row.target();
        bars.add(
            new TargetChart.Bar(
                row.part(),
                row.what(),
                row.unit(),
                row.measured(),
                target == null ? null : target.bound(),
                target == null ? null : target.aim(),
                row.met(),
                row.verdict()));
      }
    }
    return bars;
  }
}
