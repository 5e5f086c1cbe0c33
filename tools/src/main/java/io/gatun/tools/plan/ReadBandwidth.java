package io.gatun.tools.plan;

import io.gatun.tools.yardstick.ReadCeiling;
import io.gatun.tools.yardstick.Workers;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.List;

/**
 * How fast all cores together read memory that no cache holds: what a decode step, which has to
 * read every key and value once, cannot beat.
 *
 * <p>A large area of memory is read again and again for a second ({@link ReadCeiling}); the rate is
 * that of the best pass over the whole area, since other work on the machine can only make
 * a pass slower.
 */
public final class ReadBandwidth {
  /** Larger than the last-level caches of common machines. */
  private static final long AREA = 512L << 20;

  private static final long NANOS = 1_000_000_000L;

  private static final long MIB = 1 << 20;

  private static final int LEAST_PASSES = 5;

  private ReadBandwidth() {}

  /** Bytes per second with all cores, measured for about a second. */
  public static double measure() {
    return measure(AREA, Runtime.getRuntime().availableProcessors(), NANOS);
  }

  /** The same over {@code area} bytes with {@code threads} threads for {@code nanos}. */
  static double measure(long area, int threads, long nanos) {
    long deadline = System.nanoTime() + nanos;
    long part = Math.max(MIB, area / threads & -MIB);
    try (Workers workers = new Workers(threads);
        Arena arena = Arena.ofShared()) {
      MemorySegment memory = arena.allocate(part * threads, 4096);
      // Pages that were never written would all be the same page of zeros.
      workers.run(worker -> memory.asSlice(worker * part, part).fill((byte) 1));
      ReadCeiling ceiling = new ReadCeiling(List.of(memory), workers);
      double best = 0;
      for (int pass = 0; pass < LEAST_PASSES || System.nanoTime() < deadline; pass++) {
        long start = System.nanoTime();
        ceiling.read();
        best = Math.max(best, ceiling.bytes() * 1e9 / (System.nanoTime() - start));
      }
      return best;
    }
  }
}
