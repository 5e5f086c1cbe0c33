package io.gatun.store;

import java.util.concurrent.ScheduledThreadPoolExecutor;
import java.util.concurrent.TimeUnit;

/** Runs the late forces of token ids. One daemon thread for the process, idle without work. */
final class ForceTimer {
  private static final ScheduledThreadPoolExecutor EXECUTOR = executor();

  private ForceTimer() {}

  private static ScheduledThreadPoolExecutor executor() {
    ScheduledThreadPoolExecutor executor =
        new ScheduledThreadPoolExecutor(
            1,
            task -> {
              Thread thread = new Thread(task, "gatun-token-force");
              thread.setDaemon(true);
              return thread;
            });
    executor.setKeepAliveTime(10, TimeUnit.SECONDS);
    executor.allowCoreThreadTimeOut(true);
    return executor;
  }

  static void runIn(long nanos, Runnable task) {
    EXECUTOR.schedule(task, nanos, TimeUnit.NANOSECONDS);
  }
}
