package io.gatun.attention;

import io.gatun.cache.KvType;
import jdk.incubator.vector.FloatVector;

/**
 * The order in which a vector kernel meets the codes of a quantised row. Rows are padded to whole
 * loads, so there are no values that fill no vector.
 *
 * <p>With 8 or 16 lanes a load takes as many bytes as there are lanes. 8-bit codes are met in their
 * own order; of 4-bit codes the low halves of the bytes come first and the high ones behind them.
 * With 4 lanes a load takes 16 bytes as 4 ints, and each of a lane's 4 or 8 codes goes to a vector
 * of its own.
 */
final class QuantRows {
  private static final int LEVELS = 16;

  private QuantRows() {}

  /** Slots of a row, those of the padding too: whole vectors. */
  static int stride(RowFormat format) {
    return format.type().rowBytes(format.dim()) * Byte.SIZE / format.type().bits();
  }

  /** What each 4-bit code stands for, by its nibble, in units of the scale; for 16 lanes. */
  static FloatVector levels() {
    float[] levels = new float[LEVELS];
    for (int i = 0; i < LEVELS; i++) {
      levels[i] = i - 8;
    }
    return FloatVector.fromArray(Lanes.FLOATS, levels, 0);
  }

  /** {@code order[i]} is the slot that is met as {@code i}-th. */
  static int[] order(RowFormat format) {
    int lanes = Lanes.COUNT;
    int[] order = new int[stride(format)];
    int perByte = Byte.SIZE / format.type().bits();
    int bytesOfLane = lanes == 4 ? Integer.BYTES : 1;
    int perLoad = lanes * bytesOfLane * perByte;
    for (int i = 0; i < order.length; i++) {
      int vector = i % perLoad / lanes;
      int inLoad = i % lanes * bytesOfLane + vector / perByte;
      int row = i / perLoad * lanes * bytesOfLane + inLoad;
      order[i] = perByte == 1 ? row : slot4(format.dim(), row, vector % 2);
    }
    return order;
  }

  /** The slot in a half of a byte of a row of 4-bit codes; {@link KvType} has the diagram. */
  private static int slot4(int dim, int index, int half) {
    int group = index / (KvType.GROUP / 2) * KvType.GROUP;
    int bytes = dim - group <= KvType.GROUP / 2 ? KvType.GROUP / 4 : KvType.GROUP / 2;
    return group + index % (KvType.GROUP / 2) + half * bytes;
  }

  /**
   * The order as swaps that can be done in place: for each {@code i} in turn, the values at {@code
   * i} and {@code swaps[i]}.
   */
  static int[] swaps(int[] order) {
    int[] now = new int[order.length];
    int[] swaps = new int[order.length];
    for (int i = 0; i < now.length; i++) {
      now[i] = i;
    }
    for (int i = 0; i < now.length; i++) {
      int from = i;
      while (now[from] != order[i]) {
        from++;
      }
      now[from] = now[i];
      now[i] = order[i];
      swaps[i] = from;
    }
    return swaps;
  }

  /** Brings slots into the order in which they are met. */
  static void toOrder(int[] swaps, float[] row, int at) {
    for (int i = 0; i < swaps.length; i++) {
      swap(row, at + i, at + swaps[i]);
    }
  }

  /** Undoes {@link #toOrder}. */
  static void toSlots(int[] swaps, float[] row, int at) {
    for (int i = swaps.length - 1; i >= 0; i--) {
      swap(row, at + i, at + swaps[i]);
    }
  }

  private static void swap(float[] row, int i, int j) {
    float value = row[i];
    row[i] = row[j];
    row[j] = value;
  }
}
