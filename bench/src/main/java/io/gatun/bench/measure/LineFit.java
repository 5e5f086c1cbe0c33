package io.gatun.bench.measure;

import java.util.Arrays;

/**
 * The line {@code y = base + slope * x} through measured points, by the Theil-Sen estimator: the
 * slope is the median of the slopes of all pairs, the base the median of what is left. Up to 29 % of
 * the points may be disturbed without moving it far, which least squares cannot say (Sen 1968,
 * "Estimates of the regression coefficient based on Kendall's tau").
 *
 * @param base y at x = 0
 * @param slope growth of y per unit of x
 * @param worst largest distance of a point from the line, as a share of the point's y
 */
public record LineFit(double base, double slope, double worst) {
  /**
   * Fits a line.
   *
   * @throws IllegalArgumentException if there are fewer than two different x
   */
  public static LineFit of(double[] x, double[] y) {
    if (x.length != y.length) {
      throw new IllegalArgumentException("%d x, but %d y".formatted(x.length, y.length));
    }
    double[] slopes = new double[x.length * (x.length - 1) / 2];
    int pairs = 0;
    for (int i = 0; i < x.length; i++) {
      for (int j = i + 1; j < x.length; j++) {
        if (x[i] != x[j]) {
          slopes[pairs++] = (y[j] - y[i]) / (x[j] - x[i]);
        }
      }
    }
    if (pairs == 0) {
      throw new IllegalArgumentException("a line needs two different x, not " + Arrays.toString(x));
    }
    double slope = Summary.of(Arrays.copyOf(slopes, pairs)).median();
    double[] rest = new double[x.length];
    for (int i = 0; i < x.length; i++) {
      rest[i] = y[i] - slope * x[i];
    }
    double base = Summary.of(rest).median();
    double worst = 0;
    for (int i = 0; i < x.length; i++) {
      worst = Math.max(worst, Math.abs(base + slope * x[i] - y[i]) / Math.abs(y[i]));
    }
    return new LineFit(base, slope, worst);
  }

  /** The line's y at {@code x}. */
  public double at(double x) {
    return base + slope * x;
  }
}
