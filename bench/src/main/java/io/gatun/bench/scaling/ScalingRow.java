package io.gatun.bench.scaling;

import io.gatun.bench.measure.Summary;

/**
 * One line of {@code bench scaling}: a decode step, all layers, at one context.
 *
 * @param series which cache: storage, type, heads and layers
 * @param storage anonymous, mapped, or larger-than-ram
 * @param type element type of K and V
 * @param heads numHeads/numKvHeads/headDim
 * @param layers layers of the cache
 * @param context tokens
 * @param stepBytes bytes of K and V that a step reads
 * @param fileBytes bytes of the mapped files; 0 in anonymous memory
 * @param nanos nanoseconds of a step
 * @param ceilingShare the step's share of the plain read of the same bytes, round by round
 * @param roofShare the same with the roof of 46 GB/s for several threads
 * @param ceilingGbps GB/s of that read
 * @param heapBytes used Java heap after a collection
 * @param residentBytes memory of the process in RAM
 * @param residentFileBytes the part of it in mapped files
 * @param minorFaults page faults of a step that needed no read
 * @param majorFaults page faults of a step that waited for the disk
 * @param plannedNanos the planner's floor of the step: all bytes at its measured bandwidth
 * @param plannedBytes the planner's size of Gatun's blocks
 * @param blockBytes bytes of the blocks in fact
 */
public record ScalingRow(
    String series,
    String storage,
    String type,
    String heads,
    int layers,
    long context,
    long stepBytes,
    long fileBytes,
    Summary nanos,
    Summary ceilingShare,
    Summary roofShare,
    Summary ceilingGbps,
    long heapBytes,
    long residentBytes,
    long residentFileBytes,
    double minorFaults,
    double majorFaults,
    double plannedNanos,
    long plannedBytes,
    long blockBytes) {}
