package io.gatun.attention;

import io.gatun.attention.code.RowCode;
import io.gatun.cache.KvLayout;
import io.gatun.cache.KvType;
import java.lang.foreign.MemorySegment;
import java.util.Objects;

/**
 * How stored rows lie in memory.
 *
 * @param dim values of a row
 * @param rowBytes from one row to the next; more than the row takes where values lie in the keys
 * @param scaleBytes from the scales of one row to those of the next; 0 for the types without scales
 * @param rotation width of the blocks in which rows are rotated; 1 means not at all
 */
record RowFormat(KvType type, int dim, int rowBytes, int scaleBytes, int rotation) {
  static RowFormat ofKeys(KvLayout layout) {
    return new RowFormat(
        layout.keyType(),
        layout.shape().keyDim(),
        layout.keyRowBytes(),
        layout.keyScaleBytes(),
        layout.keyRotation());
  }

  static RowFormat ofValues(KvLayout layout) {
    return new RowFormat(
        layout.valueType(),
        layout.shape().valueDim(),
        layout.valueRowBytes(),
        layout.valueScaleBytes(),
        layout.valueRotation());
  }

  /** The same for machine code. */
  RowCode code() {
    return new RowCode(type, dim, rowBytes, scaleBytes);
  }

  /**
   * Sees to it that so many rows lie within their memory, since machine code does not.
   *
   * @throws IndexOutOfBoundsException if they do not
   */
  void check(MemorySegment memory, long offset, long scaleOffset, int rows) {
    long bytes = (long) (rows - 1) * rowBytes + type.rowBytes(dim);
    Objects.checkFromIndexSize(offset, bytes, memory.byteSize());
    Objects.checkFromIndexSize(scaleOffset, (long) rows * scaleBytes, memory.byteSize());
  }
}
