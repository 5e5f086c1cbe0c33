package io.gatun.tools.matrix;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;

/** A panel in plain Java: one lane. */
final class ScalarPanel implements PanelKernel {
  private static final ValueLayout.OfFloat FLOAT = ValueLayout.JAVA_FLOAT_UNALIGNED;

  @Override
  public int lanes() {
    return 1;
  }

  @Override
  public void accumulate(
      float[] panel, int groups, MemorySegment x, long xAt, int tokens, int cols, float[] store) {
    for (int token = 0; token < tokens; token++) {
      long v = xAt + token * Activations.ROW_BYTES;
      for (int group = 0; group < groups; group++) {
        int row = group * GROUP;
        int w = row * ROW;
        float s0 = store[offset(row, token, groups)];
        float s1 = store[offset(row + 1, token, groups)];
        float s2 = store[offset(row + 2, token, groups)];
        float s3 = store[offset(row + 3, token, groups)];
        for (int c = 0; c < cols; c++) {
          float value = x.get(FLOAT, v + 4L * c);
          s0 = Math.fma(panel[w + c], value, s0);
          s1 = Math.fma(panel[w + ROW + c], value, s1);
          s2 = Math.fma(panel[w + 2 * ROW + c], value, s2);
          s3 = Math.fma(panel[w + 3 * ROW + c], value, s3);
        }
        store[offset(row, token, groups)] = s0;
        store[offset(row + 1, token, groups)] = s1;
        store[offset(row + 2, token, groups)] = s2;
        store[offset(row + 3, token, groups)] = s3;
      }
    }
  }

  @Override
  public float sum(float[] store, int at) {
    return store[at];
  }
}
