package io.gatun.bench.show;

import io.gatun.bench.measure.Summary;
import java.util.Locale;

/** Numbers as the tables show them. */
public final class Numbers {
  private Numbers() {}

  /** Nanoseconds as microseconds: {@code 913} or {@code 9.13}. */
  public static String micros(double nanos) {
    double micros = nanos / 1000;
    if (micros >= 100) {
      return String.format(Locale.ROOT, "%,.0f", micros);
    }
    return String.format(Locale.ROOT, micros >= 10 ? "%.1f" : "%.2f", micros);
  }

  /** A share or a ratio with two digits. */
  public static String share(double share) {
    return String.format(Locale.ROOT, "%.2f", share);
  }

  /** A rate with one digit. */
  public static String rate(double rate) {
    return String.format(Locale.ROOT, rate >= 100 ? "%.0f" : "%.1f", rate);
  }

  /** Low and high of a spread: {@code 0.84-0.91}. */
  public static String spread(Summary summary) {
    return share(summary.low()) + "-" + share(summary.high());
  }

  /** The spread as plus or minus per cent. */
  public static String percent(Summary summary) {
    return String.format(Locale.ROOT, "±%.0f%%", 100 * summary.relativeSpread());
  }

  /** Tokens as people say them: {@code 512}, {@code 4k}, {@code 1M}; others with commas. */
  public static String tokens(long tokens) {
    if (tokens >= 1 << 20 && tokens % (1 << 20) == 0) {
      return (tokens >> 20) + "M";
    }
    return tokens >= 1024 && tokens % 1024 == 0
        ? (tokens >> 10) + "k"
        : String.format(Locale.ROOT, "%,d", tokens);
  }
}
