package io.gatun.bench;

import io.gatun.bench.measure.Summary;

/**
 * One line of {@code bench prefill}.
 *
 * @param type element type of K and V
 * @param heads numHeads/numKvHeads/headDim
 * @param context tokens in the cache
 * @param queries query tokens, the last of them
 * @param threads threads that compute
 * @param nanos nanoseconds of a call
 * @param gflops 10^9 operations a second
 * @param peakGflops the FMA peak
 * @param share of the peak, round by round
 */
record PrefillRow(
    String type,
    String heads,
    long context,
    int queries,
    int threads,
    Summary nanos,
    Summary gflops,
    Summary peakGflops,
    Summary share) {}
