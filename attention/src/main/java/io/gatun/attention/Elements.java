package io.gatun.attention;

import io.gatun.cache.KvType;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;

/** Single stored values. */
final class Elements {
  private Elements() {}

  /** The {@code i}-th value of the row at {@code row}, of a type without scales. */
  static float decode(KvType type, MemorySegment from, long row, int i) {
    return switch (type) {
      case F32 -> from.get(KvType.LE_FLOAT, row + 4L * i);
      case F16 -> Float.float16ToFloat(from.get(KvType.LE_SHORT, row + 2L * i));
      case BF16 -> Float.intBitsToFloat(from.get(KvType.LE_SHORT, row + 2L * i) << 16);
      case Q8, Q4, Q8_PLAIN, Q4_PLAIN ->
          throw new IllegalArgumentException(type.label() + " rows have scales");
    };
  }

  /**
   * The {@code i}-th value of the row at {@code row}, rotated if its type rotates.
   *
   * @param scales where the scales of the row begin, if it has any
   */
  static float decode(RowFormat format, MemorySegment from, long row, long scales, int i) {
    KvType type = format.type();
    if (!type.quantized()) {
      return decode(type, from, row, i);
    }
    int code =
        type.bits() == 8 ? from.get(ValueLayout.JAVA_BYTE, row + i) : code4(format, from, row, i);
    int group = i / KvType.GROUP;
    return code * from.get(KvType.LE_FLOAT, scales + (long) group * KvType.SCALE_BYTES);
  }

  /** A code of 4 bits; {@link KvType} has the diagram. */
  private static int code4(RowFormat format, MemorySegment from, long row, int i) {
    int slot = i % KvType.GROUP;
    int first = i - slot;
    int bytes = format.dim() - first <= KvType.GROUP / 2 ? KvType.GROUP / 4 : KvType.GROUP / 2;
    int pair = from.get(ValueLayout.JAVA_BYTE, row + first / 2 + slot % bytes);
    return (pair >> (slot < bytes ? 0 : 4) & 15) - 8;
  }
}
