package io.gatun.cache;

import static io.gatun.cache.KvType.GROUP;
import static io.gatun.cache.KvType.LE_FLOAT;
import static io.gatun.cache.KvType.LE_SHORT;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;

/**
 * Encodes f32 rows of one type and width, rounding to nearest, ties to even. A row is copied to
 * small arrays of this object, worked on there by loops that become vector instructions, and copied
 * to the block; nothing is allocated. One thread at a time.
 */
final class RowEncoder {
  /** Rows come as the machine's own floats. */
  private static final ValueLayout.OfFloat FLOAT = ValueLayout.JAVA_FLOAT_UNALIGNED;

  private final RowMath math;
  private final KvType type;
  private final int dim;
  private final int rotation;
  private final int scales;

  /** A row, with zeros up to a whole group behind it. */
  private final float[] values;

  private final float[] errors = new float[Quantizer.ERROR_LANES];

  /** The row as it is stored: 16-bit types. */
  private final short[] shorts;

  /** The row as it is stored: quantised types. */
  private final byte[] packed;

  /**
   * An encoder for rows of {@code dim} values.
   *
   * @param rotation width of the blocks in which rows are turned
   */
  RowEncoder(RowMath math, KvType type, int dim, int rotation) {
    this.math = math;
    this.type = type;
    this.dim = dim;
    this.rotation = rotation;
    this.scales = type.scales(dim);
    this.values = new float[Math.ceilDiv(dim, GROUP) * GROUP];
    this.shorts = new short[values.length];
    this.packed = new byte[values.length + RowMath.SPILL];
  }

  /**
   * Encodes one checked row.
   *
   * @param scaleOffset where its scales go; ignored if the type has none
   */
  void encode(
      MemorySegment from, long fromOffset, MemorySegment to, long toOffset, long scaleOffset) {
    switch (type) {
      case F32 -> MemorySegment.copy(from, FLOAT, fromOffset, to, LE_FLOAT, toOffset, dim);
      case F16 -> {
        MemorySegment.copy(from, FLOAT, fromOffset, values, 0, dim);
        for (int i = 0; i < dim; i++) {
          shorts[i] = Float.floatToFloat16(values[i]);
        }
        MemorySegment.copy(shorts, 0, to, LE_SHORT, toOffset, dim);
      }
      case BF16 -> {
        MemorySegment.copy(from, FLOAT, fromOffset, values, 0, dim);
        math.bfloat16(values, dim, shorts);
        MemorySegment.copy(shorts, 0, to, LE_SHORT, toOffset, dim);
      }
      case Q8, Q4, Q8_PLAIN, Q4_PLAIN -> {
        MemorySegment.copy(from, FLOAT, fromOffset, values, 0, dim);
        if (rotation > 1) {
          math.rotate(values, 0, dim, rotation);
        }
        quantize(to, scaleOffset);
        MemorySegment.copy(packed, 0, to, ValueLayout.JAVA_BYTE, toOffset, type.rowBytes(dim));
      }
    }
  }

  private void quantize(MemorySegment to, long scaleOffset) {
    for (int group = 0; group < scales; group++) {
      int at = group * GROUP;
      float scale;
      if (type.bits() == 8) {
        scale = math.group8(values, at, packed, at);
      } else {
        int bytes = dim - at <= GROUP / 2 ? GROUP / 4 : GROUP / 2;
        scale = math.group4(values, at, packed, at / 2, bytes, errors);
      }
      to.set(LE_FLOAT, scaleOffset + (long) group * KvType.SCALE_BYTES, scale);
    }
  }
}
