package io.gatun.bench.measure;

import java.util.List;
import java.util.Locale;

/**
 * What a stream from memory is measured against. The roof is the ceiling read in the same run; where
 * the host lets several threads read faster than {@link #MOST_SHARED}, the roof is that, because a
 * decode step is bound by arithmetic there.
 */
public final class Ceiling {
  /** Name of the ceiling in every contest. */
  public static final String READ = "ceiling";

  /** GB/s (10^9 bytes) that the roof is at most for two threads and more. */
  public static final double MOST_SHARED = 46;

  private Ceiling() {}

  /** The most that counts as a roof for so many threads, in GB/s. */
  public static double most(int threads) {
    return threads == 1 ? Double.POSITIVE_INFINITY : MOST_SHARED;
  }

  /** What a reader of a table has to know about its ceilings and roofs. */
  public static String explain(List<Summary> ceilings) {
    double low = ceilings.stream().mapToDouble(Summary::median).min().orElse(0);
    double high = ceilings.stream().mapToDouble(Summary::median).max().orElse(0);
    return String.format(
        Locale.ROOT,
        "The plain read of the same bytes gave %.1f to %.1f GB/s in this run. The roof is that"
            + " ceiling; for two threads and more at most %.0f GB/s.%n",
        low,
        high,
        MOST_SHARED);
  }
}
