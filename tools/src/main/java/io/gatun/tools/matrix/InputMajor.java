package io.gatun.tools.matrix;

import java.lang.foreign.MemorySegment;

/**
 * A projection whose weights lie with the inputs outermost.
 *
 * @param inputs rows
 * @param outputs columns
 * @param data {@code [inputs][outputs]}, little-endian, any alignment
 * @param bias f32 {@code [outputs]}
 */
public record InputMajor(
    WeightType type, int inputs, int outputs, MemorySegment data, MemorySegment bias) {}
