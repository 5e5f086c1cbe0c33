package io.gatun.attention;

import io.gatun.attention.code.MachineCode;
import java.lang.foreign.MemorySegment;
import java.util.Objects;

/** Weighted sums in machine code. */
final class MachineValues implements ValueKernel {
  private final int rowBytes;
  private final int lastBytes;
  private final int scaleBytes;
  private final ValueKernel inJava;
  private final MachineCode ofRows;
  private final MachineCode ofOne;

  /**
   * Makes the code, or finds it.
   *
   * @param inJava the same kernel in Java, which finishes the sums
   */
  MachineValues(RowFormat format, ValueKernel inJava) {
    this.rowBytes = format.rowBytes();
    this.lastBytes = format.type().rowBytes(format.dim());
    this.scaleBytes = format.scaleBytes();
    this.inJava = inJava;
    this.ofRows =
        MachineCode.ofValues(format.type(), format.dim(), rowBytes, scaleBytes, Kernels.ROWS);
    this.ofOne = MachineCode.ofValues(format.type(), format.dim(), rowBytes, scaleBytes, 1);
  }

  @Override
  public int stride() {
    return inJava.stride();
  }

  @Override
  public float weightScale() {
    return inJava.weightScale();
  }

  @Override
  public void accumulate(
      MemorySegment values,
      long offset,
      long scaleOffset,
      int tokens,
      Floats weights,
      int weightsAt,
      Floats sums,
      int at,
      int rows,
      RowsAhead ahead) {
    MachineCode code = rows == 1 ? ofOne : ofRows;
    int sumRows = rows == 1 ? 1 : Kernels.ROWS;
    long bytes = (long) (tokens - 1) * rowBytes + lastBytes;
    Objects.checkFromIndexSize(offset, bytes, values.byteSize());
    Objects.checkFromIndexSize(scaleOffset, (long) tokens * scaleBytes, values.byteSize());
    int padded = Math.ceilDiv(tokens, 4) * 4;
    Objects.checkFromIndexSize(weightsAt, padded * Kernels.ROWS, weights.array().length);
    Objects.checkFromIndexSize(at, sumRows * stride(), sums.array().length);
    ReadAhead next = ahead.values();
    for (int done = 0; done < tokens; ) {
      long here = offset + (long) done * rowBytes;
      long from = next.from();
      int count = MachineRows.count(tokens - done, next.rows());
      long first = next.rows() == 0 ? values.address() + here : from;
      code.run(
          values,
          here,
          scaleOffset + (long) done * scaleBytes,
          weights.memory(),
          (long) (weightsAt + done * Kernels.ROWS) * Float.BYTES,
          sums.memory(),
          (long) at * Float.BYTES,
          count,
          first,
          MachineRows.last(first, next.rows(), rowBytes));
      next.take(count);
      done += count;
    }
  }

  @Override
  public void finish(float[] sums, int at, float divisor, MemorySegment to, long offset) {
    inJava.finish(sums, at, divisor, to, offset);
  }
}
