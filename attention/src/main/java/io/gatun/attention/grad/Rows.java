package io.gatun.attention.grad;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;
import jdk.incubator.vector.DoubleVector;
import jdk.incubator.vector.VectorSpecies;

/** Work on single f64 rows. Offsets count elements. */
final class Rows {
  private static final ValueLayout.OfDouble DOUBLE = ValueLayout.JAVA_DOUBLE;
  private static final ByteOrder ORDER = ByteOrder.nativeOrder();
  private static final VectorSpecies<Double> SPECIES = DoubleVector.SPECIES_PREFERRED;
  private static final int LANES = SPECIES.length();

  private Rows() {}

  /** The sum of {@code a[i] b[i]} over {@code n} elements. */
  static double dot(MemorySegment a, long aAt, MemorySegment b, long bAt, int n) {
    // Two sums, so that an fma need not wait for the one before.
    DoubleVector even = DoubleVector.zero(SPECIES);
    DoubleVector odd = DoubleVector.zero(SPECIES);
    int i = 0;
    for (; i + 2 * LANES <= n; i += 2 * LANES) {
      long x = (aAt + i) * Double.BYTES;
      long y = (bAt + i) * Double.BYTES;
      even =
          DoubleVector.fromMemorySegment(SPECIES, a, x, ORDER)
              .fma(DoubleVector.fromMemorySegment(SPECIES, b, y, ORDER), even);
      long next = (long) LANES * Double.BYTES;
      odd =
          DoubleVector.fromMemorySegment(SPECIES, a, x + next, ORDER)
              .fma(DoubleVector.fromMemorySegment(SPECIES, b, y + next, ORDER), odd);
    }
    double sum = 0;
    if (i > 0) {
      // Lane by lane: the order of reduceLanes is not specified.
      DoubleVector both = even.add(odd);
      for (int lane = 0; lane < LANES; lane++) {
        sum += both.lane(lane);
      }
    }
    for (; i < n; i++) {
      sum = Math.fma(a.getAtIndex(DOUBLE, aAt + i), b.getAtIndex(DOUBLE, bAt + i), sum);
    }
    return sum;
  }

  /** {@code y[i] += factor x[i]} for {@code n} elements. */
  static void addScaled(
      MemorySegment y, long yAt, double factor, MemorySegment x, long xAt, int n) {
    DoubleVector factors = DoubleVector.broadcast(SPECIES, factor);
    int i = 0;
    for (; i + LANES <= n; i += LANES) {
      long to = (yAt + i) * Double.BYTES;
      DoubleVector.fromMemorySegment(SPECIES, x, (xAt + i) * Double.BYTES, ORDER)
          .fma(factors, DoubleVector.fromMemorySegment(SPECIES, y, to, ORDER))
          .intoMemorySegment(y, to, ORDER);
    }
    for (; i < n; i++) {
      double sum = Math.fma(x.getAtIndex(DOUBLE, xAt + i), factor, y.getAtIndex(DOUBLE, yAt + i));
      y.setAtIndex(DOUBLE, yAt + i, sum);
    }
  }
}
