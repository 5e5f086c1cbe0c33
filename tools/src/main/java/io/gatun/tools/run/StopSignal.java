package io.gatun.tools.run;

import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;

/**
 * Lets Ctrl-C (and a polite kill) end a run cleanly: the JVM's shutdown waits until the run has
 * committed and closed what it holds.
 */
final class StopSignal implements AutoCloseable {
  /** A batch that is under way is finished first; with a large model that takes a while. */
  private static final long PATIENCE_SECONDS = 300;

  private final CountDownLatch done = new CountDownLatch(1);
  private final Thread hook = new Thread(this::stop, "gatun-stop");
  private final Runnable announce;
  private volatile boolean stopped;

  /**
   * Begins to listen.
   *
   * @param announce called when the run is asked to end
   */
  StopSignal(Runnable announce) {
    this.announce = announce;
    Runtime.getRuntime().addShutdownHook(hook);
  }

  private void stop() {
    stopped = true;
    announce.run();
    try {
      done.await(PATIENCE_SECONDS, TimeUnit.SECONDS);
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    }
  }

  /** Whether the run was asked to end. */
  boolean stopped() {
    return stopped;
  }

  /** Says that all is closed: a shutdown that waits goes on. */
  @Override
  public void close() {
    done.countDown();
    if (!stopped) {
      try {
        Runtime.getRuntime().removeShutdownHook(hook);
      } catch (IllegalStateException e) {
        // The shutdown has begun after all: the hook finds the latch open.
        assert done.getCount() == 0;
      }
    }
  }
}
