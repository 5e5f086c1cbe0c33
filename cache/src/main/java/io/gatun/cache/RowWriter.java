package io.gatun.cache;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;

/** Checks f32 rows and encodes them into a block. One thread at a time. */
final class RowWriter {
  /** Rows come as the machine's own floats. */
  private static final ValueLayout.OfFloat FLOAT = ValueLayout.JAVA_FLOAT_UNALIGNED;

  private static final ValueLayout.OfInt FLOAT_BITS = ValueLayout.JAVA_INT_UNALIGNED;

  /** Values that are checked at a time. */
  private static final int CHUNK = 1024;

  private final KvLayout layout;
  private final KvShape shape;
  private final int[] chunk = new int[CHUNK];
  private final RowEncoder keyEncoder;
  private final RowEncoder valueEncoder;

  RowWriter(KvLayout layout) {
    this(layout, RowMath.best());
  }

  RowWriter(KvLayout layout, RowMath math) {
    this.layout = layout;
    this.shape = layout.shape();
    this.keyEncoder = new RowEncoder(math, layout.keyType(), shape.keyDim(), layout.keyRotation());
    this.valueEncoder =
        new RowEncoder(math, layout.valueType(), shape.valueDim(), layout.valueRotation());
  }

  /**
   * Refuses rows that cannot be stored, before any is.
   *
   * @param keys {@code [tokens][kvHeads][keyDim]}
   * @param values {@code [tokens][kvHeads][valueDim]}
   * @param start position of the first token, for the message
   */
  void check(int layer, long start, MemorySegment keys, MemorySegment values, int tokens) {
    check("key", layout.keyType(), layer, start, keys, shape.keyDim(), tokens);
    if (!shape.valuesInKeys()) {
      check("value", layout.valueType(), layer, start, values, shape.valueDim(), tokens);
    }
  }

  private void check(
      String what, KvType type, int layer, long start, MemorySegment rows, int dim, int tokens) {
    long count = Math.multiplyExact((long) tokens * shape.kvHeads(), dim);
    if (rows.byteSize() < count * Float.BYTES) {
      throw new IllegalArgumentException(
          "%s rows of %d tokens x %d KV heads x %d dims take %d bytes, the segment has %d"
              .formatted(what, tokens, shape.kvHeads(), dim, count * Float.BYTES, rows.byteSize()));
    }
    int limit = magnitudeLimit(type);
    int largest = 0;
    for (long from = 0; from < count; from += CHUNK) {
      int some = (int) Math.min(CHUNK, count - from);
      MemorySegment.copy(rows, FLOAT_BITS, from * Float.BYTES, chunk, 0, some);
      largest = Math.max(largest, largestMagnitude(chunk, some));
    }
    if (largest >= limit) {
      throw refused(what, type, layer, start, rows, dim, limit);
    }
  }

  private static int largestMagnitude(int[] bits, int count) {
    int largest = 0;
    for (int i = 0; i < count; i++) {
      largest = Math.max(largest, bits[i] & 0x7fff_ffff);
    }
    return largest;
  }

  private GatunException refused(
      String what, KvType type, int layer, long start, MemorySegment rows, int dim, int limit) {
    long i = 0;
    while ((rows.get(FLOAT_BITS, i * Float.BYTES) & 0x7fff_ffff) < limit) {
      i++;
    }
    float value = rows.get(FLOAT, i * Float.BYTES);
    long row = i / dim;
    String why =
        Float.isFinite(value)
            ? "too large for %s (largest finite value %s); use a wider element type"
                .formatted(type.label(), largestFinite(type))
            : "not finite";
    return new GatunException(
        "%s value %s is %s: layer %d, KV head %d, token %d, dim %d"
            .formatted(
                what,
                value,
                why,
                layer,
                row % shape.kvHeads(),
                start + row / shape.kvHeads(),
                i % dim));
  }

  /** Float bits, without the sign, from which on a value does not round to a finite one. */
  private static int magnitudeLimit(KvType type) {
    return switch (type) {
      case F32 -> 0x7f80_0000;
      case F16 -> 0x477f_f000;
      case BF16 -> 0x7f7f_8000;
      // 2^112: sums and squares within a rotation cannot overflow, on the way in or out.
      case Q8, Q4, Q8_PLAIN, Q4_PLAIN -> 0x7780_0000;
    };
  }

  private static float largestFinite(KvType type) {
    return switch (type) {
      case F32 -> Float.MAX_VALUE;
      case F16 -> 65504f;
      case BF16 -> Float.intBitsToFloat(0x7f7f_0000);
      case Q8, Q4, Q8_PLAIN, Q4_PLAIN -> 0x0.ffffffp112f;
    };
  }

  /**
   * Writes checked rows.
   *
   * @param row first row of the block to write
   * @param token first token of {@code keys} and {@code values} to take
   */
  void write(
      KvBlock block,
      int layer,
      int row,
      MemorySegment keys,
      MemorySegment values,
      int token,
      int tokens) {
    int heads = shape.kvHeads();
    for (int t = 0; t < tokens; t++) {
      for (int head = 0; head < heads; head++) {
        long from = (long) (token + t) * heads + head;
        keyEncoder.encode(
            keys,
            from * shape.keyDim() * Float.BYTES,
            block.keys(),
            layout.keyOffset(layer, head, row + t),
            layout.keyScaleOffset(layer, head, row + t));
        if (!shape.valuesInKeys()) {
          valueEncoder.encode(
              values,
              from * shape.valueDim() * Float.BYTES,
              block.values(),
              layout.valueOffset(layer, head, row + t),
              layout.valueScaleOffset(layer, head, row + t));
        }
      }
    }
  }
}
