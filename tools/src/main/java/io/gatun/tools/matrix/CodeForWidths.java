package io.gatun.tools.matrix;

import io.gatun.attention.code.StoredRows;
import io.gatun.cache.KvType;
import java.lang.System.Logger.Level;
import java.util.ArrayList;
import java.util.List;
import java.util.function.Function;

/**
 * Machine code for rows of one element type, made when a width comes up for the first time.
 *
 * <p>Thread rules: any thread.
 *
 * @param <C> what the code is
 */
final class CodeForWidths<C> {
  private static final int LANES = 16;

  /** Widths that code is made for: models have two or three. Others have to do without. */
  private static final int MOST_WIDTHS = 64;

  /** Widest rows; the code has distances within 16 rows as numbers of 32 bits. */
  private static final int MOST_COLS = 1 << 24;

  /** The code for rows of one width; null if there is none. */
  private record Width<C>(int cols, C code) {}

  private final WeightType type;
  private final Function<StoredRows, C> maker;

  /** Replaced as a whole when another width comes up. */
  private volatile List<Width<C>> widths = List.of();

  /**
   * Code that a maker makes.
   *
   * @param maker throws an IllegalStateException if there is no code to be had
   */
  CodeForWidths(WeightType type, Function<StoredRows, C> maker) {
    this.type = type;
    this.maker = maker;
  }

  /** The code for the whole vectors of rows of so many columns; null if there is none. */
  C code(int cols) {
    if (cols < LANES || cols > MOST_COLS) {
      return null;
    }
    Width<C> width = find(cols);
    return width == null ? make(cols) : width.code;
  }

  private Width<C> find(int cols) {
    List<Width<C>> made = widths;
    for (int i = 0; i < made.size(); i++) {
      if (made.get(i).cols == cols) {
        return made.get(i);
      }
    }
    return null;
  }

  private synchronized C make(int cols) {
    Width<C> width = find(cols);
    if (width != null) {
      return width.code;
    }
    if (widths.size() == MOST_WIDTHS) {
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
    C code = null;
    try {
      code = maker.apply(new StoredRows(stored, whole, (int) type.rowBytes(cols), scales));
    } catch (IllegalStateException e) {
      // Kernels of many formats have filled the memory for code: this width does without.
      System.getLogger("io.gatun.tools")
          .log(Level.DEBUG, "no machine code for {0} columns: {1}", cols, e.getMessage());
    }
    List<Width<C>> more = new ArrayList<>(widths);
    more.add(new Width<>(cols, code));
    widths = List.copyOf(more);
    return code;
  }
}
