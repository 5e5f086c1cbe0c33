package io.gatun.bench.measure;

import java.util.Arrays;
import java.util.List;

/**
 * What is kept of a series of samples: its median and its spread. The spread is the range between
 * the 10th and the 90th percentile, so that one disturbed sample does not widen it.
 *
 * @param median the middle sample, or the mean of the two in the middle
 * @param low the 10th percentile
 * @param high the 90th percentile
 * @param count how many samples there were
 */
public record Summary(double median, double low, double high, int count) {
  /**
   * Summarises samples in any order.
   *
   * @throws IllegalArgumentException if there are none, or one is not a number
   */
  public static Summary of(double... samples) {
    if (samples.length == 0) {
      throw new IllegalArgumentException("no samples");
    }
    double[] sorted = samples.clone();
    Arrays.sort(sorted);
    if (Double.isNaN(sorted[sorted.length - 1])) {
      throw new IllegalArgumentException("a sample is not a number: " + Arrays.toString(samples));
    }
    return new Summary(
        percentile(sorted, 0.5), percentile(sorted, 0.1), percentile(sorted, 0.9), sorted.length);
  }

  /** Summarises samples in any order. */
  public static Summary of(List<Double> samples) {
    return of(samples.stream().mapToDouble(Double::doubleValue).toArray());
  }

  /** The percentile of sorted samples, linear between the two nearest ranks. */
  private static double percentile(double[] sorted, double share) {
    double rank = share * (sorted.length - 1);
    int below = (int) rank;
    int above = Math.min(below + 1, sorted.length - 1);
    return sorted[below] + (rank - below) * (sorted[above] - sorted[below]);
  }

  /** Half of the spread as a share of the median. */
  public double relativeSpread() {
    return median == 0 ? 0 : (high - low) / 2 / Math.abs(median);
  }
}
