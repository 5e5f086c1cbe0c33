package io.gatun.bench;

import io.gatun.bench.measure.Bound;
import io.gatun.bench.measure.Summary;
import io.gatun.bench.show.Numbers;
import java.util.List;

/** Holds measurements against what Gatun set out to reach. */
final class TargetRows {
  /** The unit of what is no share. */
  static final String BYTES = "bytes a step";

  private static final String ROOF = "of the roof";

  /** Where a step is bound by arithmetic, shares of the roof are not asked of other shapes. */
  static final String BY_ARITHMETIC = "arithmetic bounds it";

  private TargetRows() {}

  /** A plain type's step as a share of the roof. */
  static TargetRow roof(String part, DecodeRow row) {
    return new TargetRow(part, name(row), ROOF, roofTarget(row), row.roofShare(), row);
  }

  private static Target roofTarget(DecodeRow row) {
    boolean single = row.threads() == 1;
    if (row.type().equals("f32")) {
      return single ? Target.atLeast(0.62, 0.80) : Target.atLeast(0.85, 0.95);
    }
    return single ? Target.atLeast(0.46, 0.65) : Target.atLeast(0.75, 0.90);
  }

  /**
   * A step of another head shape: the same share of the roof where memory bounds it, and else how
   * near it comes to the FMA peak, which nothing is asked of.
   */
  static TargetRow shape(String part, DecodeRow row) {
    if (row.bound().by().equals(Bound.MEMORY)) {
      return roof(part, row);
    }
    return new TargetRow(
        part, name(row), "of FMA peak", null, row.bound().peakShare(), BY_ARITHMETIC, row);
  }

  /** A quantised type's time as a share of BF16's, of the same rounds. */
  static TargetRow quantised(String part, DecodeRow row, Summary ofBf16) {
    Target target = row.type().equals("q8") ? Target.atMost(0.75, 0.60) : Target.atMost(0.85, null);
    return new TargetRow(part, name(row), "of BF16's time", target, ofBf16, row);
  }

  /** A quantised type's bytes as a share of BF16's. */
  static TargetRow memory(String part, DecodeRow row, DecodeRow bf16) {
    Summary share = Summary.of((double) row.stepBytes() / bf16.stepBytes());
    String what = "%s, %.4f bytes a value".formatted(row.type(), 2 * share.median());
    String unit = "of BF16's memory";
    // "About a quarter": the scales of groups of 32 values come on top.
    return row.type().equals("q4")
        ? new TargetRow(part, what, unit, Target.atMost(0.30, null), share, null)
        : new TargetRow(part, what, unit, null, share, "-", null);
  }

  /** A mapped file's speed as a share of anonymous memory's, of the same rounds. */
  static TargetRow mapped(String part, DecodeRow row, Summary anonymousByMapped) {
    return new TargetRow(
        part, name(row), "of anonymous speed", Target.atLeast(0.95, null), anonymousByMapped, row);
  }

  /** Many queries at once as a share of the FMA peak. */
  static TargetRow prefill(String part, PrefillRow row) {
    return new TargetRow(
        part,
        "%s %s %d on %s x%d"
            .formatted(
                row.type(),
                row.heads(),
                row.queries(),
                Numbers.tokens(row.context()),
                row.threads()),
        "of FMA peak",
        Target.atLeast(0.5, null),
        row.share(),
        row);
  }

  /** The most that any of these steps allocates. */
  static TargetRow heap(String part, List<DecodeRow> rows) {
    double most = rows.stream().mapToDouble(DecodeRow::allocatedBytes).max().orElse(0);
    return new TargetRow(
        part,
        "the most of %d decode steps".formatted(rows.size()),
        BYTES,
        Target.atMost(0, null),
        // Less than a byte a step is the JVM's own, over all of the counted steps.
        Summary.of(Math.floor(most)),
        null);
  }

  /** What bounds a step, and how near it comes to that, as a sentence. */
  static String sentence(DecodeRow row) {
    double multiplying = row.operations() / row.peakGflops().median();
    double reading = row.stepBytes() / row.ceilingGbps().median();
    return "%s: %s bounds it; its products take %s us at the FMA peak, its bytes %s us at the ceiling, and the step %s us: %s of that limit.%n"
        .formatted(
            name(row),
            row.bound().by(),
            Numbers.micros(multiplying),
            Numbers.micros(reading),
            Numbers.micros(row.nanos().median()),
            Numbers.share(row.bound().share().median()));
  }

  private static String name(DecodeRow row) {
    return row.type() + " " + row.place();
  }
}
