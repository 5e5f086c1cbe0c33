package io.gatun.bench;

import io.gatun.bench.measure.Summary;

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
 * @param nanos nanoseconds of a step
 * @param gbps GB/s (10^9): {@code stepBytes} by time
 * @param ceilingGbps GB/s of the plain read
 * @param ceilingShare step's share of the ceiling, round by round
 * @param roofShare share of the roof: the ceiling, or 46 GB/s where several threads read faster
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
    Summary nanos,
    Summary gbps,
    Summary ceilingGbps,
    Summary ceilingShare,
    Summary roofShare,
    double allocatedBytes) {
  /** What the floors file calls this row. */
  String key() {
    return "%s %s %d tokens %d threads %s".formatted(type, heads, context, threads, storage);
  }
}
