package io.gatun.attention.grad;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.gatun.attention.RopeConfig;
import io.gatun.attention.Team;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.Random;
import java.util.function.DoubleSupplier;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** Every gradient against central differences, in double. */
class GradientTest {
  private static final ValueLayout.OfDouble DOUBLE = ValueLayout.JAVA_DOUBLE;

  /** Optimum for double: the cut-off error goes with its square, the rounding with its inverse. */
  private static final double STEP = 1e-5;

  private static final double TOLERANCE = 1e-6;
  private static final long SEED = 20_260_511;

  private final Arena arena = Arena.ofShared();
  private final Team team = Team.of(2);
  private final Random random = new Random(SEED);

  @AfterEach
  void close() {
    team.close();
    arena.close();
  }

  private MemorySegment empty(long count) {
    return arena.allocate(DOUBLE, count);
  }

  private MemorySegment gaussian(long count) {
    MemorySegment segment = empty(count);
    for (long i = 0; i < count; i++) {
      segment.setAtIndex(DOUBLE, i, random.nextGaussian());
    }
    return segment;
  }

  private static long count(MemorySegment segment) {
    return segment.byteSize() / Double.BYTES;
  }

  private static double[] array(MemorySegment segment) {
    return segment.toArray(DOUBLE);
  }

  /** A loss whose gradient by y is c: the sum of c y. */
  private static double loss(MemorySegment c, MemorySegment y) {
    double sum = 0;
    for (long i = 0; i < count(c); i++) {
      sum += c.getAtIndex(DOUBLE, i) * y.getAtIndex(DOUBLE, i);
    }
    return sum;
  }

  /**
   * The largest difference between a gradient and central differences of the loss, relative to the
   * largest gradient; over every element of {@code by}.
   */
  private static double error(MemorySegment by, MemorySegment gradient, DoubleSupplier loss) {
    double largest = 0;
    double difference = 0;
    for (long i = 0; i < count(by); i++) {
      double value = by.getAtIndex(DOUBLE, i);
      by.setAtIndex(DOUBLE, i, value + STEP);
      double above = loss.getAsDouble();
      by.setAtIndex(DOUBLE, i, value - STEP);
      double below = loss.getAsDouble();
      by.setAtIndex(DOUBLE, i, value);
      double numeric = (above - below) / (2 * STEP);
      difference = Math.max(difference, Math.abs(numeric - gradient.getAtIndex(DOUBLE, i)));
      largest = Math.max(largest, Math.abs(numeric));
    }
    assertThat(largest).isPositive();
    return difference / largest;
  }

  private void check(String what, MemorySegment by, MemorySegment gradient, DoubleSupplier loss) {
    double error = error(by, gradient, loss);
    System.out.printf("gradient by %-3s relative error %.1e (seed %d)%n", what, error, SEED);
    assertThat(error).as("gradient by %s, seed %d", what, SEED).isLessThan(TOLERANCE);
  }

  @ParameterizedTest(name = "{0} heads on {1}, dims {2} and {3}, {4} tokens, window {5}")
  @CsvSource({
    "4, 4, 16, 16, 37, 0", // MHA, over a tile's border
    "6, 2, 13, 7, 11, 0", // GQA, widths that fill no vector and differ
    "8, 2, 16, 16, 19, 5", // GQA with a sliding window
    "4, 1, 8, 8, 12, 0", // MQA
    "1, 1, 1, 1, 1, 0",
  })
  void core(int heads, int kvHeads, int keyDim, int valueDim, int tokens, int window) {
    double scale = 1 / Math.sqrt(keyDim);
    GqaCore core =
        new GqaCore(new GqaCore.Shape(heads, kvHeads, keyDim, valueDim, scale, window), team);
    MemorySegment q = gaussian((long) tokens * heads * keyDim);
    MemorySegment k = gaussian((long) tokens * kvHeads * keyDim);
    MemorySegment v = gaussian((long) tokens * kvHeads * valueDim);
    MemorySegment out = empty((long) tokens * heads * valueDim);
    MemorySegment logSum = empty((long) tokens * heads);
    MemorySegment c = gaussian(count(out));
    MemorySegment dq = gaussian(count(q));
    MemorySegment dk = gaussian(count(k));
    MemorySegment dv = gaussian(count(v));
    core.forward(tokens, q, k, v, out, logSum);
    core.backward(tokens, q, k, v, out, logSum, c, dq, dk, dv);
    MemorySegment other = empty(count(out));
    DoubleSupplier loss =
        () -> {
          core.forward(tokens, q, k, v, other, logSum);
          return loss(c, other);
        };
    check("v", v, dv, loss);
    if (tokens > 1) {
      // With one token the weights are 1 whatever q and k are.
      check("q", q, dq, loss);
      check("k", k, dk, loss);
    } else {
      assertThat(array(dq)).containsOnly(0);
      assertThat(array(dk)).containsOnly(0);
    }
  }

