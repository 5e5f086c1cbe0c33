package io.gatun.tools.safetensors;

import io.gatun.cache.GatunException;
import io.gatun.cache.KvType;
import java.lang.foreign.MemorySegment;
import java.util.Arrays;
import java.util.Locale;
import java.util.stream.Collectors;

/** Element types of the safetensors format. Always little-endian. */
public enum TensorType {
  /** One byte, 0 or 1. */
  BOOL(1),
  /** Unsigned 8-bit integer. */
  U8(1),
  /** Signed 8-bit integer. */
  I8(1),
  /** 8-bit float with 5 bits of exponent. */
  F8_E5M2(1),
  /** 8-bit float with 4 bits of exponent. */
  F8_E4M3(1),
  /** 8-bit power of two, a scale of microscaling formats. */
  F8_E8M0(1),
  /** Signed 16-bit integer. */
  I16(2),
  /** Unsigned 16-bit integer. */
  U16(2),
  /** IEEE 754 binary16. */
  F16(2),
  /** The upper half of a binary32. */
  BF16(2),
  /** Signed 32-bit integer. */
  I32(4),
  /** Unsigned 32-bit integer. */
  U32(4),
  /** IEEE 754 binary32. */
  F32(4),
  /** IEEE 754 binary64. */
  F64(8),
  /** Signed 64-bit integer. */
  I64(8),
  /** Unsigned 64-bit integer. */
  U64(8),
  /**
   * A type that this version does not know, which may stand in a file as long as nobody asks for
   * the tensor: its data is what its offsets span.
   */
  OTHER(0);

  private final int bytes;

  TensorType(int bytes) {
    this.bytes = bytes;
  }

  /** Bytes of one element. */
  public int bytes() {
    return bytes;
  }

  /** Whether Gatun computes with tensors of this type: F32, F16 and BF16. */
  public boolean isWeight() {
    return this == F32 || this == F16 || this == BF16;
  }

  /**
   * Decodes one weight, exactly.
   *
   * @param at its byte offset
   * @throws IllegalStateException if this is not a weight type
   */
  public float value(MemorySegment data, long at) {
    return switch (this) {
      case F32 -> data.get(KvType.LE_FLOAT, at);
      case F16 -> Float.float16ToFloat(data.get(KvType.LE_SHORT, at));
      case BF16 -> Float.intBitsToFloat(data.get(KvType.LE_SHORT, at) << 16);
      default -> throw new IllegalStateException("no weights of type " + this);
    };
  }

  /** The name as users write it: {@code f32}, {@code f16}, {@code bf16}. */
  public String label() {
    return name().toLowerCase(Locale.ROOT);
  }

  /** The weight type with this {@link #label}, in any case. */
  public static TensorType weightOfLabel(String label) {
    for (TensorType type : values()) {
      if (type.isWeight() && type.label().equalsIgnoreCase(label)) {
        return type;
      }
    }
    throw new GatunException(
        "weight type '%s' is not one of %s"
            .formatted(
                label,
                Arrays.stream(values())
                    .filter(TensorType::isWeight)
                    .map(TensorType::label)
                    .collect(Collectors.joining(", "))));
  }
}
