package io.gatun.tools.matrix;

import io.gatun.attention.code.MachineCode;
import java.lang.foreign.Arena;

/**
 * Settles, once per process, whether products run in machine code, on the Vector API or in plain
 * Java.
 */
final class MatrixKernels {
  /** Whether the JVM was started with the module; attention warns about it where it was not. */
  static final boolean VECTORS = ModuleLayer.boot().findModule("jdk.incubator.vector").isPresent();

  /** The same choice as for attention, by the same property. */
  private static final boolean MACHINE =
      VECTORS
          && System.getProperty(MachineCode.KERNELS_PROPERTY, "machine").equals("machine")
          && MachineBatch.available();

  private static final RowKernel F32 = best(WeightType.F32);
  private static final RowKernel F16 = best(WeightType.F16);
  private static final RowKernel BF16 = best(WeightType.BF16);
  private static final RowKernel Q8 = best(WeightType.Q8);

  private MatrixKernels() {}

  /** The kernel for rows of this type. */
  static RowKernel rows(WeightType type) {
    return switch (type) {
      case F32 -> F32;
      case F16 -> F16;
      case BF16 -> BF16;
      case Q8 -> Q8;
    };
  }

  /** A kernel for batches of up to so many tokens and columns. */
  static BatchKernel batches(int threads, int maxTokens, int maxCols, Arena arena) {
    if (MACHINE) {
      try {
        return new MachineBatch(MatrixKernels::rows, maxTokens, maxCols, arena);
      } catch (IllegalStateException e) {
        // Kernels of many formats have filled the memory for code.
        System.getLogger("io.gatun.tools")
            .log(System.Logger.Level.DEBUG, "no machine code for batches: {0}", e.getMessage());
      }
    }
    return new JavaBatch(MatrixKernels::rows, makePanel(VECTORS), threads, maxTokens);
  }

  /** A kernel of one make or the other, for tests. */
  static RowKernel make(WeightType type, boolean vectors) {
    if (!vectors) {
      return new ScalarRows(type);
    }
    return switch (type) {
      case F32 -> new F32Rows();
      case F16 -> new F16Rows();
      case BF16 -> new Bf16Rows();
      case Q8 -> new Q8Rows();
    };
  }

  private static RowKernel best(WeightType type) {
    RowKernel inJava = make(type, VECTORS);
    return MACHINE ? new MachineRows(type, inJava) : inJava;
  }

  /** A kernel of one make or the other. */
  static PanelKernel makePanel(boolean vectors) {
    return vectors ? new VectorPanel() : new ScalarPanel();
  }
}
