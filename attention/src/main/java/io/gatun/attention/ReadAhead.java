package io.gatun.attention;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;

/**
 * Brings memory into the second cache by reading one value of each cache line, front to back. Java
 * has no prefetch instruction, and the kernels wait too often on each load to use the memory fully;
 * a loop that does nothing but read keeps as many loads under way as the processor can.
 *
 * <p>It also makes a fault of a mapped file harmless: these are scalar reads, which the JVM turns
 * into an {@link InternalError} where the kernels' vector loads, which come after them, would end
 * the process.
 */
final class ReadAhead {
  private static final long LINE = 64;

  private ReadAhead() {}

  /** Reads {@code bytes} from {@code offset} on; the result means nothing but must be used. */
  static long read(MemorySegment from, long offset, long bytes) {
    long a = 0;
    long b = 0;
    long c = 0;
    long d = 0;
    long i = 0;
    for (; i + 4 * LINE <= bytes; i += 4 * LINE) {
      a |= from.get(ValueLayout.JAVA_LONG_UNALIGNED, offset + i);
      b |= from.get(ValueLayout.JAVA_LONG_UNALIGNED, offset + i + LINE);
      c |= from.get(ValueLayout.JAVA_LONG_UNALIGNED, offset + i + 2 * LINE);
      d |= from.get(ValueLayout.JAVA_LONG_UNALIGNED, offset + i + 3 * LINE);
    }
    for (; i < bytes; i += LINE) {
      a |= from.get(ValueLayout.JAVA_BYTE, offset + i);
    }
    return a | b | c | d;
  }
}
