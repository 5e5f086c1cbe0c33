package io.gatun.tools.yardstick;

import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicReference;
import java.util.concurrent.locks.LockSupport;

/**
 * Threads for the yardsticks and for the peers that bring none of their own. Between two calls they
 * spin for a short while, so that handing work over costs next to nothing: a yardstick that waits
 * for threads to wake would be too easy to reach.
 *
 * <p>Design note: Gatun's own team of threads is part of what is measured, so the ceiling must not
 * be taken with it.
 *
 * <p>Thread rules: one caller at a time; it takes part as worker 0.
 */
public final class Workers implements AutoCloseable {
  /** What a worker does in one call of {@link #run}. */
  @FunctionalInterface
  public interface Share {
    /** Does the part of {@code worker}, from 0 to one less than the number of threads. */
    void run(int worker);
  }

  private static final int SPINS = 2_000;

  private final Thread[] threads;
  private final AtomicInteger turn = new AtomicInteger();
  private final AtomicInteger left = new AtomicInteger();
  private final AtomicReference<Throwable> failure = new AtomicReference<>();
  private volatile Share share;
  private volatile boolean closed;

  /** Starts so many threads, the caller counted. */
  public Workers(int threads) {
    if (threads < 1) {
      throw new IllegalArgumentException("threads is %d, not at least 1".formatted(threads));
    }
    this.threads = new Thread[threads - 1];
    for (int i = 0; i < this.threads.length; i++) {
      int worker = i + 1;
      this.threads[i] =
          Thread.ofPlatform().daemon().name("bench-" + worker).start(() -> serve(worker));
    }
  }

  /** Threads that take part, the caller counted. */
  public int threads() {
    return threads.length + 1;
  }

  /** Has every thread do its share; returns when all are done. */
  public void run(Share work) {
    share = work;
    left.set(threads.length);
    turn.incrementAndGet();
    for (Thread thread : threads) {
      LockSupport.unpark(thread);
    }
    try {
      work.run(0);
    } finally {
      while (left.get() > 0) {
        Thread.onSpinWait();
      }
    }
    Throwable failed = failure.getAndSet(null);
    if (failed != null) {
      throw new IllegalStateException("a worker failed", failed);
    }
  }

  private void serve(int worker) {
    int seen = 0;
    while (!closed) {
      int spins = 0;
      while (turn.get() == seen && !closed) {
        if (++spins < SPINS) {
          Thread.onSpinWait();
        } else {
          LockSupport.park(this);
        }
      }
      if (closed) {
        return;
      }
      seen++;
      try {
        share.run(worker);
      } catch (Throwable e) {
        failure.compareAndSet(null, e);
      }
      left.decrementAndGet();
    }
  }

  /** Ends the threads. */
  @Override
  public void close() {
    closed = true;
    for (Thread thread : threads) {
      LockSupport.unpark(thread);
    }
  }
}
