package io.gatun.attention;

import io.gatun.cache.KvLayout;
import io.gatun.cache.KvType;

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
}
