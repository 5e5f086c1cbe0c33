package io.gatun.tools.matrix;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import io.gatun.attention.Team;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.channels.FileChannel;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.Random;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** Rows in machine code beside those of the Vector API, bit for bit. */
class MachineRowsTest {
  private static final ValueLayout.OfFloat FLOAT = ValueLayout.JAVA_FLOAT_UNALIGNED;
  private static final float UNTOUCHED = 12345;

  private final Arena arena = Arena.ofShared();
  private final Random random = new Random(23);

  @BeforeEach
  void needsMachineCode() {
    assumeTrue(MatrixKernels.VECTORS && MachineBatch.available(), "no machine code here");
  }

  @AfterEach
  void free() {
    arena.close();
  }

  private static MachineRows machine(WeightType type) {
    return new MachineRows(type, MatrixKernels.make(type, true));
  }

  private MemorySegment weights(WeightType type, int rows, int cols) {
    long rowBytes = type.rowBytes(cols);
    // At an odd address, as a header of any length leads to.
    MemorySegment data = arena.allocate(rows * rowBytes + 64, 64).asSlice(3, rows * rowBytes);
    RandomWeights.fill(random, data, type, rows, cols);
    return data;
  }

  private MemorySegment activations(int cols) {
    // Not at a whole number of vectors either.
    MemorySegment x = arena.allocate(4L * cols + 20, 64);
    for (int i = 0; i < cols + 5; i++) {
      x.set(FLOAT, 4L * i, (float) random.nextGaussian());
    }
    return x;
  }

  private float[] multiply(
      RowKernel kernel, MemorySegment weights, int cols, int from, int to, MemorySegment x) {
    MemorySegment y = arena.allocate(4L * (to - from + 2));
    y.set(FLOAT, 0, UNTOUCHED);
    y.set(FLOAT, 4L * (to - from + 1), UNTOUCHED);
    kernel.multiply(weights, cols, from, to, x, 20, y, 4, new float[RowKernel.SUMS]);
    return y.toArray(ValueLayout.JAVA_FLOAT);
  }

  @ParameterizedTest
  @EnumSource(WeightType.class)
  void givesTheBitsOfTheVectorApi(WeightType type) {
    MachineRows machine = machine(type);
    RowKernel vector = MatrixKernels.make(type, true);
    for (int cols :
        new int[] {
          1, 15, 16, 17, 31, 32, 33, 48, 63, 64, 65, 80, 96, 127, 128, 200, 240, 255, 256, 511, 576,
          1000, 1024, 1025, 2047, 2048, 2064, 3072, 4095, 4096, 4097
        }) {
      int rows = 27;
      MemorySegment weights = weights(type, rows, cols).asReadOnly();
      MemorySegment x = activations(cols);
      for (int[] range :
          new int[][] {
            {0, 1}, {0, 2}, {0, 3}, {0, 4}, {0, 5}, {0, 27}, {1, 8}, {20, 27}, {26, 27}
          }) {
        float[] found = multiply(machine, weights, cols, range[0], range[1], x);
        assertThat(found)
            .as("%d columns, rows %d to %d", cols, range[0], range[1])
            .isEqualTo(multiply(vector, weights, cols, range[0], range[1], x));
        assertThat(found[0]).isEqualTo(UNTOUCHED);
        assertThat(found[found.length - 1]).isEqualTo(UNTOUCHED);
      }
      assertThat(multiply(machine, weights, cols, 9, 9, x)).containsOnly(UNTOUCHED);
    }
  }

  /** Rows enough for several calls of the code, and a last one of a few rows. */
  @ParameterizedTest
  @EnumSource(WeightType.class)
  void givesTheSameBitsInSeveralCalls(WeightType type) {
    for (int cols : new int[] {16, 1037, 4096}) {
      int rows = (int) ((600 << 10) / type.rowBytes(cols)) | 3;
      MemorySegment weights = weights(type, rows, cols);
      MemorySegment x = activations(cols);
      assertThat(multiply(machine(type), weights, cols, 0, rows, x))
          .as("%d columns", cols)
          .isEqualTo(multiply(MatrixKernels.make(type, true), weights, cols, 0, rows, x));
    }
  }

  @ParameterizedTest
  @EnumSource(WeightType.class)
  void aTokenHasTheSameBitsAloneAndInABatch(WeightType type) {
    int rows = 301;
    int cols = 1100;
    Matrix matrix = new Matrix("w", type, rows, cols, weights(type, rows, cols));
    MemorySegment x = activations(7 * cols);
    float[] batch = product(matrix, x, 7);
    for (int token = 0; token < 7; token++) {
      assertThat(product(matrix, x.asSlice(4L * token * cols), 1))
          .isEqualTo(java.util.Arrays.copyOfRange(batch, token * rows, (token + 1) * rows));
    }
  }

