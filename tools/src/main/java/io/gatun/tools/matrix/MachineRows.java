package io.gatun.tools.matrix;

import io.gatun.attention.code.Call;
import io.gatun.attention.code.RowsCode;
import io.gatun.cache.KvType;
import java.lang.System.Logger.Level;
import java.lang.foreign.MemorySegment;
import java.util.Arrays;
import java.util.Objects;

/**
 * Rows of one element type in machine code: the same bits as the Vector API's kernel with 16 lanes,
 * which still decodes rows, and takes in those of a width that there is no code for.
 */
final class MachineRows implements RowKernel {
  private static final int LANES = 16;

  /** Bytes of weights of a call, about: no collection can begin meanwhile. */
  private static final long CALL_BYTES = 1 << 18;

  /** Widths that code is made for: models have two or three. Others are left to the Vector API. */
  private static final int MOST_WIDTHS = 64;

  /** Widest rows; the code has distances within 4 rows as numbers of 32 bits. */
  private static final int MOST_COLS = 1 << 24;

  /** The code for rows of one width. */
  private record Width(int cols, RowsCode code) {}

  private final WeightType type;
  private final RowKernel inJava;

  /** Replaced as a whole when a width comes up for the first time. */
  private volatile Width[] widths = {};

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
    RowsCode code = from < to ? code(cols) : null;
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

  /** The code for rows of so many columns; null if there is none. */
  private RowsCode code(int cols) {
    for (Width width : widths) {
      if (width.cols == cols) {
        return width.code;
      }
    }
    return cols < LANES || cols > MOST_COLS ? null : make(cols);
  }

  private synchronized RowsCode make(int cols) {
    Width[] made = widths;
    for (Width width : made) {
      if (width.cols == cols) {
        return width.code;
      }
    }
    if (made.length == MOST_WIDTHS) {
      return null;
    }
    KvType stored =
        switch (type) {
          case F32 -> KvType.F32;
          case F16 -> KvType.F16;
          case BF16 -> KvType.BF16;
          case Q8 -> KvType.Q8;
        };
    int scales = type == WeightType.Q8 ? (int) WeightType.scalesAt(cols) : 0;
    int whole = cols - cols % LANES;
    RowsCode code = null;
    try {
      code = RowsCode.of(new RowsCode.Format(stored, whole, (int) type.rowBytes(cols), scales));
    } catch (IllegalStateException e) {
      // Kernels of many formats have filled the memory for code: this width does without.
      System.getLogger("io.gatun.tools")
          .log(Level.DEBUG, "no machine code for {0} columns: {1}", cols, e.getMessage());
    }
    Width[] more = Arrays.copyOf(made, made.length + 1);
    more[made.length] = new Width(cols, code);
    widths = more;
    return code;
  }

  @Override
  public void widen(
      MemorySegment weights, int cols, long row, int fromCol, int count, float[] out, int outAt) {
    inJava.widen(weights, cols, row, fromCol, count, out, outAt);
  }
}
