package io.gatun.cache;

import static org.assertj.core.api.Assertions.assertThat;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.lang.management.ManagementFactory;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** Once compiled, appending allocates nothing on the heap: vectors stay in registers. */
class AppendAllocationTest {
  private static final com.sun.management.ThreadMXBean THREADS =
      (com.sun.management.ThreadMXBean) ManagementFactory.getThreadMXBean();

  @ParameterizedTest
  @EnumSource(KvType.class)
  void appendAllocatesNothing(KvType type) {
    int values = 8 * 128;
    try (Arena arena = Arena.ofConfined();
        KvCache cache = KvCache.builder(new KvShape(1, 8, 128, 128)).type(type).build()) {
      MemorySegment rows = arena.allocate(4L * values, 64);
      for (int i = 0; i < values; i++) {
        rows.setAtIndex(ValueLayout.JAVA_FLOAT, i, (i * 37 % 101 - 50) / 16f);
      }
      cache.append(0, rows, rows, 1);
      cache.advance(1);
      long least = Long.MAX_VALUE;
      // Compiled code comes in steps; the least of some rounds is what it comes to.
      for (int round = 0; round < 40 && least > 0; round++) {
        long before = THREADS.getCurrentThreadAllocatedBytes();
        for (int i = 0; i < 2_000; i++) {
          cache.append(0, rows, rows, 1);
          cache.truncate(1);
        }
        least = Math.min(least, THREADS.getCurrentThreadAllocatedBytes() - before);
      }
      assertThat(least).isZero();
    }
  }
}
