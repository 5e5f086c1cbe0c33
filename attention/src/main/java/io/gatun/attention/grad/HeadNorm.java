package io.gatun.attention.grad;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;

/**
 * RMSNorm of each head's row of a projection (Qwen 3), with its gradient. With {@code n} the width
 * of a head and {@code g} the learned weights:
 *
 * <pre>
 *   r    = sqrt(sum x[i]^2 / n + eps)        y[i]  = g[i] x[i] / r
 *   dx[i] = (g[i] dy[i] - x[i] sum(g dy x) / (n r^2)) / r
 * </pre>
 */
final class HeadNorm {
  private static final ValueLayout.OfDouble DOUBLE = ValueLayout.JAVA_DOUBLE;

  private HeadNorm() {}

  private static double root(MemorySegment x, long at, int width, double eps) {
    return Math.sqrt(Rows.dot(x, at, x, at, width) / width + eps);
  }

  /** Normalises {@code rows} rows from x to y; both {@code [rows][width]}. */
  static void forward(
      MemorySegment x, MemorySegment g, MemorySegment y, long rows, int width, double eps) {
    for (long row = 0; row < rows; row++) {
      long at = row * width;
      double r = root(x, at, width, eps);
      for (int i = 0; i < width; i++) {
        double value = g.getAtIndex(DOUBLE, i) * x.getAtIndex(DOUBLE, at + i) / r;
        y.setAtIndex(DOUBLE, at + i, value);
      }
    }
  }

  /** Turns the gradient by y into the gradient by x, in place. */
  static void backward(
      MemorySegment x, MemorySegment g, MemorySegment dy, long rows, int width, double eps) {
    for (long row = 0; row < rows; row++) {
      long at = row * width;
      double r = root(x, at, width, eps);
      double sum = 0;
      for (int i = 0; i < width; i++) {
        double gdy = g.getAtIndex(DOUBLE, i) * dy.getAtIndex(DOUBLE, at + i);
        sum = Math.fma(gdy, x.getAtIndex(DOUBLE, at + i), sum);
      }
      double share = sum / (width * r * r);
      for (int i = 0; i < width; i++) {
        double gdy = g.getAtIndex(DOUBLE, i) * dy.getAtIndex(DOUBLE, at + i);
        dy.setAtIndex(DOUBLE, at + i, (gdy - x.getAtIndex(DOUBLE, at + i) * share) / r);
      }
    }
  }
}
