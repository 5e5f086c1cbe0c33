package io.gatun.tools.matrix;

import io.gatun.tools.safetensors.SafetensorsWriter;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.Random;

/** Weights of all sizes, some too small for a normal value, some zeros of either sign. */
final class RandomWeights {
  private static final ValueLayout.OfFloat FLOAT = ValueLayout.JAVA_FLOAT_UNALIGNED;

  private RandomWeights() {}

  /** Fills a matrix. */
  static void fill(Random random, MemorySegment data, WeightType type, int rows, int cols) {
    for (int row = 0; row < rows; row++) {
      for (int c = 0; c < cols; c++) {
        set(random, data, row * type.rowBytes(cols), type, cols, c);
      }
    }
  }

  private static void set(
      Random random, MemorySegment data, long row, WeightType type, int cols, int c) {
    float value = (float) (random.nextGaussian() * Math.pow(10, random.nextInt(-9, 3)));
    if (random.nextInt(50) == 0) {
      value *= 0;
    }
    switch (type) {
      case F32 -> data.set(FLOAT, row + 4L * c, value);
      case F16 ->
          data.set(ValueLayout.JAVA_SHORT_UNALIGNED, row + 2L * c, Float.floatToFloat16(value));
      case BF16 ->
          data.set(ValueLayout.JAVA_SHORT_UNALIGNED, row + 2L * c, SafetensorsWriter.toBf16(value));
      case Q8 -> {
        data.set(ValueLayout.JAVA_BYTE, row + c, (byte) random.nextInt(-128, 128));
        data.set(FLOAT, row + WeightType.scalesAt(cols) + c / 64 * 4L, value);
      }
    }
  }
}
