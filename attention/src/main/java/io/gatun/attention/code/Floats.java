package io.gatun.attention.code;

import java.lang.foreign.MemorySegment;

/**
 * An array, and the same as a segment: for kernels in Java and for those in machine code. The segment
 * is made once, since a step must not allocate.
 */
public record Floats(float[] array, MemorySegment memory) {
  /** So many zeros. */
  public static Floats of(int count) {
    float[] array = new float[count];
    return new Floats(array, MemorySegment.ofArray(array));
  }
}
