package io.gatun.tools.matrix;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.withinPercentage;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import io.gatun.attention.Team;
import io.gatun.cache.GatunException;
import io.gatun.tools.safetensors.SafetensorsWriter;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.Random;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.EnumSource;

/** Both makes of the kernels against plain double sums, and batches against single tokens. */
class MatrixProductTest {
  private static final ValueLayout.OfFloat FLOAT = ValueLayout.JAVA_FLOAT_UNALIGNED;

  private final Arena arena = Arena.ofShared();
  private final Random random = new Random(17);

  @AfterEach
  void free() {
    arena.close();
  }

  /** Weights at an odd address, as a header of any length leads to. */
  private Matrix matrix(WeightType type, int rows, int cols) {
    if (type == WeightType.Q8) {
      Matrix plain = matrix(WeightType.F32, rows, cols);
      long bytes = rows * WeightType.Q8.rowBytes(cols);
      MemorySegment encoded = arena.allocate(bytes + 64, 64).asSlice(1, bytes);
      new Q8Encoder().encode(plain, 0, rows, encoded);
      return new Matrix("w", type, rows, cols, encoded.asReadOnly());
    }
    long bytes = rows * type.rowBytes(cols);
    int odd = type == WeightType.F32 ? 3 : 1;
    MemorySegment data = arena.allocate(bytes + 64, 64).asSlice(odd, bytes);
    for (long i = 0; i < (long) rows * cols; i++) {
      float value = (float) random.nextGaussian();
      if (i % 97 == 0) {
        value = 3e-6f; // subnormal in F16
      }
      switch (type) {
        case F32 -> data.set(FLOAT, 4 * i, value);
        case F16 -> data.set(ValueLayout.JAVA_SHORT_UNALIGNED, 2 * i, Float.floatToFloat16(value));
        default ->
            data.set(ValueLayout.JAVA_SHORT_UNALIGNED, 2 * i, SafetensorsWriter.toBf16(value));
      }
    }
    return new Matrix("w", type, rows, cols, data.asReadOnly());
  }

  /** A weight, decoded with lines of the test's own. */
  private static double value(Matrix m, long i) {
    return switch (m.type()) {
      case Q8 -> {
        int groups = (m.cols() + 63) / 64;
        int stride = ((m.cols() + 3) / 4 * 4 + 4 * groups + 63) / 64 * 64;
        long row = i / m.cols() * stride;
        int col = (int) (i % m.cols());
        long scale = row + (m.cols() + 3) / 4 * 4 + col / 64 * 4L;
        yield m.data().get(ValueLayout.JAVA_BYTE, row + col) * m.data().get(FLOAT, scale);
      }
      case F32 -> m.data().get(FLOAT, 4 * i);
      case F16 -> Float.float16ToFloat(m.data().get(ValueLayout.JAVA_SHORT_UNALIGNED, 2 * i));
      default -> Float.intBitsToFloat(m.data().get(ValueLayout.JAVA_SHORT_UNALIGNED, 2 * i) << 16);
    };
  }

  private MemorySegment floats(int count) {
    MemorySegment segment = arena.allocate(4L * count, 64);
    for (int i = 0; i < count; i++) {
      segment.set(FLOAT, 4L * i, (float) random.nextGaussian());
    }
    return segment;
  }

  private static double dot(Matrix m, long row, MemorySegment x, int token) {
    double sum = 0;
    for (int c = 0; c < m.cols(); c++) {
      sum += value(m, row * m.cols() + c) * x.get(FLOAT, 4L * (token * m.cols() + c));
    }
    return sum;
  }

  @ParameterizedTest
  @CsvSource({"1, 1", "3, 5", "4, 16", "7, 33", "64, 100", "33, 1024", "37, 1025", "130, 2500"})
  void productsAreThoseOfPlainSums(int rows, int cols) {
    for (WeightType type : WeightType.values()) {
      Matrix m = matrix(type, rows, cols);
      for (int tokens : new int[] {1, 2, 3, 4, 6, 7, 13}) {
        MemorySegment x = floats(tokens * cols);
        for (boolean vectors : new boolean[] {true, false}) {
          double[] expected = new double[tokens * rows];
          for (int i = 0; i < expected.length; i++) {
            expected[i] = dot(m, i % rows, x, i / rows);
          }
          float[] found = multiply(m, x, tokens, 2, vectors);
          for (int i = 0; i < expected.length; i++) {
            assertThat((double) found[i])
                .as("%s, %d tokens, element %d, vectors %s", type, tokens, i, vectors)
                .isCloseTo(expected[i], org.assertj.core.api.Assertions.within(2e-6 * cols));
          }
        }
      }
    }
  }

