package io.gatun.attention;

import io.gatun.attention.code.CodeMemory;
import io.gatun.attention.code.MachineCode;
import io.gatun.cache.KvLayout;

/**
 * Scores and weighted sums in machine code, for vectors of 512 bits; the softmax, and rows whose
 * width is no multiple of 16, on the Vector API. Every bit is what {@link VectorKernels} give.
 */
final class MachineKernels implements Kernels {
  private final VectorKernels vectors = new VectorKernels();

  /**
   * Sees whether they can be used.
   *
   * @throws IllegalStateException if not; the message says why
   */
  MachineKernels() {
    if (Lanes.COUNT != MachineCode.LANES) {
      throw new IllegalStateException(
          "machine code is made for vectors of 512 bits, these are of %d"
              .formatted(Lanes.FLOATS.vectorBitSize()));
    }
    if (!Prefetch.available()) {
      throw new IllegalStateException("there is no prefetching");
    }
    CodeMemory.ofProcess();
  }

  @Override
  public int tokensPerVector() {
    return vectors.tokensPerVector();
  }

  @Override
  public boolean asksForValues() {
    return true;
  }

  @Override
  public String description() {
    return "machine code, %d bits".formatted(Lanes.FLOATS.vectorBitSize());
  }

  @Override
  public KeyKernel keys(KvLayout layout) {
    RowFormat format = RowFormat.ofKeys(layout);
    return MachineCode.fits(format.type(), format.dim())
        ? new MachineKeys(format, vectors.unused(layout))
        : vectors.keys(layout);
  }

  @Override
  public ValueKernel values(KvLayout layout) {
    RowFormat format = RowFormat.ofValues(layout);
    ValueKernel inJava = vectors.values(layout);
    return MachineCode.fits(format.type(), format.dim())
        ? new MachineValues(format, inJava)
        : inJava;
  }

  @Override
  public SoftmaxKernel softmax() {
    return vectors.softmax();
  }

  @Override
  public TileKernel tile(KvLayout layout, KeyKernel keys, ValueKernel values) {
    return keys instanceof MachineKeys && values instanceof MachineValues
        ? new MachineTile(RowFormat.ofKeys(layout), RowFormat.ofValues(layout), keys, values)
        : null;
  }
}
