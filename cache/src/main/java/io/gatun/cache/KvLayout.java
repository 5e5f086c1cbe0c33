package io.gatun.cache;

import java.util.Objects;

/**
 * Where each row of a block lies. All offset arithmetic of Gatun stands here, in {@code long}.
 *
 * <p>A block holds {@code blockTokens} tokens in two segments, keys and values:
 *
 * <pre>
 *   keys    [layer][kvHead][token][keyDim]         values  [layer][kvHead][token][valueDim]
 *
 *   run(layer 0, head 0)  run(layer 0, head 1) ...  run(layer 1, head 0) ...
 *   |row 0|row 1|...|pad| |row 0|row 1|...|pad|     |row 0|row 1|...|pad|
 *   ^ 64-byte aligned     ^ 64-byte aligned         ^ 64-byte aligned
 * </pre>
 *
 * The rows of one layer and head, a <em>run</em>, are contiguous; the pad, if any, brings the next
 * run to 64 bytes. Behind the rows of a quantised type lie their scales, in runs of the same order:
 *
 * <pre>
 *   [layer][kvHead][token][scales of a row]        |4 bytes a scale|...|pad|
 *                                                  ^ 64-byte aligned
 * </pre>
 *
 * Segment sizes are rounded up to whole pages. Where values lie in the keys, the value rows are the
 * fronts of the key rows, and their scales those of the key rows: same offsets, same strides.
 */
public final class KvLayout {
  /** Runs begin at multiples of this, so that a vector load never splits a cache line needlessly. */
  public static final long RUN_ALIGNMENT = 64;

  /** Segments begin and end at multiples of this. */
  public static final long PAGE = 4096;

  /** Tokens of a block unless said otherwise. */
  public static final int DEFAULT_BLOCK_TOKENS = 1024;

  /** Smallest and largest block. */
  public static final int MIN_BLOCK_TOKENS = 16;

  /** Largest block. */
  public static final int MAX_BLOCK_TOKENS = 1 << 20;

  private final KvShape shape;
  private final KvType keyType;
  private final KvType valueType;
  private final int blockTokens;
  private final int keyRowBytes;
  private final int valueRowBytes;
  private final long keyRunBytes;
  private final long valueRunBytes;
  private final int keyRotation;
  private final int valueRotation;
  private final int keyScaleBytes;
  private final int valueScaleBytes;
  private final long keyScaleRunBytes;
  private final long valueScaleRunBytes;
  private final long keyScalesAt;
  private final long valueScalesAt;
  private final long keysBytes;
  private final long valuesBytes;

  /**
   * The layout of a block.
   *
   * @param blockTokens tokens of a block, a power of two from 16 to 2^20
   * @throws IllegalArgumentException if a number is out of range, a segment would pass 2^63 bytes,
   *     or the values lie in the keys and the types differ or the values end inside a group or a
   *     rotated block of a quantised type
   */
  public KvLayout(KvShape shape, KvType keyType, KvType valueType, int blockTokens) {
    this.shape = Objects.requireNonNull(shape, "shape");
    this.keyType = Objects.requireNonNull(keyType, "keyType");
    this.valueType = Objects.requireNonNull(valueType, "valueType");
    if (Integer.bitCount(blockTokens) != 1
        || blockTokens < MIN_BLOCK_TOKENS
        || blockTokens > MAX_BLOCK_TOKENS) {
      throw new IllegalArgumentException(
          "blockTokens is %d, not a power of two from %d to %d"
              .formatted(blockTokens, MIN_BLOCK_TOKENS, MAX_BLOCK_TOKENS));
    }
    if (shape.valuesInKeys() && keyType != valueType) {
      throw new IllegalArgumentException(
          "keys are %s and values %s, but the values lie in the keys"
              .formatted(keyType.label(), valueType.label()));
    }
    if (shape.valuesInKeys()) {
      checkValuesInKeys(shape, keyType);
    }
    this.blockTokens = blockTokens;
    // Values in the keys are cut out of rows of the keys' width.
    int valueWidth = shape.valuesInKeys() ? shape.keyDim() : shape.valueDim();
    this.keyRowBytes = keyType.rowBytes(shape.keyDim());
    this.valueRowBytes = valueType.rowBytes(valueWidth);
    this.keyScaleBytes = keyType.scales(shape.keyDim()) * KvType.SCALE_BYTES;
    this.valueScaleBytes = valueType.scales(valueWidth) * KvType.SCALE_BYTES;
    this.keyRotation = keyType.rotationBlock(shape.keyDim());
    this.valueRotation = valueType.rotationBlock(valueWidth);
    this.keyRunBytes = roundUp((long) blockTokens * keyRowBytes, RUN_ALIGNMENT);
    this.valueRunBytes = roundUp((long) blockTokens * valueRowBytes, RUN_ALIGNMENT);
    this.keyScaleRunBytes = roundUp((long) blockTokens * keyScaleBytes, RUN_ALIGNMENT);
    this.valueScaleRunBytes = roundUp((long) blockTokens * valueScaleBytes, RUN_ALIGNMENT);
    try {
      long runs = (long) shape.layers() * shape.kvHeads();
      this.keyScalesAt = Math.multiplyExact(runs, keyRunBytes);
      this.valueScalesAt = Math.multiplyExact(runs, valueRunBytes);
      this.keysBytes = segmentBytes(runs, keyRunBytes, keyScaleRunBytes);
      this.valuesBytes =
          shape.valuesInKeys() ? 0 : segmentBytes(runs, valueRunBytes, valueScaleRunBytes);
    } catch (ArithmeticException e) {
      throw new IllegalArgumentException(
          "a block of %d tokens of %s passes 2^63 bytes".formatted(blockTokens, shape), e);
    }
  }

