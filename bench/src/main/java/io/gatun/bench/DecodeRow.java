package io.gatun.bench;

import io.gatun.bench.measure.Bound;
import io.gatun.bench.measure.Summary;
import io.gatun.bench.show.Numbers;
import io.gatun.bench.show.TextTable;
import java.util.List;

/**
 * One line of {@code bench decode}.
 *
 * @param type element type of K and V
 * @param heads numHeads/numKvHeads/headDim
 * @param context tokens that the query attends to
 * @param threads threads that decode, and that read for the ceiling
 * @param storage where K/V lies
 * @param layers layers that rotate
 * @param stepBytes bytes of K and V that a step reads
 * @param operations floating-point operations of a step's products; see {@link
 *     io.gatun.bench.work.DecodeWork#operations}
 * @param nanos nanoseconds of a step
 * @param gbps GB/s (10^9): {@code stepBytes} by time
 * @param ceilingGbps GB/s of the plain read
 * @param ceilingShare step's share of the ceiling, round by round
 * @param roofShare share of the roof: the ceiling, or 46 GB/s where several threads read faster
 * @param peakGflops the FMA peak of the same threads, 10^9 operations a second
 * @param bound the nearer one of the two limits, and what the step reaches of it
 * @param allocatedBytes bytes of heap that a step allocates, all threads
 */
record DecodeRow(
    String type,
    String heads,
    long context,
    int threads,
    String storage,
    int layers,
    long stepBytes,
    double operations,
    Summary nanos,
    Summary gbps,
    Summary ceilingGbps,
    Summary ceilingShare,
    Summary roofShare,
    Summary peakGflops,
    Bound bound,
    double allocatedBytes) {
  /** What the floors file calls this row. */
  String key() {
    return "%s %s %d tokens %d threads %s".formatted(type, heads, context, threads, storage);
  }

  /** Heads, context, threads, and what is not usual: a name within one table. */
  String place() {
    return "%s %s x%d%s"
        .formatted(
            heads, Numbers.tokens(context), threads, storage.equals("mapped") ? " mapped" : "");
  }

  /** What bounds the step, in words. */
  String limit() {
    return bound.by().equals(Bound.MEMORY)
        ? "memory: reading takes longer than multiplying at its peak"
        : "arithmetic: multiplying at its peak takes longer than reading";
  }

  /** The table of times and shares. */
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

  /** The table of what bounds each step: reading its bytes, or multiplying. */
  static String limits(List<DecodeRow> rows) {
    TextTable table =
        new TextTable(
            "heads",
            "context",
            "threads",
            "type",
            "GFLOP/s",
            "FMA peak",
            "of FMA peak",
            "bound us",
            "of bound",
            "10%-90%",
            "bound by");
    for (DecodeRow row : rows) {
      table.row(
          row.heads(),
          Numbers.tokens(row.context()),
          Integer.toString(row.threads()),
          row.type() + (row.storage().equals("mapped") ? " mapped" : ""),
          Numbers.rate(row.operations() / row.nanos().median()),
          Numbers.rate(row.peakGflops().median()),
          Numbers.share(row.bound().peakShare().median()),
          Numbers.micros(row.bound().nanos().median()),
          Numbers.share(row.bound().share().median()),
          Numbers.spread(row.bound().share()),
          row.limit());
    }
    return table.text()
        + "The bound is the longer of reading the bytes at the ceiling and doing the products (2"
        + " operations per query head,\ntoken, and dim of its key and value) at the FMA peak, both"
        + " of the same rounds.\n";
  }
}
