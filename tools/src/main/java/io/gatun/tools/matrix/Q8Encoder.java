package io.gatun.tools.matrix;

import io.gatun.cache.GatunException;
import io.gatun.cache.KvType;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;

/**
 * Rounds rows of weights to {@link WeightType#Q8}: in each group of columns the largest magnitude
 * becomes 127, so an error is at most half a step of {@code max / 127}, and a little for the
 * rounding of the scale and of the product. One thread each.
 */
public final class Q8Encoder {
  /** 1.5 * 2^23: adding it leaves the nearest integer, ties to even, in the low bits of the sum. */
  private static final float ROUND = 0x1.8p23f;

  private float[] values = new float[0];
  private byte[] codes = new byte[0];

  /**
   * Encodes rows {@code [from, to)} of a matrix.
   *
   * @param out gets the rows, {@link WeightType#rowBytes} each, from byte 0 on
   * @throws GatunException if a weight is not finite
   */
  public void encode(Matrix matrix, long from, long to, MemorySegment out) {
    int cols = matrix.cols();
    if (values.length < cols) {
      values = new float[cols];
      codes = new byte[cols];
    }
    long rowBytes = WeightType.Q8.rowBytes(cols);
    out.asSlice(0, (to - from) * rowBytes).fill((byte) 0);
    RowKernel kernel = MatrixKernels.rows(matrix.type());
    for (long row = from; row < to; row++) {
      long at = (row - from) * rowBytes;
      kernel.widen(matrix.data(), cols, row, 0, cols, values, 0);
      for (int col = 0; col < cols; col += WeightType.GROUP) {
        int end = Math.min(cols, col + WeightType.GROUP);
        float max = largest(values, col, end);
        if (!(max <= Float.MAX_VALUE)) {
          throw new GatunException(
              "%s holds an infinity or NaN in row %d, columns %d to %d; download the model again"
                  .formatted(matrix.name(), row, col, end - 1));
        }
        float scale = scale(max);
        round(values, col, end, scale == 0 ? 0 : 1 / scale, codes);
        out.set(
            KvType.LE_FLOAT, at + WeightType.scalesAt(cols) + 4L * (col / WeightType.GROUP), scale);
      }
      MemorySegment.copy(codes, 0, out, ValueLayout.JAVA_BYTE, at, cols);
    }
  }

  /** Of weights so small that steps would not be normal numbers nothing is kept. */
  private static float scale(float max) {
    float scale = max / 127;
    if (scale < 1e-30f) {
      return 0;
    }
    // Rounded up, the largest float's scale would make an infinity of it.
    return Float.isInfinite(scale * 127) ? Math.nextDown(scale) : scale;
  }

  /** The largest magnitude; NaN if there is one. */
  private static float largest(float[] values, int from, int to) {
    float max = 0;
    for (int i = from; i < to; i++) {
      max = Math.max(max, Math.abs(values[i]));
    }
    return max;
  }

  private static void round(float[] values, int from, int to, float inverse, byte[] codes) {
    for (int i = from; i < to; i++) {
      codes[i] = (byte) Float.floatToRawIntBits(Math.fma(values[i], inverse, ROUND));
    }
  }
}