  /** A layout with keys and values of one type and blocks of the default size. */
  public static KvLayout of(KvShape shape, KvType type) {
    return new KvLayout(shape, type, type, DEFAULT_BLOCK_TOKENS);
  }

  private static void checkValuesInKeys(KvShape shape, KvType type) {
    int unit = type.quantized() ? Math.max(KvType.GROUP, type.rotationBlock(shape.keyDim())) : 1;
    if (shape.valueDim() < shape.keyDim() && shape.valueDim() % unit != 0) {
      throw new IllegalArgumentException(
          "values of %d dims in keys of %d dims cannot be stored as %s: valueDim has to be a multiple of %d there; take f16, bf16 or f32"
              .formatted(shape.valueDim(), shape.keyDim(), type.label(), unit));
    }
  }

  private static long segmentBytes(long runs, long runBytes, long scaleRunBytes) {
    return roundUp(Math.multiplyExact(runs, Math.addExact(runBytes, scaleRunBytes)), PAGE);
  }

  private static long roundUp(long bytes, long unit) {
    return Math.multiplyExact(Math.ceilDiv(bytes, unit), unit);
  }

  /** Layers, heads and widths. */
  public KvShape shape() {
    return shape;
  }

  /** Element type of the keys. */
  public KvType keyType() {
    return keyType;
  }

  /** Element type of the values. */
  public KvType valueType() {
    return valueType;
  }

  /** Tokens that a block holds. */
  public int blockTokens() {
    return blockTokens;
  }

  /** Bytes from one key row to the next of its run. */
  public int keyRowBytes() {
    return keyRowBytes;
  }

  /** Bytes from one value row to the next of its run. */
  public int valueRowBytes() {
    return valueRowBytes;
  }

  /** Bytes from the scales of one key row to those of the next of its run; 0 if there are none. */
  public int keyScaleBytes() {
    return keyScaleBytes;
  }

  /** Bytes from the scales of one value row to those of the next of its run; 0 if there are none. */
  public int valueScaleBytes() {
    return valueScaleBytes;
  }

  /** Width of the blocks in which key rows are rotated ({@link Hadamard}); 1 means not at all. */
  public int keyRotation() {
    return keyRotation;
  }

  /** Width of the blocks in which value rows are rotated ({@link Hadamard}); 1 means not at all. */
  public int valueRotation() {
    return valueRotation;
  }

  /** Bytes of a block's key segment, whole pages. */
  public long keysBytes() {
    return keysBytes;
  }

  /** Bytes of a block's value segment, whole pages; 0 where values lie in the keys. */
  public long valuesBytes() {
    return valuesBytes;
  }