  private GqaWeights weights(GqaCore.Shape s, int hidden, boolean biasesAndNorms) {
    int q = s.numHeads() * s.keyDim();
    int k = s.numKvHeads() * s.keyDim();
    int v = s.numKvHeads() * s.valueDim();
    int o = s.numHeads() * s.valueDim();
    MemorySegment wq = gaussian((long) q * hidden);
    MemorySegment wk = gaussian((long) k * hidden);
    MemorySegment wv = gaussian((long) v * hidden);
    MemorySegment wo = gaussian((long) hidden * o);
    for (MemorySegment w : new MemorySegment[] {wq, wk, wv, wo}) {
      for (long i = 0; i < count(w); i++) {
        w.setAtIndex(DOUBLE, i, w.getAtIndex(DOUBLE, i) / Math.sqrt(hidden));
      }
    }
    return biasesAndNorms
        ? new GqaWeights(
            wq,
            wk,
            wv,
            wo,
            gaussian(q),
            gaussian(k),
            gaussian(v),
            gaussian(hidden),
            gaussian(s.keyDim()),
            gaussian(s.keyDim()))
        : GqaWeights.of(wq, wk, wv, wo);
  }

  @ParameterizedTest(name = "{0} heads on {1}, dim {2}, hidden {3}, rope {4}, biases and norms {5}")
  @CsvSource({
    "4, 4, 8, 24, false, false", // MHA
    "4, 2, 8, 32, false, false", // GQA
    "4, 1, 8, 21, false, false", // MQA
    "4, 4, 8, 24, true, true",
    "4, 2, 10, 19, true, true",
    "3, 1, 8, 16, true, true",
  })
  void layer(int heads, int kvHeads, int headDim, int hidden, boolean rotated, boolean all) {
    int tokens = 11;
    GqaCore.Shape shape = GqaCore.Shape.of(heads, kvHeads, headDim);
    RopeConfig rope = rotated ? RopeConfig.of(headDim, 100) : null;
    GqaWeights w = weights(shape, hidden, all);
    MemorySegment x = gaussian((long) tokens * hidden);
    MemorySegment y = empty((long) tokens * hidden);
    MemorySegment c = gaussian(count(y));
    GqaWeights d =
        GqaWeights.of(
            gaussian(count(w.wq())),
            gaussian(count(w.wk())),
            gaussian(count(w.wv())),
            gaussian(count(w.wo())));
    MemorySegment dx = gaussian(count(x));
    try (GqaLayer layer = new GqaLayer(shape, hidden, tokens, rope, 1e-6, team)) {
      layer.forward(w, x, y);
      layer.backward(w, x, c, d, dx);
      DoubleSupplier loss =
          () -> {
            layer.forward(w, x, y);
            return loss(c, y);
          };
      check("Wq", w.wq(), d.wq(), loss);
      check("Wk", w.wk(), d.wk(), loss);
      check("Wv", w.wv(), d.wv(), loss);
      check("Wo", w.wo(), d.wo(), loss);
      check("x", x, dx, loss);
    }
  }

  @Test
  void theGradientOfAKvHeadIsTheSumOverItsQueryHeads() {
    int heads = 6;
    int kvHeads = 2;
    int dim = 8;
    int tokens = 9;
    MemorySegment q = gaussian((long) tokens * heads * dim);
    MemorySegment k = gaussian((long) tokens * kvHeads * dim);
    MemorySegment v = gaussian((long) tokens * kvHeads * dim);
    MemorySegment c = gaussian((long) tokens * heads * dim);
    // The same K and V, every head repeated for each of its query heads.
    MemorySegment wideK = empty((long) tokens * heads * dim);
    MemorySegment wideV = empty((long) tokens * heads * dim);
    for (int row = 0; row < tokens * heads; row++) {
      int from = row / heads * kvHeads + row % heads / (heads / kvHeads);
      MemorySegment.copy(k, DOUBLE, 8L * from * dim, wideK, DOUBLE, 8L * row * dim, dim);
      MemorySegment.copy(v, DOUBLE, 8L * from * dim, wideV, DOUBLE, 8L * row * dim, dim);
    }
    double[][] gqa = backward(GqaCore.Shape.of(heads, kvHeads, dim), tokens, q, k, v, c);
    double[][] mha = backward(GqaCore.Shape.of(heads, heads, dim), tokens, q, wideK, wideV, c);
    assertThat(gqa[0]).containsExactly(mha[0]);
    for (int part = 1; part <= 2; part++) {
      double[] sums = new double[gqa[part].length];
      for (int i = 0; i < mha[part].length; i++) {
        int row = i / dim;
        int to = row / heads * kvHeads + row % heads / (heads / kvHeads);
        sums[to * dim + i % dim] += mha[part][i];
      }
      for (int i = 0; i < sums.length; i++) {
        assertThat(Math.abs(sums[i] - gqa[part][i])).isLessThan(1e-13);
      }
    }
  }

  private double[][] backward(
      GqaCore.Shape shape,
      int tokens,
      MemorySegment q,
      MemorySegment k,
      MemorySegment v,
      MemorySegment c) {
    return backward(shape, tokens, q, k, v, c, team);
  }

