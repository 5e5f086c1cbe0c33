package io.gatun.store.fault;

import java.util.concurrent.TimeUnit;

/**
 * How long a test has been at work. It is told of every step; a step of more than a second is not
 * counted, because then the machine stopped the process for something else: an hour of work it is to
 * be. {@code -Dgatun.fault.wall=N} ends the test after N seconds of the wall's clock all the same; how
 * much of it was work is printed.
 */
final class WorkClock {
  private static final long LONGEST_STEP = TimeUnit.SECONDS.toNanos(1);

  private final long end =
      System.nanoTime() + TimeUnit.SECONDS.toNanos(Integer.getInteger("gatun.fault.wall", 1 << 24));
  private final long length;
  private long last = System.nanoTime();
  private long worked;
  private long stopped;

  /** A clock for {@code seconds} of work. */
  WorkClock(long seconds) {
    this.length = TimeUnit.SECONDS.toNanos(seconds);
  }

  /** Notes that a step is done; tells whether there is time for another one. */
  boolean step() {
    long now = System.nanoTime();
    long took = now - last;
    last = now;
    if (took <= LONGEST_STEP) {
      worked += took;
    } else {
      stopped += took;
    }
    return worked < length && now < end;
  }

  /** Whether a quarter of the time is over. */
  boolean quarter() {
    return worked > length / 4;
  }

  @Override
  public String toString() {
    return "%,d s of work, %,d s stopped"
        .formatted(TimeUnit.NANOSECONDS.toSeconds(worked), TimeUnit.NANOSECONDS.toSeconds(stopped));
  }
}
