package io.gatun.bench.measure;

import com.sun.management.ThreadMXBean;
import java.lang.management.ManagementFactory;

/**
 * Heap that is allocated by the calling thread and by the threads of Gatun's teams and of the
 * benchmarks; others, such as the one that draws the progress bar, are left out.
 *
 * <p>It also tells whether vector code runs compiled: interpreted, every vector is an object.
 */
public final class Allocation {
  private final ThreadMXBean threads;
  private final long[] ids;

  /** A count over the threads that exist now. */
  public Allocation() {
    this.threads =
        ManagementFactory.getThreadMXBean() instanceof ThreadMXBean bean
                && bean.isThreadAllocatedMemorySupported()
            ? bean
            : null;
    Thread caller = Thread.currentThread();
    this.ids =
        Thread.getAllStackTraces().keySet().stream()
            .filter(thread ->
                thread == caller
                    || thread.getName().startsWith("gatun-")
                    || thread.getName().startsWith("bench-"))
            .mapToLong(Thread::threadId)
            .toArray();
  }

  /** Bytes allocated so far by these threads; 0 where the JVM does not count them. */
  public long bytes() {
    if (threads == null) {
      return 0;
    }
    long sum = 0;
    for (long bytes : threads.getThreadAllocatedBytes(ids)) {
      sum += Math.max(0, bytes);
    }
    return sum;
  }

  /** Bytes that a step allocates, over so many calls; -1 where the JVM does not count them. */
  public static double perCall(Step step, int calls) {
    Allocation allocation = new Allocation();
    if (allocation.threads == null) {
      return -1;
    }
    long before = allocation.bytes();
    // What taking the figure itself allocates is counted, and subtracted.
    long own = allocation.bytes() - before;
    before = allocation.bytes();
    for (int call = 0; call < calls; call++) {
      step.run(call);
    }
    return Math.max(0, (double) (allocation.bytes() - before - own) / calls);
  }
}
