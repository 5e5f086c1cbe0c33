package io.gatun.tools.matrix;

import io.gatun.attention.Team;
import io.gatun.cache.GatunException;
import java.lang.foreign.MemorySegment;
import java.util.List;

/**
 * What the machine can do at best, measured the same way as a product is: on the same threads, over
 * the same memory. Needs the Vector API. One call at a time.
 */
public final class Roof {
  /** Bytes of a task, as large as the largest of a product. */
  private static final long TASK_BYTES = 1 << 22;

  private static final int FMA_ROUNDS = 1 << 24;

  private final Team team;

  /**
   * A measurement on these threads.
   *
   * @throws GatunException if the JVM runs without the Vector API module
   */
  public Roof(Team team) {
    if (!MatrixKernels.VECTORS) {
      throw new GatunException(
          "speed is measured on the Vector API; start the JVM with"
              + " --add-modules=jdk.incubator.vector");
    }
    this.team = team;
  }

  /** Nanoseconds that a plain vectorised read of all these bytes takes. */
  public long readNanos(List<MemorySegment> memory) {
    long from = System.nanoTime();
    for (MemorySegment segment : memory) {
      int tasks = Math.toIntExact(Math.ceilDiv(segment.byteSize(), TASK_BYTES));
      team.run(
          tasks,
          (task, worker) -> {
            long at = task * TASK_BYTES;
            Lanes.readAhead(segment, at, Math.min(segment.byteSize(), at + TASK_BYTES));
          });
    }
    return System.nanoTime() - from;
  }

  /** Floating-point operations per second that all threads reach together in registers. */
  public double fmaPerSecond() {
    long from = System.nanoTime();
    team.run(team.threads(), (task, worker) -> Lanes.multiplyAdd(FMA_ROUNDS));
    double seconds = (System.nanoTime() - from) * 1e-9;
    return 2.0 * Lanes.FMA_CHAINS * Lanes.COUNT * FMA_ROUNDS * team.threads() / seconds;
  }
}
