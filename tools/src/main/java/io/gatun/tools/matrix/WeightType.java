package io.gatun.tools.matrix;

import io.gatun.cache.KvType;
import io.gatun.tools.safetensors.TensorType;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.Locale;

/**
 * Forms of a weight matrix's rows. Those of F32, F16 and BF16 are plain elements one after the other.
 * A row of {@link #Q8} is one stretch of memory, read front to back:
 *
 * <pre>
 *   0          cols              c4                  c4 + 4 g            a multiple of 64
 *   | i8 [cols] | to a multiple   | f32 [g]           | zeros             |
 *   |           | of 4: zeros     | g = ceil(cols/64) |                   |
 * </pre>
 *
 * Weight {@code c} is the f32 product {@code i8[c] * f32[c / 64]}, rounded once: every kernel
 * computes with that value. Little-endian.
 */
public enum WeightType {
  /** IEEE 754 binary32. */
  F32,
  /** IEEE 754 binary16, finite values only. */
  F16,
  /** The upper half of a binary32. */
  BF16,
  /** 8-bit integers with a binary32 scale for each {@link #GROUP} columns. */
  Q8;

  /** Columns of a row that share a scale. */
  public static final int GROUP = 64;

  private static final int ROW_ALIGNMENT = 64;

  /** The form in which a checkpoint holds tensors of this type. */
  public static WeightType of(TensorType type) {
    return switch (type) {
      case F32 -> F32;
      case F16 -> F16;
      case BF16 -> BF16;
      default -> throw new IllegalArgumentException("no weights of type " + type);
    };
  }

  /** Bytes from one row to the next. */
  public long rowBytes(int cols) {
    return switch (this) {
      case F32 -> 4L * cols;
      case F16, BF16 -> 2L * cols;
      case Q8 -> {
        long bytes = scalesAt(cols) + 4L * Math.ceilDiv(cols, GROUP);
        yield Math.ceilDiv(bytes, (long) ROW_ALIGNMENT) * ROW_ALIGNMENT;
      }
    };
  }

  /** Offset of the scales in a row of {@link #Q8}. */
  static long scalesAt(int cols) {
    return 4L * Math.ceilDiv(cols, 4);
  }

  /**
   * Decodes one weight.
   *
   * @param row byte offset of its row, which has {@code cols} columns
   */
  float value(MemorySegment data, long row, int cols, int col) {
    return switch (this) {
      case F32 -> TensorType.F32.value(data, row + 4L * col);
      case F16 -> TensorType.F16.value(data, row + 2L * col);
      case BF16 -> TensorType.BF16.value(data, row + 2L * col);
      case Q8 -> {
        float scale = data.get(KvType.LE_FLOAT, row + scalesAt(cols) + 4L * (col / GROUP));
        yield data.get(ValueLayout.JAVA_BYTE, row + col) * scale;
      }
    };
  }

  /** The name as users write it: {@code f32}, {@code f16}, {@code bf16}, {@code q8}. */
  public String label() {
    return name().toLowerCase(Locale.ROOT);
  }
}
