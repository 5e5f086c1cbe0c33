package io.gatun.bench.kernel;

import com.sun.management.ThreadMXBean;
import java.lang.management.ManagementFactory;
import java.util.Arrays;

/** A clock: wall time, or the processor time of the threads that work. */
interface Stopwatch {
  /** Nanoseconds from some point on. */
  long nanos();

  /**
   * The clock of this name.
   *
   * @param name {@code wall} or {@code cpu}
   * @param threads that work: the caller and those of a {@code Team} already made
   */
  static Stopwatch of(String name, int threads) {
    return switch (name) {
      case "wall" -> System::nanoTime;
      case "cpu" -> cpu(threads);
      default ->
          throw new IllegalArgumentException("clock '%s' is not wall or cpu".formatted(name));
    };
  }

  private static Stopwatch cpu(int threads) {
    ThreadMXBean bean = (ThreadMXBean) ManagementFactory.getThreadMXBean();
    long[] ids =
        Thread.getAllStackTraces().keySet().stream()
            .filter(t -> t == Thread.currentThread() || t.getName().startsWith("gatun-worker"))
            .mapToLong(Thread::threadId)
            .toArray();
    if (ids.length != threads) {
      throw new IllegalStateException("%d threads found, not %d".formatted(ids.length, threads));
    }
    return () -> Arrays.stream(bean.getThreadCpuTime(ids)).sum() / threads;
  }
}
