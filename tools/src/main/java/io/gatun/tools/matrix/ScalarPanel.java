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
      MemorySegment panel,
      int groups,
      MemorySegment x,
      long xAt,
      int tokens,
      int cols,
      MemorySegment store) {
    for (int token = 0; token < tokens; token++) {
      long v = xAt + token * Activations.ROW_BYTES;
      for (int group = 0; group < groups; group++) {
        int row = group * GROUP;
        long w = row * Activations.ROW_BYTES;
        float s0 = store.get(FLOAT, offset(row, token, groups));
        float s1 = store.get(FLOAT, offset(row + 1, token, groups));
        float s2 = store.get(FLOAT, offset(row + 2, token, groups));
        float s3 = store.get(FLOAT, offset(row + 3, token, groups));
        for (int c = 0; c < cols; c++) {
          float value = x.get(FLOAT, v + 4L * c);
          long at = w + 4L * c;
          s0 = Math.fma(panel.get(FLOAT, at), value, s0);
          s1 = Math.fma(panel.get(FLOAT, at + Activations.ROW_BYTES), value, s1);
          s2 = Math.fma(panel.get(FLOAT, at + 2 * Activations.ROW_BYTES), value, s2);
          s3 = Math.fma(panel.get(FLOAT, at + 3 * Activations.ROW_BYTES), value, s3);
        }
        store.set(FLOAT, offset(row, token, groups), s0);
        store.set(FLOAT, offset(row + 1, token, groups), s1);
        store.set(FLOAT, offset(row + 2, token, groups), s2);
        store.set(FLOAT, offset(row + 3, token, groups), s3);
      }
    }
  }

  @Override
  public float sum(MemorySegment store, long at) {
    return store.get(FLOAT, at);
  }
}
