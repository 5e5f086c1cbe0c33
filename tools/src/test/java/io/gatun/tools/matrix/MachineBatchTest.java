package io.gatun.tools.matrix;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

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

/** Batches in machine code beside those of the Vector API, bit for bit. */
class MachineBatchTest {
  private static final int TOKENS = 5;
  private static final long PAGE = 4096;

  private final Arena arena = Arena.ofShared();
  private final Random random = new Random(29);

  @BeforeEach
  void needsMachineCode() {
    assumeTrue(MatrixKernels.VECTORS && MachineBatch.available(), "no machine code here");
  }

  @AfterEach
  void free() {
    arena.close();
  }

  private static RowKernel rows(WeightType type) {
    return MatrixKernels.make(type, true);
  }

  private BatchKernel machine(int cols) {
    return new MachineBatch(MachineBatchTest::rows, TOKENS, cols, arena);
  }

  private static BatchKernel vectors() {
    return new JavaBatch(MachineBatchTest::rows, MatrixKernels.makePanel(true), 1, TOKENS);
  }

  private Activations activations(int cols) {
    MemorySegment row = arena.allocate(4L * cols, 4);
    Activations x = new Activations(TOKENS, cols, arena);
    for (int token = 0; token < TOKENS; token++) {
      for (int c = 0; c < cols; c++) {
        row.setAtIndex(ValueLayout.JAVA_FLOAT, c, (float) random.nextGaussian());
      }
      x.set(token, row, 0);
    }
    return x;
  }

  /** Products of rows {@code [from, to)}: {@code [row][token]}. */
  private static float[][] multiply(
      BatchKernel kernel, Matrix weight, Activations x, int from, int to) {
    int tasks = kernel.begin(x, TOKENS);
    for (int task = 0; task < tasks; task++) {
      kernel.order(task);
    }
    BatchKernel.Panel panel = kernel.panel();
    float[][] products = new float[to - from][TOKENS];
    float[] line = new float[kernel.rows()];
    for (int row = from; row < to; row += kernel.rows()) {
      int count = Math.min(kernel.rows(), to - row);
      panel.multiply(weight, row, count);
      for (int token = 0; token < TOKENS; token++) {
        panel.products(token, line);
        for (int i = 0; i < count; i++) {
          products[row - from + i][token] = line[i];
        }
      }
    }
    return products;
  }

  /** Nothing can be read behind the weights: the file ends there. */
  @ParameterizedTest
  @EnumSource(WeightType.class)
  void givesTheBitsOfTheVectorApiUpToTheEndOfAFile(WeightType type, @TempDir Path folder)
      throws IOException {
    int mostRows = 70;
    int mostCols = 5000;
    long end = Math.ceilDiv(mostRows * type.rowBytes(mostCols), PAGE) * PAGE;
    try (FileChannel file = open(folder)) {
      MemorySegment memory = file.map(FileChannel.MapMode.READ_WRITE, 0, end + PAGE, arena);
      file.truncate(end);
      for (int cols : new int[] {15, 16, 17, 64, 100, 448, 449, 1024, 2500, 4096, 5000}) {
        Activations x = activations(cols);
        BatchKernel machine = machine(cols);
        for (int rows : new int[] {1, 15, 16, 17, 31, 32, 33, 48, 70}) {
          long bytes = rows * type.rowBytes(cols);
          MemorySegment data = memory.asSlice(end - bytes, bytes);
          RandomWeights.fill(random, data, type, rows, cols);
          Matrix weight = new Matrix("w", type, rows, cols, data.asReadOnly());
          assertThat(multiply(machine, weight, x, 0, rows))
              .as("%d rows of %d columns", rows, cols)
              .isDeepEqualTo(multiply(vectors(), weight, x, 0, rows));
        }
      }
    }
  }

  private static FileChannel open(Path folder) throws IOException {
    return FileChannel.open(
        folder.resolve("weights"),
        StandardOpenOption.CREATE_NEW,
        StandardOpenOption.READ,
        StandardOpenOption.WRITE);
  }

  /** Rows up to the end of what is left of a file are read, and nothing behind them. */
  @ParameterizedTest
  @EnumSource(WeightType.class)
  void aFileThatIsCutShort(WeightType type, @TempDir Path folder) throws IOException {
    int cols = 4096;
    int rows = 96; // 16 of any type fill whole pages
    long rowBytes = type.rowBytes(cols);
    Activations x = activations(cols);
    BatchKernel machine = machine(cols);
    try (FileChannel file = open(folder)) {
      MemorySegment data = file.map(FileChannel.MapMode.READ_WRITE, 0, rows * rowBytes, arena);
      RandomWeights.fill(random, data, type, rows, cols);
      Matrix weight = new Matrix("w", type, rows, cols, data);
      float[][] before = multiply(machine, weight, x, 0, 48);
      file.truncate(48 * rowBytes);
      assertThat(multiply(machine, weight, x, 0, 48)).isDeepEqualTo(before);
      assertThatThrownBy(() -> multiply(machine, weight, x, 48, 80))
          .isInstanceOf(InternalError.class)
          .hasMessageContaining("cut short");
      assertThatThrownBy(() -> multiply(machine, weight, x, 40, 72))
          .isInstanceOf(InternalError.class)
          .hasMessageContaining("cut short");
      assertThat(multiply(machine, weight, x, 0, 48)).isDeepEqualTo(before);
    }
  }

  /** There is code for some widths only, which shows nowhere. */
  @Test
  void anyNumberOfWidthsHasResults() {
    BatchKernel machine = machine(120);
    for (int cols = 16; cols <= 120; cols++) {
      Matrix weight = matrix(WeightType.BF16, 32, cols);
      Activations x = activations(cols);
      assertThat(multiply(machine, weight, x, 0, 32))
          .isDeepEqualTo(multiply(vectors(), weight, x, 0, 32));
    }
  }

  private Matrix matrix(WeightType type, int rows, int cols) {
    MemorySegment data = arena.allocate(rows * type.rowBytes(cols), 64);
    RandomWeights.fill(random, data, type, rows, cols);
    return new Matrix("w", type, rows, cols, data);
  }

  @Test
  void whatLiesOutsideIsRefused() {
    Activations x = activations(64);
    BatchKernel machine = machine(64);
    Matrix weight = matrix(WeightType.F32, 40, 64);
    machine.begin(x, TOKENS);
    BatchKernel.Panel panel = machine.panel();
    assertThatThrownBy(() -> panel.multiply(weight, 9, 32))
        .isInstanceOf(IndexOutOfBoundsException.class);
    assertThatThrownBy(() -> panel.multiply(weight, -1, 4))
        .isInstanceOf(IndexOutOfBoundsException.class);
    assertThatThrownBy(() -> panel.multiply(weight, 0, 33))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessageContaining("33 rows of 64 columns");
    assertThatThrownBy(() -> panel.multiply(matrix(WeightType.F32, 40, 80), 0, 32))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessageContaining("32 rows of 80 columns, and 64 activations");
  }
}
