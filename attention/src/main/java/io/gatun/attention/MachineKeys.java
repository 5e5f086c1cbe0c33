package io.gatun.attention;

import io.gatun.attention.code.MachineCode;
import java.lang.foreign.MemorySegment;
import java.util.Objects;

/** Scores in machine code. */
final class MachineKeys implements KeyKernel {
  private final int rowBytes;
  private final int lastBytes;
  private final int scaleBytes;
  private final KeyKernel inJava;
  private final MachineCode ofRows;
  private final MachineCode ofOne;

  /**
   * Makes the code, or finds it.
   *
   * @param inJava the same kernel in Java, which prepares the queries
   */
  MachineKeys(RowFormat format, KeyKernel inJava) {
    this.rowBytes = format.rowBytes();
    this.lastBytes = format.type().rowBytes(format.dim());
    this.scaleBytes = format.scaleBytes();
    this.inJava = inJava;
    this.ofRows =
        MachineCode.ofKeys(format.type(), format.dim(), rowBytes, scaleBytes, Kernels.ROWS);
    this.ofOne = MachineCode.ofKeys(format.type(), format.dim(), rowBytes, scaleBytes, 1);
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
    long bytes = (long) (tokens - 1) * rowBytes + lastBytes;
    Objects.checkFromIndexSize(offset, bytes, keys.byteSize());
    Objects.checkFromIndexSize(scaleOffset, (long) tokens * scaleBytes, keys.byteSize());
    Objects.checkFromIndexSize(qAt, queryRows * stride(), q.array().length);
    int padded = Math.ceilDiv(tokens, 4) * 4;
    Objects.checkFromIndexSize(at, padded * Kernels.ROWS, scores.array().length);
    ReadAhead next = ahead.keys();
    for (int done = 0; done < tokens; ) {
      long here = offset + (long) done * rowBytes;
      long from = next.from();
      int count = MachineRows.count(tokens - done, next.rows());
      long first = next.rows() == 0 ? keys.address() + here : from;
      code.run(
          keys,
          here,
          scaleOffset + (long) done * scaleBytes,
          q.memory(),
          (long) qAt * Float.BYTES,
          scores.memory(),
          (long) (at + done * Kernels.ROWS) * Float.BYTES,
          count,
          first,
          MachineRows.last(first, next.rows(), rowBytes));
      next.take(count);
      done += count;
    }
  }
}
