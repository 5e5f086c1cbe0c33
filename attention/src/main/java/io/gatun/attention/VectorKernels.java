package io.gatun.attention;

import io.gatun.cache.KvType;
import java.util.EnumMap;
import java.util.Map;

/** The kernels on the Vector API. Loaded only where its module is there. */
final class VectorKernels implements Kernels {
  private final Map<KvType, Specialized.Copy> keys = new EnumMap<>(KvType.class);
  private final Map<KvType, Specialized.Copy> values = new EnumMap<>(KvType.class);

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
  public synchronized KeyKernel keys(KvType type, int keyDim) {
    Specialized.Copy copy = keys.computeIfAbsent(type, t -> Specialized.copy(VectorKeys.class, t));
    return (KeyKernel) copy.create(keyDim, type.rowBytes(keyDim));
  }

  @Override
  public synchronized ValueKernel values(KvType type, int valueDim, int rowBytes) {
    Specialized.Copy copy =
        values.computeIfAbsent(type, t -> Specialized.copy(VectorValues.class, t));
    return (ValueKernel) copy.create(valueDim, rowBytes);
  }

  @Override
  public SoftmaxKernel softmax() {
    return new VectorSoftmax();
  }
}
