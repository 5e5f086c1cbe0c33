package io.gatun.cache;

import java.lang.foreign.MemorySegment;
import java.util.Objects;

/** Decodes single rows of a view, for tests, exports and inspection; attention does not use it. */
public final class RowReader {
  private RowReader() {}

  /**
   * Decodes one key row into {@code row[0 .. keyDim)}.
   *
   * @throws IndexOutOfBoundsException if layer, head or token is not in the view
   */
  public static void key(KvView view, int layer, int kvHead, long token, float[] row) {
    KvLayout layout = view.layout();
    int run = run(view, layer, kvHead, token);
    long offset = layout.keyOffset(layer, kvHead, (int) (token - view.runStart(run)));
    decode(layout.keyType(), view.keys(run), offset, row, layout.shape().keyDim());
  }

  /**
   * Decodes one value row into {@code row[0 .. valueDim)}.
   *
   * @throws IndexOutOfBoundsException if layer, head or token is not in the view
   */
  public static void value(KvView view, int layer, int kvHead, long token, float[] row) {
    KvLayout layout = view.layout();
    int run = run(view, layer, kvHead, token);
    long offset = layout.valueOffset(layer, kvHead, (int) (token - view.runStart(run)));
    decode(layout.valueType(), view.values(run), offset, row, layout.shape().valueDim());
  }

  private static int run(KvView view, int layer, int kvHead, long token) {
    KvShape shape = view.layout().shape();
    Objects.checkIndex(layer, shape.layers());
    Objects.checkIndex(kvHead, shape.kvHeads());
    Objects.checkIndex(token, view.length(layer));
    return view.runAt(token);
  }

  /** Decodes {@code dim} stored values at {@code offset} into the front of {@code row}. */
  static void decode(KvType type, MemorySegment from, long offset, float[] row, int dim) {
    for (int i = 0; i < dim; i++) {
      row[i] =
          switch (type) {
            case F32 -> from.get(KvType.LE_FLOAT, offset + 4L * i);
            case F16 -> Float.float16ToFloat(from.get(KvType.LE_SHORT, offset + 2L * i));
            case BF16 -> Float.intBitsToFloat(from.get(KvType.LE_SHORT, offset + 2L * i) << 16);
          };
    }
  }
}
