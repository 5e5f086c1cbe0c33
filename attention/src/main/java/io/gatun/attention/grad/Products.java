package io.gatun.attention.grad;

import io.gatun.attention.Team;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;
import jdk.incubator.vector.DoubleVector;
import jdk.incubator.vector.VectorSpecies;

/**
 * Products of row-major f64 matrices, cut into bands of rows of the result for a team.
 *
 * <p>Every element of a result is summed in one fixed order, whatever the number of threads. Any
 * number of rows and columns is allowed. Thread rules: one product at a time for each team.
 */
public final class Products {
  private static final ValueLayout.OfDouble DOUBLE = ValueLayout.JAVA_DOUBLE;
  private static final ByteOrder ORDER = ByteOrder.nativeOrder();
  private static final VectorSpecies<Double> SPECIES = DoubleVector.SPECIES_PREFERRED;
  private static final int LANES = SPECIES.length();

  /** Rows of the result that are computed together, so that a loaded row of b is used four times. */
  private static final int ROWS = 4;

  /** Rows of a task. */
  private static final int BAND = 16;

  private final Team team;

  /** Products by this team. */
  public Products(Team team) {
    this.team = team;
  }

  /** {@code c[m][n] += a[m][k] b[k][n]} */
  public void addAb(MemorySegment c, MemorySegment a, MemorySegment b, int m, int n, int k) {
    product(c, a, k, 1, b, m, n, k);
  }

  /** {@code c[m][n] += transpose(a[k][m]) b[k][n]} */
  public void addAtB(MemorySegment c, MemorySegment a, MemorySegment b, int m, int n, int k) {
    product(c, a, 1, m, b, m, n, k);
  }

  /**
   * {@code c[m][n] = a[m][k] transpose(b[n][k])}: rows of a with rows of b, as a linear layer has
   * it whose weights lie {@code [out][in]}.
   */
  public void abT(MemorySegment c, MemorySegment a, MemorySegment b, int m, int n, int k) {
    int bands = Math.ceilDiv(n, BAND);
    // By columns of c: a band of b's rows stays in the cache while all rows of a pass by.
    team.run(
        bands,
        (band, worker) -> {
          double[] lanes = new double[ROWS * LANES];
          int end = Math.min(n, (band + 1) * BAND);
          int i = 0;
          for (; i + ROWS <= m; i += ROWS) {
            for (int j = band * BAND; j < end; j++) {
              fourDots(c, (long) i * n + j, n, a, (long) i * k, b, (long) j * k, k, lanes);
            }
          }
          for (; i < m; i++) {
            for (int j = band * BAND; j < end; j++) {
              double dot = Rows.dot(a, (long) i * k, b, (long) j * k, k);
              c.setAtIndex(DOUBLE, (long) i * n + j, dot);
            }
          }
        });
  }

  /**
   * Dot products of four rows of a with one of b, into a column of c; all offsets in elements. Each
   * is summed like {@link Rows#dot}, so that a row's result does not depend on its neighbours.
   */
  private static void fourDots(
      MemorySegment c,
      long cAt,
      long cStep,
      MemorySegment a,
      long aAt,
      MemorySegment b,
      long bAt,
      int k,
      double[] lanes) {
    DoubleVector even0 = DoubleVector.zero(SPECIES);
    DoubleVector even1 = even0;
    DoubleVector even2 = even0;
    DoubleVector even3 = even0;
    DoubleVector odd0 = even0;
    DoubleVector odd1 = even0;
    DoubleVector odd2 = even0;
    DoubleVector odd3 = even0;
    long row = (long) k * Double.BYTES;
    long next = (long) LANES * Double.BYTES;
    int p = 0;
    for (; p + 2 * LANES <= k; p += 2 * LANES) {
      long x = (aAt + p) * Double.BYTES;
      long y = (bAt + p) * Double.BYTES;
      DoubleVector e = DoubleVector.fromMemorySegment(SPECIES, b, y, ORDER);
      DoubleVector o = DoubleVector.fromMemorySegment(SPECIES, b, y + next, ORDER);
      even0 = DoubleVector.fromMemorySegment(SPECIES, a, x, ORDER).fma(e, even0);
      odd0 = DoubleVector.fromMemorySegment(SPECIES, a, x + next, ORDER).fma(o, odd0);
      x += row;
      even1 = DoubleVector.fromMemorySegment(SPECIES, a, x, ORDER).fma(e, even1);
      odd1 = DoubleVector.fromMemorySegment(SPECIES, a, x + next, ORDER).fma(o, odd1);
      x += row;
      even2 = DoubleVector.fromMemorySegment(SPECIES, a, x, ORDER).fma(e, even2);
      odd2 = DoubleVector.fromMemorySegment(SPECIES, a, x + next, ORDER).fma(o, odd2);
      x += row;
      even3 = DoubleVector.fromMemorySegment(SPECIES, a, x, ORDER).fma(e, even3);
      odd3 = DoubleVector.fromMemorySegment(SPECIES, a, x + next, ORDER).fma(o, odd3);
    }
    even0.add(odd0).intoArray(lanes, 0);
    even1.add(odd1).intoArray(lanes, LANES);
    even2.add(odd2).intoArray(lanes, 2 * LANES);
    even3.add(odd3).intoArray(lanes, 3 * LANES);
    for (int r = 0; r < ROWS; r++) {
      double sum = 0;
      if (p > 0) {
        for (int lane = 0; lane < LANES; lane++) {
          sum += lanes[r * LANES + lane];
        }
      }
      for (int i = p; i < k; i++) {
        double left = a.getAtIndex(DOUBLE, aAt + (long) r * k + i);
        sum = Math.fma(left, b.getAtIndex(DOUBLE, bAt + i), sum);
      }
      c.setAtIndex(DOUBLE, cAt + r * cStep, sum);
    }
  }

