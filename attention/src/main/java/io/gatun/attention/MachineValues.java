package io.gatun.attention;

import io.gatun.attention.code.Call;
import io.gatun.attention.code.Call.Field;
import io.gatun.attention.code.Floats;
import io.gatun.attention.code.MachineCode;
import java.lang.foreign.MemorySegment;
import java.util.Objects;

/** Weighted sums in machine code. */
final class MachineValues implements ValueKernel {
  /** Tokens of a vector of scores. */
  private static final int TOKENS = MachineCode.LANES / Kernels.ROWS;

  private final RowFormat format;
  private final ValueKernel inJava;
  private final MachineCode ofRows;
  private final MachineCode ofOne;

  /**
   * Makes the code, or finds it.
   *
   * @param inJava the same kernel in Java, which finishes the sums
   */
  MachineValues(RowFormat format, ValueKernel inJava) {
    this.format = format;
    this.inJava = inJava;
    this.ofRows = MachineCode.ofValues(format.code(), Kernels.ROWS);
    this.ofOne = MachineCode.ofValues(format.code(), 1);
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
    format.check(values, offset, scaleOffset, tokens);
    int padded = Math.ceilDiv(tokens, TOKENS) * TOKENS;
    Objects.checkFromIndexSize(weightsAt, padded * Kernels.ROWS, weights.array().length);
    Objects.checkFromIndexSize(at, sumRows * stride(), sums.array().length);
    Call call = ahead.call();
    call.set(Field.TOKENS, tokens);
    call.set(Field.VALUE, offset);
    call.set(Field.VALUE_SCALES, scaleOffset);
    call.set(Field.SCORES, (long) weightsAt * Float.BYTES);
    call.set(Field.SUMS, (long) at * Float.BYTES);
    ahead.askForValues(tokens, values.address() + offset);
    code.run(call, values, values, sums.memory(), weights.memory(), sums.memory(), sums.memory());
  }

  @Override
  public void finish(float[] sums, int at, float divisor, MemorySegment to, long offset) {
    inJava.finish(sums, at, divisor, to, offset);
  }
}
