package io.gatun.attention;

import io.gatun.cache.KvType;
import java.lang.foreign.MemorySegment;

/** Single stored values. */
final class Elements {
  private Elements() {}

  /** The {@code i}-th value of the row at {@code row}. */
  static float decode(KvType type, MemorySegment from, long row, int i) {
    return switch (type) {
      case F32 -> from.get(KvType.LE_FLOAT, row + 4L * i);
      case F16 -> Float.float16ToFloat(from.get(KvType.LE_SHORT, row + 2L * i));
      case BF16 -> Float.intBitsToFloat(from.get(KvType.LE_SHORT, row + 2L * i) << 16);
      case Q8, Q4, Q8_PLAIN, Q4_PLAIN -> throw noKernel(type);
    };
  }

  /** The refusal of a type that the cache stores and attention does not read yet. */
  static IllegalArgumentException noKernel(KvType type) {
    return new IllegalArgumentException(
        "attention has no kernel for %s yet; take f32, f16 or bf16".formatted(type.label()));
  }
}
