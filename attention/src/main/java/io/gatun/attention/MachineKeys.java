package io.gatun.attention;

import io.gatun.attention.code.Call;
import io.gatun.attention.code.Call.Field;
import io.gatun.attention.code.Floats;
import io.gatun.attention.code.MachineCode;
import java.lang.foreign.MemorySegment;
import java.util.Objects;

/** Scores in machine code. */
final class MachineKeys implements KeyKernel {
  /** Tokens of a vector of scores. */
  private static final int TOKENS = MachineCode.LANES / Kernels.ROWS;

  private final RowFormat format;
  private final KeyKernel inJava;
  private final MachineCode ofRows;
  private final MachineCode ofOne;

  /**
   * Makes the code, or finds it.
   *
   * @param inJava the same kernel in Java, which prepares the queries
   */
  MachineKeys(RowFormat format, KeyKernel inJava) {
    this.format = format;
    this.inJava = inJava;
    this.ofRows = MachineCode.ofKeys(format.code(), Kernels.ROWS);
    this.ofOne = MachineCode.ofKeys(format.code(), 1);
  }

  @Override
  public int stride() {
    return inJava.stride();
  }

  @Override
  public void prepare(MemorySegment from, long offset, float[] to, int at) {
    inJava.prepare(from, offset, to, at);
  }

  @Override
  public void scores(
      MemorySegment keys,
      long offset,
      long scaleOffset,
      int tokens,
      Floats q,
      int qAt,
      int rows,
      Floats scores,
      int at,
      RowsAhead ahead) {
    MachineCode code = rows == 1 ? ofOne : ofRows;
    int queryRows = rows == 1 ? 1 : Kernels.ROWS;
    format.check(keys, offset, scaleOffset, tokens);
    Objects.checkFromIndexSize(qAt, queryRows * stride(), q.array().length);
    int padded = Math.ceilDiv(tokens, TOKENS) * TOKENS;
    Objects.checkFromIndexSize(at, padded * Kernels.ROWS, scores.array().length);
    Call call = ahead.call();
    call.set(Field.TOKENS, tokens);
    call.set(Field.KEY, offset);
    call.set(Field.KEY_SCALES, scaleOffset);
    call.set(Field.QUERY, (long) qAt * Float.BYTES);
    call.set(Field.SCORES, (long) at * Float.BYTES);
    ahead.askForKeys(tokens, keys.address() + offset);
    code.run(call, keys, keys, q.memory(), scores.memory(), scores.memory(), scores.memory());
  }
}
