package io.gatun.bench.measure;

import com.sun.management.ThreadMXBean;
import java.lang.management.ManagementFactory;

/** Heap that a step allocates, on the calling thread and on the threads of Gatun's teams. */
public final class Allocation {
  private Allocation() {}

  /** Bytes per call, over so many calls; -1 where the JVM does not count them. */
  public static double perCall(Step step, int calls) {
    if (!(ManagementFactory.getThreadMXBean() instanceof ThreadMXBean threads)
        || !threads.isThreadAllocatedMemorySupported()) {
      return -1;
    }
    long[] ids = workers();
    long before = sum(threads, ids);
    // What taking the figure itself allocates is counted, and subtracted.
    long own = sum(threads, ids) - before;
    before = sum(threads, ids);
    for (int call = 0; call < calls; call++) {
      step.run(call);
    }
    return Math.max(0, (double) (sum(threads, ids) - before - own) / calls);
  }

  private static long sum(ThreadMXBean threads, long[] ids) {
    long sum = 0;
    for (long bytes : threads.getThreadAllocatedBytes(ids)) {
      sum += Math.max(0, bytes);
    }
    return sum;
  }

  private static long[] workers() {
    Thread caller = Thread.currentThread();
    return Thread.getAllStackTraces().keySet().stream()
        .filter(thread -> thread == caller || thread.getName().startsWith("gatun-"))
        .mapToLong(Thread::threadId)
        .toArray();
  }
}
