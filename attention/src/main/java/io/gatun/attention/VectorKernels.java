package io.gatun.attention;

import io.gatun.cache.KvLayout;
import io.gatun.cache.KvType;

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
    RowFormat format = RowFormat.ofKeys(layout);
    refuseQuantized(format.type());
    Class<? extends VectorKeys> template =
        switch (Lanes.COUNT) {
          case 16 ->
              format.dim() % (4 * Lanes.COUNT) == 0 ? VectorKeys16Wide.class : VectorKeys16.class;
          case 8 -> VectorKeys8.class;
          default -> VectorKeys4.class;
        };
    return Specialized.create(template, VectorKeys.class, format);
  }

  @Override
  public ValueKernel values(KvLayout layout) {
    RowFormat format = RowFormat.ofValues(layout);
    refuseQuantized(format.type());
    return Specialized.create(VectorValues.class, ValueKernel.class, format);
  }

  private static void refuseQuantized(KvType type) {
    if (type.quantized()) {
      throw new IllegalArgumentException(
          "attention has no vector kernel for %s yet; take f32, f16 or bf16"
              .formatted(type.label()));
    }
  }

  @Override
  public SoftmaxKernel softmax() {
    return new VectorSoftmax();
  }
}
