package io.gatun.cache;

import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;
import java.util.Arrays;
import java.util.Locale;
import java.util.stream.Collectors;

/** How one value of a key or value row is stored. Always little-endian. */
public enum KvType {
  /** IEEE 754 binary32. */
  F32(1, 4),
  /** IEEE 754 binary16; finite values up to 65504. */
  F16(2, 2),
  /** The upper half of a binary32: its range with 8 bits of precision. */
  BF16(3, 2);

  /** Layout of a stored binary32. */
  public static final ValueLayout.OfFloat LE_FLOAT =
      ValueLayout.JAVA_FLOAT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);

  /** Layout of a stored binary16 or bfloat16. */
  public static final ValueLayout.OfShort LE_SHORT =
      ValueLayout.JAVA_SHORT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);

  private final int code;
  private final int bytes;

  KvType(int code, int bytes) {
    this.code = code;
    this.bytes = bytes;
  }

  /** The number that stands for this type in files. Never reused for another type. */
  public int code() {
    return code;
  }

  /** Bytes of one row of {@code dim} values. */
  public int rowBytes(int dim) {
    return Math.multiplyExact(dim, bytes);
  }

  /** The name as users write it: {@code f32}, {@code f16}, {@code bf16}. */
  public String label() {
    return name().toLowerCase(Locale.ROOT);
  }

  /** The type with this {@link #code}. */
  public static KvType ofCode(int code) {
    for (KvType type : values()) {
      if (type.code == code) {
        return type;
      }
    }
    throw new GatunException(
        "element type code %d is not one that this version of Gatun knows (%s)"
            .formatted(code, known()));
  }

  /** The type with this {@link #label}, in any case. */
  public static KvType ofLabel(String label) {
    for (KvType type : values()) {
      if (type.label().equalsIgnoreCase(label)) {
        return type;
      }
    }
    throw new GatunException("element type '%s' is not one of %s".formatted(label, known()));
  }

  private static String known() {
    return Arrays.stream(values()).map(KvType::label).collect(Collectors.joining(", "));
  }
}