  private float[] multiply(Matrix m, MemorySegment x, int tokens, int threads, boolean vectors) {
    return multiply(m, x, tokens, threads, vectors, inJava(vectors));
  }

  private static BatchKernel.Factory inJava(boolean vectors) {
    return (threads, tokens, cols, memory) ->
        new JavaBatch(
            type -> MatrixKernels.make(type, vectors),
            MatrixKernels.makePanel(vectors),
            threads,
            tokens);
  }

  private static BatchKernel.Factory inMachineCode() {
    return (threads, tokens, cols, memory) ->
        new MachineBatch(type -> MatrixKernels.make(type, true), tokens, cols, memory);
  }

  private float[] multiply(
      Matrix m,
      MemorySegment x,
      int tokens,
      int threads,
      boolean vectors,
      BatchKernel.Factory batches) {
    try (Team team = Team.of(threads);
        MatrixProduct product =
            new MatrixProduct(
                team, tokens, m.cols(), batches, type -> MatrixKernels.make(type, vectors))) {
      MemorySegment out = arena.allocate(4L * tokens * m.rows(), 64);
      Activations activations = new Activations(tokens, m.cols(), arena);
      for (int token = 0; token < tokens; token++) {
        activations.set(token, x, 4L * token * m.cols());
      }
      product.multiply(ProjectionGroup.of(Projection.of(m, out)), activations, tokens);
      return out.toArray(ValueLayout.JAVA_FLOAT);
    }
  }

  @ParameterizedTest
  @EnumSource(WeightType.class)
  void aTokenHasTheSameBitsInEveryBatchAndOnEveryTeam(WeightType type) {
    for (int cols : new int[] {31, 1024, 2499}) {
      Matrix m = matrix(type, 70, cols);
      MemorySegment x = floats(40 * cols);
      for (boolean vectors : new boolean[] {true, false}) {
        float[] batch = multiply(m, x, 40, 1, vectors);
        assertThat(multiply(m, x, 40, 3, vectors)).isEqualTo(batch);
        for (int token : new int[] {0, 5, 6, 39}) {
          float[] one = multiply(m, x.asSlice(4L * token * cols), 1, 2, vectors);
          assertThat(one)
              .isEqualTo(java.util.Arrays.copyOfRange(batch, token * 70, (token + 1) * 70));
        }
      }
    }
  }

  @ParameterizedTest
  @CsvSource({
    "1, 16",
    "3, 31",
    "16, 15",
    "16, 64",
    "17, 17",
    "31, 448",
    "32, 449",
    "33, 1024",
    "37, 1025",
    "48, 5000",
    "70, 1000",
    "130, 2500"
  })
  void machineCodeGivesTheBitsOfTheVectorApi(int rows, int cols) {
    assumeTrue(MachineBatch.available(), "these vectors are not of 512 bits");
    for (WeightType type : WeightType.values()) {
      Matrix m = matrix(type, rows, cols);
      for (int tokens : new int[] {2, 3, 4, 5, 6, 7, 8, 9, 11, 12, 13, 20, 40}) {
        MemorySegment x = floats(tokens * cols);
        assertThat(multiply(m, x, tokens, 2, true, inMachineCode()))
            .as("%s, %d tokens", type, tokens)
            .isEqualTo(multiply(m, x, tokens, 2, true));
      }
    }
  }

  @Test
  void roundingTo8BitsIsHalfAStepOff() {
    for (int cols : new int[] {1, 3, 63, 64, 65, 200, 1031}) {
      Matrix plain = matrix(WeightType.BF16, 5, cols);
      MemorySegment rows = arena.allocate(5 * WeightType.Q8.rowBytes(cols), 64);
      rows.fill((byte) 0x55); // what lay there before must not show
      // In two parts, as tasks take them.
      new Q8Encoder().encode(plain, 0, 3, rows);
      new Q8Encoder().encode(plain, 3, 5, rows.asSlice(3 * WeightType.Q8.rowBytes(cols)));
      Matrix rounded = new Matrix("w", WeightType.Q8, 5, cols, rows);
      for (int row = 0; row < 5; row++) {
        for (int group = 0; group < cols; group += 64) {
          int end = Math.min(cols, group + 64);
          double max = 0;
          for (int c = group; c < end; c++) {
            max = Math.max(max, Math.abs(value(plain, (long) row * cols + c)));
          }
          double largest = 0;
          for (int c = group; c < end; c++) {
            double found = value(rounded, (long) row * cols + c);
            double error = Math.abs(found - value(plain, (long) row * cols + c));
            assertThat(error).isLessThanOrEqualTo(max / 127 * 0.50001);
            largest = Math.max(largest, Math.abs(found));
          }
          assertThat(largest).isBetween(max * 0.9999999, max * 1.0000001);
        }
      }
      MemorySegment row = arena.allocate(4L * cols);
      rounded.row(4, row, 0);
      for (int c = 0; c < cols; c++) {
        assertThat((double) row.get(FLOAT, 4L * c))
            .isEqualTo((float) value(rounded, 4L * cols + c));
      }
    }
  }

