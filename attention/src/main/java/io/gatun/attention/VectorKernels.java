package io.gatun.attention;

import io.gatun.cache.KvLayout;

/** The kernels on the Vector API. Loaded only where its module is there. */
final class VectorKernels implements Kernels {
  /** Whether the machine's vectors are of a width that the kernels are made for. */
  static boolean supported() {
    return Lanes.COUNT == 16 || Lanes.COUNT == 8 || Lanes.COUNT == 4;
  }

  @Override
  public int tokensPerVector() {
    return Lanes.COUNT / ROWS;
  }

  @Override
  public String description() {
    return "Vector API, %d bits".formatted(Lanes.FLOATS.vectorBitSize());
  }

  @Override
  public KeyKernel keys(KvLayout layout) {
    VectorWarmup.finish();
    return unused(layout);
  }

  /** The same where its loops will not be run: it only prepares queries. */
  KeyKernel unused(KvLayout layout) {
    RowFormat format = RowFormat.ofKeys(layout);
    // Whole sets of 4 vectors of 16 floats, which in the quantised types are a group. Q4 is as fast
    // with the smaller kernel, which C2 compiles with less risk (KERNEL.md, section 6).
    boolean wide = format.dim() % (4 * Lanes.COUNT) == 0;
    if (format.type().quantized()) {
      Class<? extends QuantKeys> template =
          switch (Lanes.COUNT) {
            case 16 ->
                wide && format.type().bits() == 8 ? QuantKeys16Wide.class : QuantKeys16.class;
            case 8 -> QuantKeys8.class;
            default -> QuantKeys4.class;
          };
      return Specialized.create(template, KeyKernel.class, format);
    }
    Class<? extends VectorKeys> template =
        switch (Lanes.COUNT) {
          case 16 -> wide ? VectorKeys16Wide.class : VectorKeys16.class;
          case 8 -> VectorKeys8.class;
          default -> VectorKeys4.class;
        };
    return Specialized.create(template, KeyKernel.class, format);
  }

  @Override
  public ValueKernel values(KvLayout layout) {
    RowFormat format = RowFormat.ofValues(layout);
    Class<? extends ValueKernel> template =
        format.type().quantized() ? QuantValues.class : VectorValues.class;
    return Specialized.create(template, ValueKernel.class, format);
  }

  @Override
  public SoftmaxKernel softmax(ValueKernel values) {
    return new VectorSoftmax();
  }
}
