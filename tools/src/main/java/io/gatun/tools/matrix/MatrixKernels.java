package io.gatun.tools.matrix;

import io.gatun.attention.code.MachineCode;

/** Settles, once per process, whether products run on the Vector API or in plain Java. */
final class MatrixKernels {
  /** Whether the JVM was started with the module; attention warns about it where it was not. */
  static final boolean VECTORS = ModuleLayer.boot().findModule("jdk.incubator.vector").isPresent();

  private static final RowKernel F32 = make(WeightType.F32, VECTORS);
  private static final RowKernel F16 = make(WeightType.F16, VECTORS);
  private static final RowKernel BF16 = make(WeightType.BF16, VECTORS);
  private static final RowKernel Q8 = make(WeightType.Q8, VECTORS);
  private static final PanelKernel PANEL = bestPanel();

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

  /** The kernel for batches. */
  static PanelKernel panel() {
    return PANEL;
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

  /** The same choice as for attention, by the same property. */
  private static PanelKernel bestPanel() {
    boolean machine = System.getProperty(MachineCode.KERNELS_PROPERTY, "machine").equals("machine");
    return VECTORS && machine && MachinePanel.available() ? new MachinePanel() : makePanel(VECTORS);
  }

  /** A kernel of one make or the other, for tests. */
  static PanelKernel makePanel(boolean vectors) {
    return vectors ? new VectorPanel() : new ScalarPanel();
  }
}