  @Test
  void edgesOfRoundingTo8Bits() {
    MemorySegment data = arena.allocate(4 * 130);
    Matrix m = new Matrix("w", WeightType.F32, 1, 130, data);
    MemorySegment rows = arena.allocate(WeightType.Q8.rowBytes(130));
    Matrix rounded = new Matrix("w", WeightType.Q8, 1, 130, rows);
    data.set(FLOAT, 0, Float.MAX_VALUE);
    data.set(FLOAT, 4, -Float.MAX_VALUE / 2);
    data.set(FLOAT, 4 * 64, Float.MIN_VALUE); // nothing is left of it, and nothing else comes of it
    data.set(FLOAT, 4 * 65, -1e-31f);
    data.set(FLOAT, 4 * 129, -3f);
    new Q8Encoder().encode(m, 0, 1, rows);
    assertThat(value(rounded, 0)).isCloseTo(Float.MAX_VALUE, withinPercentage(0.001));
    assertThat(value(rounded, 1)).isCloseTo(-Float.MAX_VALUE / 2, withinPercentage(1));
    for (int c = 2; c < 129; c++) {
      assertThat(value(rounded, c)).isZero();
    }
    assertThat(value(rounded, 129)).isEqualTo(-3);
    for (float bad : new float[] {Float.NaN, Float.POSITIVE_INFINITY, Float.NEGATIVE_INFINITY}) {
      data.set(FLOAT, 4 * 70, bad);
      assertThatThrownBy(() -> new Q8Encoder().encode(m, 0, 1, rows))
          .isInstanceOf(GatunException.class)
          .hasMessageContaining("w holds an infinity or NaN in row 0, columns 64 to 127");
    }
  }

  @Test
  void biasResidualAndGroups() {
    Matrix a = matrix(WeightType.F32, 9, 20);
    Matrix b = matrix(WeightType.BF16, 50, 20);
    MemorySegment x = floats(3 * 20);
    MemorySegment bias = floats(9);
    for (int tokens : new int[] {1, 3}) {
      MemorySegment outA = floats(tokens * 9);
      float[] before = outA.toArray(ValueLayout.JAVA_FLOAT);
      MemorySegment outB = floats(tokens * 50);
      try (Team team = Team.of(2);
          MatrixProduct product = new MatrixProduct(team, tokens, 20)) {
        Activations activations = new Activations(tokens, 20, arena);
        for (int t = 0; t < tokens; t++) {
          activations.set(t, x, 80L * t);
        }
        ProjectionGroup group =
            ProjectionGroup.of(new Projection(a, bias, outA, true), Projection.of(b, outB));
        product.multiply(group, activations, tokens);
        for (int t = 0; t < tokens; t++) {
          for (int r = 0; r < 9; r++) {
            double expected = before[t * 9 + r] + dot(a, r, x, t) + bias.get(FLOAT, 4L * r);
            assertThat((double) outA.get(FLOAT, 4L * (t * 9 + r)))
                .isCloseTo(expected, org.assertj.core.api.Assertions.within(1e-5));
          }
          for (int r = 0; r < 50; r++) {
            assertThat((double) outB.get(FLOAT, 4L * (t * 50 + r)))
                .isCloseTo(dot(b, r, x, t), org.assertj.core.api.Assertions.within(1e-5));
          }
        }
        assertThatThrownBy(() -> product.multiply(group, new Activations(1, 21, arena), 1))
            .isInstanceOf(IllegalArgumentException.class)
            .hasMessageContaining("1 tokens of 20 columns, and the activations hold 1 of 21");
        assertThatThrownBy(
                () -> product.multiply(group, new Activations(tokens + 1, 20, arena), tokens + 1))
            .isInstanceOf(IllegalArgumentException.class)
            .hasMessageContaining("of 20 columns, and this is for batches of up to " + tokens);
      }
    }
    assertThatThrownBy(() ->
            ProjectionGroup.of(
                Projection.of(a, bias), Projection.of(matrix(WeightType.F32, 2, 3), bias)))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessageContaining("w has 3 columns, others of its group have 20");
  }
}
