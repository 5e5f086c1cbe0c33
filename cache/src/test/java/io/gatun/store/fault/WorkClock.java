package io.gatun.store.fault;

import java.util.concurrent.TimeUnit;

/**
 * How long a test has been at work. It is told of every step; a step of more than a second is not
 * counted, because then the machine stopped the process for something else: an hour of work it is to
 * be.
 */
final class WorkClock {
  private static final long LONGEST_STEP = TimeUnit.SECONDS.toNanos(1);

  private long last = System.nanoTime();
  private long worked;
  private long stopped;

  /** Notes that a step is done; returns the nanoseconds worked since the start. */
  long step() {
    long now = System.nanoTime();
    long took = now - last;
    last = now;
    if (took <= LONGEST_STEP) {
      worked += took;
    } else {
      stopped += took;
    }
    return worked;
  }

  @Override
  public String toString() {
    return "%,d s of work, %,d s stopped"
        .formatted(TimeUnit.NANOSECONDS.toSeconds(worked), TimeUnit.NANOSECONDS.toSeconds(stopped));
  }
}