  /** Bytes of a block's two segments. */
  public long blockBytes() {
    return Math.addExact(keysBytes, valuesBytes);
  }

  /** Bytes of K and V that one token takes over all layers, scales included, without padding. */
  public long bytesPerToken() {
    long perHead = (long) keyRowBytes + keyScaleBytes;
    if (!shape.valuesInKeys()) {
      perHead += (long) valueRowBytes + valueScaleBytes;
    }
    return Math.multiplyExact((long) shape.layers() * shape.kvHeads(), perHead);
  }

  /** Offset in the key segment of a token's row. Arguments are not checked; the segment is. */
  public long keyOffset(int layer, int kvHead, int token) {
    return ((long) layer * shape.kvHeads() + kvHead) * keyRunBytes + (long) token * keyRowBytes;
  }

  /** Offset in the value segment of a token's row. Arguments are not checked; the segment is. */
  public long valueOffset(int layer, int kvHead, int token) {
    return ((long) layer * shape.kvHeads() + kvHead) * valueRunBytes + (long) token * valueRowBytes;
  }

  /**
   * Offset in the key segment of the first scale of a token's key row; the others of the row follow.
   * Arguments are not checked; the segment is.
   */
  public long keyScaleOffset(int layer, int kvHead, int token) {
    long run = (long) layer * shape.kvHeads() + kvHead;
    return keyScalesAt + run * keyScaleRunBytes + (long) token * keyScaleBytes;
  }

  /**
   * Offset in the value segment of the first scale of a token's value row; the others of the row
   * follow. Arguments are not checked; the segment is.
   */
  public long valueScaleOffset(int layer, int kvHead, int token) {
    long run = (long) layer * shape.kvHeads() + kvHead;
    return valueScalesAt + run * valueScaleRunBytes + (long) token * valueScaleBytes;
  }

  /**
   * Names every piece of memory that the rows {@code [fromRow, toRow)} of a block take, so that a
   * store can checksum them: first in the keys, then in the values, each in ascending order, so
   * scales come behind the rows. Pieces do not overlap, and rows that follow each other never share
   * a byte.
   */
  public void forEachPiece(int fromRow, int toRow, PieceVisitor visitor) {
    Objects.checkFromToIndex(fromRow, toRow, blockTokens);
    int rows = toRow - fromRow;
    forEachPiece(true, keyOffset(0, 0, fromRow), keyRunBytes, (long) rows * keyRowBytes, visitor);
    if (keyScaleBytes != 0) {
      long offset = keyScaleOffset(0, 0, fromRow);
      forEachPiece(true, offset, keyScaleRunBytes, (long) rows * keyScaleBytes, visitor);
    }
    if (shape.valuesInKeys()) {
      return;
    }
    forEachPiece(
        false, valueOffset(0, 0, fromRow), valueRunBytes, (long) rows * valueRowBytes, visitor);
    if (valueScaleBytes != 0) {
      long offset = valueScaleOffset(0, 0, fromRow);
      forEachPiece(false, offset, valueScaleRunBytes, (long) rows * valueScaleBytes, visitor);
    }
  }

  /** The same piece of every run, which lie {@code runBytes} apart. */
  private void forEachPiece(
      boolean inKeys, long offset, long runBytes, long bytes, PieceVisitor visitor) {
    long runs = (long) shape.layers() * shape.kvHeads();
    for (long run = 0; run < runs; run++) {
      visitor.piece(inKeys, offset + run * runBytes, bytes);
    }
  }

  /** Takes the pieces that {@link #forEachPiece} names. */
  @FunctionalInterface
  public interface PieceVisitor {
    /** {@code bytes} bytes at {@code offset} of the keys, or else of the values. */
    void piece(boolean inKeys, long offset, long bytes);
  }

  @Override
  public boolean equals(Object other) {
    return other instanceof KvLayout that
        && shape.equals(that.shape)
        && keyType == that.keyType
        && valueType == that.valueType
        && blockTokens == that.blockTokens;
  }

  @Override
  public int hashCode() {
    return Objects.hash(shape, keyType, valueType, blockTokens);
  }

  @Override
  public String toString() {
    return "%s, keys %s, values %s, %d tokens a block"
        .formatted(shape, keyType.label(), valueType.label(), blockTokens);
  }
}