  private float[] product(Matrix matrix, MemorySegment x, int tokens) {
    MachineRows machine = machine(matrix.type());
    try (Team team = Team.of(2);
        MatrixProduct product =
            new MatrixProduct(
                team,
                tokens,
                matrix.cols(),
                (threads, most, cols, memory) -> new MachineBatch(_ -> machine, most, cols, memory),
                type -> machine)) {
      MemorySegment out = arena.allocate(4 * tokens * matrix.rows());
      Activations activations = new Activations(tokens, matrix.cols(), arena);
      for (int token = 0; token < tokens; token++) {
        activations.set(token, x, 4L * token * matrix.cols());
      }
      product.multiply(ProjectionGroup.of(Projection.of(matrix, out)), activations, tokens);
      return out.toArray(ValueLayout.JAVA_FLOAT);
    }
  }

  /** There is code for some widths only, which shows nowhere. */
  @Test
  void anyNumberOfWidthsHasResults() {
    MachineRows machine = machine(WeightType.F32);
    RowKernel vector = MatrixKernels.make(WeightType.F32, true);
    for (int cols = 16; cols < 116; cols++) {
      MemorySegment weights = weights(WeightType.F32, 5, cols);
      MemorySegment x = activations(cols);
      assertThat(multiply(machine, weights, cols, 0, 5, x))
          .isEqualTo(multiply(vector, weights, cols, 0, 5, x));
    }
  }

  @ParameterizedTest
  @EnumSource(WeightType.class)
  void whatLiesOutsideIsRefused(WeightType type) {
    MachineRows machine = machine(type);
    MemorySegment weights = weights(type, 9, 64);
    MemorySegment x = activations(64);
    MemorySegment y = arena.allocate(4 * 9);
    float[] sums = new float[RowKernel.SUMS];
    machine.multiply(weights, 64, 0, 9, x, 20, y, 0, sums);
    assertThatThrownBy(() -> machine.multiply(weights, 64, 0, 10, x, 20, y, 0, sums))
        .isInstanceOf(IndexOutOfBoundsException.class);
    assertThatThrownBy(() -> machine.multiply(weights, 64, -1, 4, x, 20, y, 0, sums))
        .isInstanceOf(IndexOutOfBoundsException.class);
    assertThatThrownBy(() -> machine.multiply(weights, 64, 0, 9, x, 24, y, 0, sums))
        .isInstanceOf(IndexOutOfBoundsException.class);
    assertThatThrownBy(() -> machine.multiply(weights, 64, 0, 9, x, -4, y, 0, sums))
        .isInstanceOf(IndexOutOfBoundsException.class);
    assertThatThrownBy(() -> machine.multiply(weights, 64, 0, 9, x, 20, y, 4, sums))
        .isInstanceOf(IndexOutOfBoundsException.class);
    assertThatThrownBy(() -> machine.multiply(weights, 64, 0, 4, x, 20, y.asReadOnly(), 0, sums))
        .isInstanceOf(IllegalArgumentException.class);
  }

  /** Rows up to the end of what is left of a file are read, and nothing behind them. */
  @ParameterizedTest
  @EnumSource(WeightType.class)
  void aFileThatIsCutShort(WeightType type, @TempDir Path folder) throws IOException {
    int cols = 4096;
    long rowBytes = type.rowBytes(cols);
    int rows = 48; // 16 of any type fill whole pages
    MachineRows machine = machine(type);
    MemorySegment x = activations(cols);
    try (FileChannel file =
        FileChannel.open(
            folder.resolve("weights"),
            StandardOpenOption.CREATE_NEW,
            StandardOpenOption.READ,
            StandardOpenOption.WRITE)) {
      MemorySegment data = file.map(FileChannel.MapMode.READ_WRITE, 0, rows * rowBytes, arena);
      data.copyFrom(weights(type, rows, cols));
      float[] before = multiply(machine, data, cols, 13, 32, x);
      file.truncate(32 * rowBytes);
      assertThat(multiply(machine, data, cols, 13, 32, x)).isEqualTo(before);
      assertThatThrownBy(() -> multiply(machine, data, cols, 13, 48, x))
          .isInstanceOf(InternalError.class)
          .hasMessageContaining("cut short");
      assertThat(multiply(machine, data, cols, 13, 32, x)).isEqualTo(before);
    }
  }
}
