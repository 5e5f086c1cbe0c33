package io.gatun.tools.matrix;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.gatun.attention.Team;
import io.gatun.tools.safetensors.SafetensorsWriter;
import io.gatun.tools.safetensors.TensorType;
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
  private Matrix matrix(TensorType type, int rows, int cols) {
    long bytes = (long) rows * cols * type.bytes();
    MemorySegment data = arena.allocate(bytes + 64, 64).asSlice(type.bytes() == 4 ? 3 : 1, bytes);
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

  private static double value(Matrix m, long i) {
    return switch (m.type()) {
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
    for (TensorType type : new TensorType[] {TensorType.F32, TensorType.F16, TensorType.BF16}) {
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
    try (Team team = Team.of(threads);
        MatrixProduct product =
            new MatrixProduct(
                team,
                tokens,
                MatrixKernels.makePanel(vectors),
                type -> MatrixKernels.make(type, vectors))) {
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
  @EnumSource(
      value = TensorType.class,
      names = {"F32", "F16", "BF16"})
  void aTokenHasTheSameBitsInEveryBatchAndOnEveryTeam(TensorType type) {
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

  @Test
  void biasResidualAndGroups() {
    Matrix a = matrix(TensorType.F32, 9, 20);
    Matrix b = matrix(TensorType.BF16, 50, 20);
    MemorySegment x = floats(3 * 20);
    MemorySegment bias = floats(9);
    for (int tokens : new int[] {1, 3}) {
      MemorySegment outA = floats(tokens * 9);
      float[] before = outA.toArray(ValueLayout.JAVA_FLOAT);
      MemorySegment outB = floats(tokens * 50);
      try (Team team = Team.of(2);
          MatrixProduct product = new MatrixProduct(team, tokens)) {
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
      }
    }
    assertThatThrownBy(() ->
            ProjectionGroup.of(
                Projection.of(a, bias), Projection.of(matrix(TensorType.F32, 2, 3), bias)))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessageContaining("w has 3 columns, others of its group have 20");
  }
}
