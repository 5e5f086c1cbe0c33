package io.gatun.cache;

import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;
import java.util.Arrays;
import java.util.Locale;
import java.util.stream.Collectors;

/**
 * How one value of a key or value row is stored. Always little-endian.
 *
 * <p>The quantised types keep small integer codes in the row and, in a plane of their own, one
 * binary32 scale for each {@link #GROUP} values: value = code x scale. So a value takes 8.5 or 4.5
 * bits, as in llama.cpp's Q8_0 and Q4_0, and the codes stay aligned.
 *
 * <pre>
 *   8 bits   byte i holds code i, -127 to 127; the row is filled up with zeros to 16 bytes
 *
 *   4 bits   group of 64 slots, 32 bytes             last group of at most 32 values, 16 bytes
 *            byte j: slot j      in bits 0 to 3      byte j: slot j      in bits 0 to 3
 *                    slot j + 32 in bits 4 to 7              slot j + 16 in bits 4 to 7
 *            a slot holds code + 8, codes are -8 to 7; slots past the end of the row hold code 0
 * </pre>
 *
 * {@link #Q8} and {@link #Q4} rotate a row by {@link Hadamard} before they quantise it: that spreads
 * a channel of large values, which would otherwise decide the scale of its whole group, over the
 * block. Attention turns its query the same way, and its output back.
 */
public enum KvType {
  /** IEEE 754 binary32. */
  F32(1, 32, false),
  /** IEEE 754 binary16; finite values up to 65504. */
  F16(2, 16, false),
  /** The upper half of a binary32: its range with 8 bits of precision. */
  BF16(3, 16, false),
  /** 8 bits and a scale for each group of {@link #GROUP}, of rotated rows. */
  Q8(4, 8, true),
  /** 4 bits and a scale for each group of {@link #GROUP}, of rotated rows. */
  Q4(5, 4, true),
  /** As {@link #Q8} without the rotation. */
  Q8_PLAIN(6, 8, false),
  /** As {@link #Q4} without the rotation. */
  Q4_PLAIN(7, 4, false);

  /** Values that share one scale in the quantised types. */
  public static final int GROUP = 64;

  /** Bytes of a stored scale. */
  public static final int SCALE_BYTES = Float.BYTES;

  /** Layout of a stored binary32. */
  public static final ValueLayout.OfFloat LE_FLOAT =
      ValueLayout.JAVA_FLOAT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);

  /** Layout of a stored binary16 or bfloat16. */
  public static final ValueLayout.OfShort LE_SHORT =
      ValueLayout.JAVA_SHORT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);

  private final int code;
  private final int bits;
  private final boolean rotated;

  KvType(int code, int bits, boolean rotated) {
    this.code = code;
    this.bits = bits;
    this.rotated = rotated;
  }

  /** The number that stands for this type in files. Never reused for another type. */
  public int code() {
    return code;
  }

  /** Bits of one stored value, its share of the scale not counted: 32, 16, 8 or 4. */
  public int bits() {
    return bits;
  }

  /** Whether rows are codes with a scale for each group. */
  public boolean quantized() {
    return bits < 16;
  }

  /** Whether rows are rotated before they are quantised. */
  public boolean rotated() {
    return rotated;
  }

  /** Width of the blocks in which a row of {@code dim} values is rotated; 1 means not at all. */
  public int rotationBlock(int dim) {
    return rotated ? Hadamard.block(dim) : 1;
  }

  /** Bytes of one row of {@code dim} values, without its scales. */
  public int rowBytes(int dim) {
    return switch (bits) {
      case 8 -> Math.multiplyExact(Math.ceilDiv(dim, 16), 16);
      case 4 -> Math.multiplyExact(Math.ceilDiv(dim, GROUP / 2), GROUP / 4);
      default -> Math.multiplyExact(dim, bits / Byte.SIZE);
    };
  }

  /** Scales of one row of {@code dim} values; 0 for the types without scales. */
  public int scales(int dim) {
    return quantized() ? Math.ceilDiv(dim, GROUP) : 0;
  }

  /** The name as users write it: {@code f32}, {@code bf16}, {@code q8}, {@code q8-plain}. */
  public String label() {
    return name().toLowerCase(Locale.ROOT).replace('_', '-');
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
