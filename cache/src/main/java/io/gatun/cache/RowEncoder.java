package io.gatun.cache;

import static io.gatun.cache.KvType.GROUP;
import static io.gatun.cache.KvType.LE_FLOAT;
import static io.gatun.cache.KvType.LE_SHORT;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;

/** Encodes f32 rows of one type and width. It owns scratch memory: one thread at a time. */
final class RowEncoder {
  /** Rows come as the machine's own floats. */
  private static final ValueLayout.OfFloat FLOAT = ValueLayout.JAVA_FLOAT_UNALIGNED;

  private static final ValueLayout.OfInt FLOAT_BITS = ValueLayout.JAVA_INT_UNALIGNED;

  private final KvType type;
  private final int dim;
  private final int rotation;
  private final int scales;

  /** The row, turned, with zeros up to a whole group behind it. */
  private final float[] values;

  /** One group. */
  private final int[] codes = new int[GROUP];

  private final float[] errors = new float[Quantizer.ERROR_LANES];

  /** The row as it is stored. */
  private final byte[] packed;

  /**
   * An encoder for rows of {@code dim} values.
   *
   * @param rotation width of the blocks in which rows are turned
   */
  RowEncoder(KvType type, int dim, int rotation) {
    this.type = type;
    this.dim = dim;
    this.rotation = rotation;
    this.scales = type.scales(dim);
    this.values = new float[scales * GROUP];
    // Room for a whole last group, of which the row may take half.
    this.packed = new byte[scales * GROUP];
  }

  /**
   * Encodes one checked row.
   *
   * @param scaleOffset where its scales go; ignored if the type has none
   */
  void encode(
      MemorySegment from, long fromOffset, MemorySegment to, long toOffset, long scaleOffset) {
    switch (type) {
      case F32 -> {
        for (long i = 0; i < dim; i++) {
          to.set(LE_FLOAT, toOffset + 4 * i, from.get(FLOAT, fromOffset + 4 * i));
        }
      }
      case F16 -> {
        for (long i = 0; i < dim; i++) {
          short half = Float.floatToFloat16(from.get(FLOAT, fromOffset + 4 * i));
          to.set(LE_SHORT, toOffset + 2 * i, half);
        }
      }
      case BF16 -> {
        for (long i = 0; i < dim; i++) {
          int bits = from.get(FLOAT_BITS, fromOffset + 4 * i);
          // Half of the last kept bit, less one where that bit is 0: ties go to even.
          int rounded = bits + 0x7fff + ((bits >>> 16) & 1);
          to.set(LE_SHORT, toOffset + 2 * i, (short) (rounded >>> 16));
        }
      }
      case Q8, Q4, Q8_PLAIN, Q4_PLAIN -> {
        MemorySegment.copy(from, FLOAT, fromOffset, values, 0, dim);
        Hadamard.rotate(values, 0, dim, rotation);
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
        scale = Quantizer.group8(values, at, codes);
        for (int i = 0; i < GROUP; i++) {
          packed[at + i] = (byte) codes[i];
        }
      } else {
        scale = Quantizer.group4(values, at, codes, errors);
        pack4(at / 2, dim - at <= GROUP / 2 ? GROUP / 4 : GROUP / 2);
      }
      to.set(LE_FLOAT, scaleOffset + (long) group * KvType.SCALE_BYTES, scale);
    }
  }

  /** Puts slots j and j + {@code bytes} into byte j. */
  private void pack4(int at, int bytes) {
    for (int j = 0; j < bytes; j++) {
      packed[at + j] = (byte) ((codes[j] + 8) | (codes[j + bytes] + 8) << 4);
    }
  }
}