  private double[][] backward(
      GqaCore.Shape shape,
      int tokens,
      MemorySegment q,
      MemorySegment k,
      MemorySegment v,
      MemorySegment c,
      Team by) {
    GqaCore core = new GqaCore(shape, by);
    MemorySegment out = empty(count(c));
    MemorySegment logSum = empty((long) tokens * shape.numHeads());
    MemorySegment dq = empty(count(q));
    MemorySegment dk = empty(count(k));
    MemorySegment dv = empty(count(v));
    core.forward(tokens, q, k, v, out, logSum);
    core.backward(tokens, q, k, v, out, logSum, c, dq, dk, dv);
    return new double[][] {array(dq), array(dk), array(dv)};
  }

  @Test
  void theNumberOfThreadsChangesNoBit() {
    int tokens = 70;
    GqaCore.Shape shape = GqaCore.Shape.of(4, 2, 12).withWindow(50);
    MemorySegment q = gaussian(tokens * 4 * 12);
    MemorySegment k = gaussian(tokens * 2 * 12);
    MemorySegment v = gaussian(tokens * 2 * 12);
    MemorySegment c = gaussian(tokens * 4 * 12);
    double[][] expected;
    try (Team one = Team.of(1)) {
      expected = backward(shape, tokens, q, k, v, c, one);
    }
    try (Team three = Team.of(3)) {
      assertThat(backward(shape, tokens, q, k, v, c, three)).isDeepEqualTo(expected);
    }
  }

  @Test
  void largeScoresDoNotOverflow() {
    int tokens = 5;
    MemorySegment q = gaussian(tokens * 8);
    MemorySegment k = gaussian(tokens * 8);
    for (long i = 0; i < count(q); i++) {
      q.setAtIndex(DOUBLE, i, 1e3 * q.getAtIndex(DOUBLE, i));
    }
    double[][] d =
        backward(
            GqaCore.Shape.of(1, 1, 8), tokens, q, k, gaussian(tokens * 8), gaussian(tokens * 8));
    for (double[] part : d) {
      for (double value : part) {
        assertThat(value).isFinite();
      }
    }
  }

  @Test
  void productsOfAwkwardSizes() {
    int[][] sizes = {{1, 1, 1}, {4, 8, 3}, {5, 9, 7}, {17, 33, 20}, {35, 15, 64}, {3, 100, 1}};
    Products products = new Products(team);
    for (int[] size : sizes) {
      int m = size[0];
      int n = size[1];
      int k = size[2];
      MemorySegment a = gaussian((long) m * k);
      MemorySegment b = gaussian((long) k * n);
      MemorySegment c = gaussian((long) m * n);
      double[] expected = array(c);
      MemorySegment aT = empty((long) m * k);
      MemorySegment bT = empty((long) k * n);
      for (int p = 0; p < k; p++) {
        for (int i = 0; i < m; i++) {
          aT.setAtIndex(DOUBLE, (long) p * m + i, a.getAtIndex(DOUBLE, (long) i * k + p));
        }
        for (int j = 0; j < n; j++) {
          bT.setAtIndex(DOUBLE, (long) j * k + p, b.getAtIndex(DOUBLE, (long) p * n + j));
        }
      }
      MemorySegment viaT = empty((long) m * n);
      MemorySegment.copy(c, 0, viaT, 0, c.byteSize());
      MemorySegment dots = empty((long) m * n);
      products.addAb(c, a, b, m, n, k);
      products.addAtB(viaT, aT, b, m, n, k);
      products.abT(dots, a, bT, m, n, k);
      for (int i = 0; i < m; i++) {
        for (int j = 0; j < n; j++) {
          double sum = 0;
          for (int p = 0; p < k; p++) {
            sum += a.getAtIndex(DOUBLE, (long) i * k + p) * b.getAtIndex(DOUBLE, (long) p * n + j);
          }
          long at = (long) i * n + j;
          double whole = expected[(int) at] + sum;
          assertThat(Math.abs(c.getAtIndex(DOUBLE, at) - whole)).isLessThan(1e-13 * k + 1e-14);
          assertThat(viaT.getAtIndex(DOUBLE, at)).isEqualTo(c.getAtIndex(DOUBLE, at));
          assertThat(Math.abs(dots.getAtIndex(DOUBLE, at) - sum)).isLessThan(1e-13 * k + 1e-14);
        }
      }
    }
  }

  @Test
  void refusedShapes() {
    assertThatThrownBy(() -> GqaCore.Shape.of(8, 3, 4))
        .hasMessage("8 query heads cannot be shared out evenly among 3 KV heads");
    assertThatThrownBy(() -> GqaCore.Shape.of(8, 0, 4)).hasMessageContaining("0 KV heads");
    assertThatThrownBy(() -> GqaCore.Shape.of(8, 2, 4).withWindow(-1))
        .hasMessageContaining("window is -1");
    assertThatThrownBy(() ->
            new GqaLayer(GqaCore.Shape.of(8, 2, 4), 32, 3, RopeConfig.of(8, 10000), 1e-6, team))
        .hasMessageContaining("for heads of 8, the keys' are 4 wide");
  }
}
