package io.gatun.tools.plan;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.Callable;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;

/**
 * How fast all cores together read memory that no cache holds: what a decode step, which has to
 * read every key and value once, cannot beat.
 *
 * <p>Every thread sums its own part of a large area of memory, again and again for a second; the
 * rate is that of the best pass over the whole area, since other work on the machine can only make
 * a pass slower.
 */
public final class ReadBandwidth {
  /** Larger than the last-level caches of common machines. */
  private static final long AREA = 512L << 20;

  private static final long NANOS = 1_000_000_000L;

  /** Read at once: long enough to stream, short enough that C2 has seen the method often soon. */
  private static final long PIECE = 1 << 20;

  private static final int LEAST_PASSES = 5;

  private ReadBandwidth() {}

  /** Bytes per second with all cores, measured for about a second. */
  public static double measure() {
    return measure(AREA, Runtime.getRuntime().availableProcessors(), NANOS);
  }

  /** The same over {@code area} bytes with {@code threads} threads for {@code nanos}. */
  static double measure(long area, int threads, long nanos) {
    long deadline = System.nanoTime() + nanos;
    long part = Math.max(PIECE, area / threads & -PIECE);
    try (ExecutorService team = Executors.newFixedThreadPool(threads);
        Arena arena = Arena.ofShared()) {
      MemorySegment memory = arena.allocate(part * threads, 4096);
      List<Callable<Long>> reads = new ArrayList<>();
      List<Callable<Long>> fills = new ArrayList<>();
      for (int t = 0; t < threads; t++) {
        MemorySegment mine = memory.asSlice(t * part, part);
        // Pages that were never written would all be the same page of zeros.
        fills.add(() -> mine.fill((byte) 1).byteSize());
        reads.add(() -> sum(mine));
      }
      run(team, fills);
      double best = 0;
      for (int pass = 0; pass < LEAST_PASSES || System.nanoTime() < deadline; pass++) {
        long start = System.nanoTime();
        run(team, reads);
        best = Math.max(best, part * threads * 1e9 / (System.nanoTime() - start));
      }
      return best;
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      throw new IllegalStateException("interrupted while measuring the read bandwidth", e);
    }
  }

  private static void run(ExecutorService team, List<Callable<Long>> parts)
      throws InterruptedException {
    for (Future<Long> part : team.invokeAll(parts)) {
      try {
        part.get();
      } catch (ExecutionException e) {
        throw new IllegalStateException("a read failed", e.getCause());
      }
    }
  }

  private static long sum(MemorySegment memory) {
    long sum = 0;
    for (long at = 0; at < memory.byteSize(); at += PIECE) {
      sum ^= sumPiece(memory.asSlice(at, PIECE));
    }
    return sum;
  }

  /** Four independent sums, so that the reads and not the additions set the pace. */
  private static long sumPiece(MemorySegment piece) {
    long a = 0;
    long b = 0;
    long c = 0;
    long d = 0;
    for (long at = 0; at < PIECE; at += 4 * Long.BYTES) {
      a += piece.get(ValueLayout.JAVA_LONG, at);
      b += piece.get(ValueLayout.JAVA_LONG, at + 8);
      c += piece.get(ValueLayout.JAVA_LONG, at + 16);
      d += piece.get(ValueLayout.JAVA_LONG, at + 24);
    }
    return a ^ b ^ c ^ d;
  }
}
