package io.gatun.cache;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.Objects;

/** Decodes single rows of a view, for tests, exports and inspection; attention does not use it. */
public final class RowReader {
  private RowReader() {}

  /**
   * Decodes one key row into {@code row[0 .. keyDim)}, turned back where its type rotates.
   *
   * @throws IndexOutOfBoundsException if layer, head or token is not in the view
   */
  public static void key(KvView view, int layer, int kvHead, long token, float[] row) {
    storedKey(view, layer, kvHead, token, row);
    KvLayout layout = view.layout();
    Hadamard.rotate(row, 0, layout.shape().keyDim(), layout.keyRotation());
  }

  /**
   * Decodes one value row into {@code row[0 .. valueDim)}, turned back where its type rotates.
   *
   * @throws IndexOutOfBoundsException if layer, head or token is not in the view
   */
  public static void value(KvView view, int layer, int kvHead, long token, float[] row) {
    storedValue(view, layer, kvHead, token, row);
    KvLayout layout = view.layout();
    Hadamard.rotate(row, 0, layout.shape().valueDim(), layout.valueRotation());
  }

  /**
   * Decodes one key row as it is stored: as {@link #key}, but rotated where its type rotates.
   *
   * @throws IndexOutOfBoundsException if layer, head or token is not in the view
   */
  public static void storedKey(KvView view, int layer, int kvHead, long token, float[] row) {
    KvLayout layout = view.layout();
    int run = run(view, layer, kvHead, token);
    int inRun = (int) (token - view.runStart(run));
    decode(
        layout.keyType(),
        view.keys(run),
        layout.keyOffset(layer, kvHead, inRun),
        layout.keyScaleOffset(layer, kvHead, inRun),
        row,
        layout.shape().keyDim());
  }

  /**
   * Decodes one value row as it is stored: as {@link #value}, but rotated where its type rotates.
   *
   * @throws IndexOutOfBoundsException if layer, head or token is not in the view
   */
  public static void storedValue(KvView view, int layer, int kvHead, long token, float[] row) {
    KvLayout layout = view.layout();
    int run = run(view, layer, kvHead, token);
    int inRun = (int) (token - view.runStart(run));
    decode(
        layout.valueType(),
        view.values(run),
        layout.valueOffset(layer, kvHead, inRun),
        layout.valueScaleOffset(layer, kvHead, inRun),
        row,
        layout.shape().valueDim());
  }

  private static int run(KvView view, int layer, int kvHead, long token) {
    KvShape shape = view.layout().shape();
    Objects.checkIndex(layer, shape.layers());
    Objects.checkIndex(kvHead, shape.kvHeads());
    Objects.checkIndex(token, view.length(layer));
    return view.runAt(token);
  }

  private static void decode(
      KvType type, MemorySegment from, long offset, long scaleOffset, float[] row, int dim) {
    for (int i = 0; i < dim; i++) {
      row[i] =
          switch (type) {
            case F32 -> from.get(KvType.LE_FLOAT, offset + 4L * i);
            case F16 -> Float.float16ToFloat(from.get(KvType.LE_SHORT, offset + 2L * i));
            case BF16 -> Float.intBitsToFloat(from.get(KvType.LE_SHORT, offset + 2L * i) << 16);
            case Q8, Q8_PLAIN ->
                from.get(ValueLayout.JAVA_BYTE, offset + i) * scale(from, scaleOffset, i);
            case Q4, Q4_PLAIN -> code4(from, offset, i, dim) * scale(from, scaleOffset, i);
          };
    }
  }

  private static float scale(MemorySegment from, long scaleOffset, int i) {
    return from.get(KvType.LE_FLOAT, scaleOffset + (long) i / KvType.GROUP * KvType.SCALE_BYTES);
  }

  /** The {@code i}-th code of a row of {@code dim}; see the diagram of {@link KvType}. */
  private static int code4(MemorySegment from, long offset, int i, int dim) {
    int group = i / KvType.GROUP;
    int slot = i % KvType.GROUP;
    int bytes =
        dim - group * KvType.GROUP <= KvType.GROUP / 2 ? KvType.GROUP / 4 : KvType.GROUP / 2;
    int pair = from.get(ValueLayout.JAVA_BYTE, offset + group * (KvType.GROUP / 2) + slot % bytes);
    return (slot < bytes ? pair & 15 : pair >> 4 & 15) - 8;
  }
}
