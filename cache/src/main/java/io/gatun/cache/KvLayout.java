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
 * run to 64 bytes. Segment sizes are rounded up to whole pages. Where values lie in the keys, the
 * value rows are the fronts of the key rows: same offsets, same stride.
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
  private final long keysBytes;
  private final long valuesBytes;

  /**
   * The layout of a block.
   *
   * @param blockTokens tokens of a block, a power of two from 16 to 2^20
   * @throws IllegalArgumentException if a number is out of range, the types differ although the
   *     values lie in the keys, or a segment would pass 2^63 bytes
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
    this.blockTokens = blockTokens;
    this.keyRowBytes = keyType.rowBytes(shape.keyDim());
    this.valueRowBytes = shape.valuesInKeys() ? keyRowBytes : valueType.rowBytes(shape.valueDim());
    this.keyRunBytes = roundUp((long) blockTokens * keyRowBytes, RUN_ALIGNMENT);
    this.valueRunBytes = roundUp((long) blockTokens * valueRowBytes, RUN_ALIGNMENT);
    try {
      this.keysBytes = segmentBytes(keyRunBytes);
      this.valuesBytes = shape.valuesInKeys() ? 0 : segmentBytes(valueRunBytes);
    } catch (ArithmeticException e) {
      throw new IllegalArgumentException(
          "a block of %d tokens of %s passes 2^63 bytes".formatted(blockTokens, shape), e);
    }
  }

  /** A layout with keys and values of one type and blocks of the default size. */
  public static KvLayout of(KvShape shape, KvType type) {
    return new KvLayout(shape, type, type, DEFAULT_BLOCK_TOKENS);
  }

  private long segmentBytes(long runBytes) {
    long runs = (long) shape.layers() * shape.kvHeads();
    return roundUp(Math.multiplyExact(runs, runBytes), PAGE);
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

  /** Bytes of K and V that one token takes over all layers, without padding. */
  public long bytesPerToken() {
    long perHead = (long) keyRowBytes + (shape.valuesInKeys() ? 0 : valueRowBytes);
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
   * Names every piece of memory that the rows {@code [fromRow, toRow)} of a block take, so that a
   * store can checksum them: first in the keys, then in the values, each in ascending order. Pieces
   * do not overlap, and rows that follow each other never share a byte.
   */
  public void forEachPiece(int fromRow, int toRow, PieceVisitor visitor) {
    Objects.checkFromToIndex(fromRow, toRow, blockTokens);
    int rows = toRow - fromRow;
    for (int layer = 0; layer < shape.layers(); layer++) {
      for (int head = 0; head < shape.kvHeads(); head++) {
        visitor.piece(true, keyOffset(layer, head, fromRow), (long) rows * keyRowBytes);
      }
    }
    if (shape.valuesInKeys()) {
      return;
    }
    for (int layer = 0; layer < shape.layers(); layer++) {
      for (int head = 0; head < shape.kvHeads(); head++) {
        visitor.piece(false, valueOffset(layer, head, fromRow), (long) rows * valueRowBytes);
      }
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
