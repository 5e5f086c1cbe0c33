package io.gatun.tools.matrix;

import io.gatun.attention.code.Call;
import io.gatun.attention.code.RowsCode;
import java.lang.foreign.MemorySegment;
import java.util.Objects;

/**
 * Rows of one element type in machine code: the same bits as the Vector API's kernel with 16 lanes,
 * which still decodes rows, and takes in those of a width that there is no code for.
 */
final class MachineRows implements RowKernel {
  private static final int LANES = 16;

  /** Bytes of weights of a call, about: no collection can begin meanwhile. */
  private static final long CALL_BYTES = 1 << 18;

  private final WeightType type;
  private final RowKernel inJava;
  private final CodeForWidths<RowsCode> codes;

  /** What a thread calls with. */
  private final ThreadLocal<Call> calls = ThreadLocal.withInitial(Call::new);

  /**
   * A kernel for rows of this type, where {@link MachineBatch#available}.
   *
   * @param inJava the Vector API's
   */
  MachineRows(WeightType type, RowKernel inJava) {
    this.type = type;
    this.inJava = inJava;
    this.codes = new CodeForWidths<>(type, RowsCode::of);
  }

  @Override
  public void multiply(
      MemorySegment weights,
      int cols,
      long from,
      long to,
      MemorySegment x,
      long xAt,
      MemorySegment y,
      long yAt,
      float[] sums) {
    RowsCode code = from < to ? codes.code(cols) : null;
    if (code == null) {
      inJava.multiply(weights, cols, from, to, x, xAt, y, yAt, sums);
      return;
    }
    long rowBytes = type.rowBytes(cols);
    Objects.checkFromToIndex(from, to, weights.byteSize() / rowBytes);
    Objects.checkFromIndexSize(xAt, (long) Float.BYTES * cols, x.byteSize());
    Objects.checkFromIndexSize(yAt, Float.BYTES * (to - from), y.byteSize());
    if (y.isReadOnly()) {
      throw new IllegalArgumentException("results cannot be written: the memory is read-only");
    }
    Call call = calls.get();
    long step = Math.max(RowsCode.ROWS, CALL_BYTES / rowBytes & -RowsCode.ROWS);
    for (long row = from; row < to; row += step) {
      int rows = (int) Math.min(step, to - row);
      long out = yAt + Float.BYTES * (row - from);
      code.run(call, weights, row * rowBytes, rows, to * rowBytes, x, xAt, y, out);
    }
    if (cols % LANES != 0) {
      addLastColumns(weights, cols, from, to, x, xAt, y, yAt);
    }
  }

  /** The columns behind the last whole vector, one after the other. */
  private void addLastColumns(
      MemorySegment weights,
      int cols,
      long from,
      long to,
      MemorySegment x,
      long xAt,
      MemorySegment y,
      long yAt) {
    for (long row = from; row < to; row++) {
      long at = yAt + Float.BYTES * (row - from);
      float dot = y.get(Lanes.FLOAT, at);
      for (int c = cols - cols % LANES; c < cols; c++) {
        float weight = type.value(weights, row * type.rowBytes(cols), cols, c);
        dot = Math.fma(weight, x.get(Lanes.FLOAT, xAt + 4L * c), dot);
      }
      y.set(Lanes.FLOAT, at, dot);
    }
  }

  @Override
  public void widen(
      MemorySegment weights, int cols, long row, int fromCol, int count, float[] out, int outAt) {
    inJava.widen(weights, cols, row, fromCol, count, out, outAt);
  }
}