  /** Element {@code (i, p)} of the left matrix is {@code a[i * rowStep + p * columnStep]}. */
  private void product(
      MemorySegment c,
      MemorySegment a,
      long rowStep,
      long columnStep,
      MemorySegment b,
      int m,
      int n,
      int k) {
    int bands = Math.ceilDiv(m, BAND);
    team.run(
        bands,
        (band, worker) -> {
          int row = band * BAND;
          int end = Math.min(m, row + BAND);
          for (; row + ROWS <= end; row += ROWS) {
            fourRows(c, (long) row * n, a, row * rowStep, rowStep, columnStep, b, n, k);
          }
          for (; row < end; row++) {
            oneRow(c, (long) row * n, a, row * rowStep, columnStep, b, n, k);
          }
        });
  }

  /** Adds to four rows of c, a vector of columns at a time; c and a begin at elements. */
  private static void fourRows(
      MemorySegment c,
      long cAt,
      MemorySegment a,
      long aAt,
      long rowStep,
      long columnStep,
      MemorySegment b,
      int n,
      int k) {
    int j = 0;
    for (; j + LANES <= n; j += LANES) {
      long at = (cAt + j) * Double.BYTES;
      long row = (long) n * Double.BYTES;
      DoubleVector c0 = DoubleVector.fromMemorySegment(SPECIES, c, at, ORDER);
      DoubleVector c1 = DoubleVector.fromMemorySegment(SPECIES, c, at + row, ORDER);
      DoubleVector c2 = DoubleVector.fromMemorySegment(SPECIES, c, at + 2 * row, ORDER);
      DoubleVector c3 = DoubleVector.fromMemorySegment(SPECIES, c, at + 3 * row, ORDER);
      for (int p = 0; p < k; p++) {
        long left = (aAt + p * columnStep) * Double.BYTES;
        long step = rowStep * Double.BYTES;
        DoubleVector right =
            DoubleVector.fromMemorySegment(SPECIES, b, ((long) p * n + j) * Double.BYTES, ORDER);
        c0 = right.fma(DoubleVector.broadcast(SPECIES, a.get(DOUBLE, left)), c0);
        c1 = right.fma(DoubleVector.broadcast(SPECIES, a.get(DOUBLE, left + step)), c1);
        c2 = right.fma(DoubleVector.broadcast(SPECIES, a.get(DOUBLE, left + 2 * step)), c2);
        c3 = right.fma(DoubleVector.broadcast(SPECIES, a.get(DOUBLE, left + 3 * step)), c3);
      }
      c0.intoMemorySegment(c, at, ORDER);
      c1.intoMemorySegment(c, at + row, ORDER);
      c2.intoMemorySegment(c, at + 2 * row, ORDER);
      c3.intoMemorySegment(c, at + 3 * row, ORDER);
    }
    for (int r = 0; r < ROWS; r++) {
      columns(c, cAt + (long) r * n, a, aAt + r * rowStep, columnStep, b, n, k, j);
    }
  }

  private static void oneRow(
      MemorySegment c,
      long cAt,
      MemorySegment a,
      long aAt,
      long columnStep,
      MemorySegment b,
      int n,
      int k) {
    int j = 0;
    for (; j + LANES <= n; j += LANES) {
      long at = (cAt + j) * Double.BYTES;
      DoubleVector sum = DoubleVector.fromMemorySegment(SPECIES, c, at, ORDER);
      for (int p = 0; p < k; p++) {
        double left = a.getAtIndex(DOUBLE, aAt + p * columnStep);
        sum =
            DoubleVector.fromMemorySegment(SPECIES, b, ((long) p * n + j) * Double.BYTES, ORDER)
                .fma(DoubleVector.broadcast(SPECIES, left), sum);
      }
      sum.intoMemorySegment(c, at, ORDER);
    }
    columns(c, cAt, a, aAt, columnStep, b, n, k, j);
  }

  /** The columns from {@code j} on that fill no vector; the same fma in the same order. */
  private static void columns(
      MemorySegment c,
      long cAt,
      MemorySegment a,
      long aAt,
      long columnStep,
      MemorySegment b,
      int n,
      int k,
      int j) {
    for (int column = j; column < n; column++) {
      double sum = c.getAtIndex(DOUBLE, cAt + column);
      for (int p = 0; p < k; p++) {
        double right = b.getAtIndex(DOUBLE, (long) p * n + column);
        sum = Math.fma(right, a.getAtIndex(DOUBLE, aAt + p * columnStep), sum);
      }
      c.setAtIndex(DOUBLE, cAt + column, sum);
    }
  }
}
