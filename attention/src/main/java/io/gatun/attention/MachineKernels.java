package io.gatun.attention;

import io.gatun.attention.code.MachineCode;
import io.gatun.attention.code.SplitCode;
import io.gatun.cache.KvLayout;
import java.lang.System.Logger.Level;

/**
 * Scores, softmax and weighted sums in machine code, for vectors of 512 bits; rows whose width is no
 * multiple of 16 on the Vector API. Every bit is what {@link VectorKernels} give.
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
    MachineCode.check();
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
    if (MachineCode.fits(format.type(), format.dim())) {
      try {
        return new MachineKeys(format, vectors.unused(layout));
      } catch (IllegalStateException e) {
        inJava(e, format);
      }
    }
    return vectors.keys(layout);
  }

  @Override
  public ValueKernel values(KvLayout layout) {
    RowFormat format = RowFormat.ofValues(layout);
    ValueKernel inJava = vectors.values(layout);
    if (MachineCode.fits(format.type(), format.dim())) {
      try {
        return new MachineValues(format, inJava);
      } catch (IllegalStateException e) {
        inJava(e, format);
      }
    }
    return inJava;
  }

  @Override
  public SoftmaxKernel softmax(ValueKernel values) {
    if (SplitCode.fits(values.stride())) {
      try {
        return new MachineSoftmax(values.stride(), values.weightScale());
      } catch (IllegalStateException e) {
        inJava(e, "the softmax");
      }
    }
    return vectors.softmax(values);
  }

  @Override
  public TileKernel tile(KvLayout layout, KeyKernel keys, ValueKernel values, int groupHeads) {
    RowFormat format = RowFormat.ofKeys(layout);
    if (keys instanceof MachineKeys && values instanceof MachineValues) {
      try {
        return new MachineTile(format, RowFormat.ofValues(layout), keys, values, groupHeads);
      } catch (IllegalStateException e) {
        inJava(e, format);
      }
    }
    return null;
  }

  /** Some hundred formats fill the memory for code; those that come later do without. */
  private static void inJava(IllegalStateException e, Object what) {
    System.getLogger("io.gatun.attention")
        .log(Level.DEBUG, "no machine code for {0}: {1}", what, e.getMessage());
  }
}
