package io.gatun.attention;

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
  public KeyKernel keys(KvType type, int keyDim) {
    Class<? extends VectorKeys> template =
        switch (Lanes.COUNT) {
          case 16 -> keyDim % (4 * Lanes.COUNT) == 0 ? VectorKeys16Wide.class : VectorKeys16.class;
          case 8 -> VectorKeys8.class;
          default -> VectorKeys4.class;
        };
    return Specialized.create(
        template, VectorKeys.class, new RowFormat(type, keyDim, type.rowBytes(keyDim)));
  }

  @Override
  public ValueKernel values(KvType type, int valueDim, int rowBytes) {
    return Specialized.create(
        VectorValues.class, ValueKernel.class, new RowFormat(type, valueDim, rowBytes));
  }

  @Override
  public SoftmaxKernel softmax() {
    return new VectorSoftmax();
  }
}
