package io.gatun.tools.matrix;

import static io.gatun.tools.matrix.Lanes.COUNT;
import static io.gatun.tools.matrix.Lanes.FLOATS;
import static io.gatun.tools.matrix.Lanes.NATIVE;

import java.lang.foreign.MemorySegment;
import jdk.incubator.vector.FloatVector;

/** A panel on the Vector API. Tiles of 4 x 4 where there are 32 vector registers, else 4 x 2. */
final class VectorPanel implements PanelKernel {
  private static final long X_ROW = Activations.ROW_BYTES;
  private static final boolean WIDE = COUNT >= 16;

  @Override
  public int lanes() {
    return COUNT;
  }

  @Override
  public void accumulate(
      float[] panel, int groups, MemorySegment x, long xAt, int tokens, int cols, float[] store) {
    int s = 0;
    for (int token = 0; token < tokens; token += Activations.TILE) {
      long xTile = xAt + token * X_ROW;
      boolean half = tokens - token <= 2;
      for (int group = 0; group < groups; group++) {
        int w = group * GROUP * ROW;
        if (WIDE && !half) {
          tile4(panel, w, x, xTile, cols, store, s);
        } else {
          tile2(panel, w, x, xTile, cols, store, s);
          if (!half) {
            tile2(panel, w, x, xTile + 2 * X_ROW, cols, store, s + 2 * COUNT);
          }
        }
        s += TILE_SUMS * COUNT;
      }
    }
  }

  /** 4 rows x 4 tokens: 16 sums that stay in registers, so that a value loaded is used 4 or 4 times. */
  private static void tile4(
      float[] panel, int w, MemorySegment x, long xAt, int cols, float[] store, int s) {
    FloatVector s00 = FloatVector.fromArray(FLOATS, store, s);
    FloatVector s01 = FloatVector.fromArray(FLOATS, store, s + 1 * COUNT);
    FloatVector s02 = FloatVector.fromArray(FLOATS, store, s + 2 * COUNT);
    FloatVector s03 = FloatVector.fromArray(FLOATS, store, s + 3 * COUNT);
    FloatVector s10 = FloatVector.fromArray(FLOATS, store, s + 4 * COUNT);
    FloatVector s11 = FloatVector.fromArray(FLOATS, store, s + 5 * COUNT);
    FloatVector s12 = FloatVector.fromArray(FLOATS, store, s + 6 * COUNT);
    FloatVector s13 = FloatVector.fromArray(FLOATS, store, s + 7 * COUNT);
    FloatVector s20 = FloatVector.fromArray(FLOATS, store, s + 8 * COUNT);
    FloatVector s21 = FloatVector.fromArray(FLOATS, store, s + 9 * COUNT);
    FloatVector s22 = FloatVector.fromArray(FLOATS, store, s + 10 * COUNT);
    FloatVector s23 = FloatVector.fromArray(FLOATS, store, s + 11 * COUNT);
    FloatVector s30 = FloatVector.fromArray(FLOATS, store, s + 12 * COUNT);
    FloatVector s31 = FloatVector.fromArray(FLOATS, store, s + 13 * COUNT);
    FloatVector s32 = FloatVector.fromArray(FLOATS, store, s + 14 * COUNT);
    FloatVector s33 = FloatVector.fromArray(FLOATS, store, s + 15 * COUNT);
    for (int c = 0; c < cols; c += COUNT) {
      FloatVector w0 = FloatVector.fromArray(FLOATS, panel, w + c);
      FloatVector w1 = FloatVector.fromArray(FLOATS, panel, w + 1 * ROW + c);
      FloatVector w2 = FloatVector.fromArray(FLOATS, panel, w + 2 * ROW + c);
      FloatVector w3 = FloatVector.fromArray(FLOATS, panel, w + 3 * ROW + c);
      long at = xAt + 4L * c;
      FloatVector x0 = FloatVector.fromMemorySegment(FLOATS, x, at, NATIVE);
      s00 = w0.fma(x0, s00);
      s10 = w1.fma(x0, s10);
      s20 = w2.fma(x0, s20);
      s30 = w3.fma(x0, s30);
      FloatVector x1 = FloatVector.fromMemorySegment(FLOATS, x, at + 1 * X_ROW, NATIVE);
      s01 = w0.fma(x1, s01);
      s11 = w1.fma(x1, s11);
      s21 = w2.fma(x1, s21);
      s31 = w3.fma(x1, s31);
      FloatVector x2 = FloatVector.fromMemorySegment(FLOATS, x, at + 2 * X_ROW, NATIVE);
      s02 = w0.fma(x2, s02);
      s12 = w1.fma(x2, s12);
      s22 = w2.fma(x2, s22);
      s32 = w3.fma(x2, s32);
      FloatVector x3 = FloatVector.fromMemorySegment(FLOATS, x, at + 3 * X_ROW, NATIVE);
      s03 = w0.fma(x3, s03);
      s13 = w1.fma(x3, s13);
      s23 = w2.fma(x3, s23);
      s33 = w3.fma(x3, s33);
    }
    s00.intoArray(store, s);
    s01.intoArray(store, s + 1 * COUNT);
    s02.intoArray(store, s + 2 * COUNT);
    s03.intoArray(store, s + 3 * COUNT);
    s10.intoArray(store, s + 4 * COUNT);
    s11.intoArray(store, s + 5 * COUNT);
    s12.intoArray(store, s + 6 * COUNT);
    s13.intoArray(store, s + 7 * COUNT);
    s20.intoArray(store, s + 8 * COUNT);
    s21.intoArray(store, s + 9 * COUNT);
    s22.intoArray(store, s + 10 * COUNT);
    s23.intoArray(store, s + 11 * COUNT);
    s30.intoArray(store, s + 12 * COUNT);
    s31.intoArray(store, s + 13 * COUNT);
    s32.intoArray(store, s + 14 * COUNT);
    s33.intoArray(store, s + 15 * COUNT);
  }

  /** 4 rows x 2 tokens: 8 sums that stay in registers, so that a value loaded is used 2 or 4 times. */
  private static void tile2(
      float[] panel, int w, MemorySegment x, long xAt, int cols, float[] store, int s) {
    FloatVector s00 = FloatVector.fromArray(FLOATS, store, s);
    FloatVector s01 = FloatVector.fromArray(FLOATS, store, s + 1 * COUNT);
    FloatVector s10 = FloatVector.fromArray(FLOATS, store, s + 4 * COUNT);
    FloatVector s11 = FloatVector.fromArray(FLOATS, store, s + 5 * COUNT);
    FloatVector s20 = FloatVector.fromArray(FLOATS, store, s + 8 * COUNT);
    FloatVector s21 = FloatVector.fromArray(FLOATS, store, s + 9 * COUNT);
    FloatVector s30 = FloatVector.fromArray(FLOATS, store, s + 12 * COUNT);
    FloatVector s31 = FloatVector.fromArray(FLOATS, store, s + 13 * COUNT);
    for (int c = 0; c < cols; c += COUNT) {
      FloatVector w0 = FloatVector.fromArray(FLOATS, panel, w + c);
      FloatVector w1 = FloatVector.fromArray(FLOATS, panel, w + 1 * ROW + c);
      FloatVector w2 = FloatVector.fromArray(FLOATS, panel, w + 2 * ROW + c);
      FloatVector w3 = FloatVector.fromArray(FLOATS, panel, w + 3 * ROW + c);
      long at = xAt + 4L * c;
      FloatVector x0 = FloatVector.fromMemorySegment(FLOATS, x, at, NATIVE);
      s00 = w0.fma(x0, s00);
      s10 = w1.fma(x0, s10);
      s20 = w2.fma(x0, s20);
      s30 = w3.fma(x0, s30);
      FloatVector x1 = FloatVector.fromMemorySegment(FLOATS, x, at + 1 * X_ROW, NATIVE);
      s01 = w0.fma(x1, s01);
      s11 = w1.fma(x1, s11);
      s21 = w2.fma(x1, s21);
      s31 = w3.fma(x1, s31);
    }
    s00.intoArray(store, s);
    s01.intoArray(store, s + 1 * COUNT);
    s10.intoArray(store, s + 4 * COUNT);
    s11.intoArray(store, s + 5 * COUNT);
    s20.intoArray(store, s + 8 * COUNT);
    s21.intoArray(store, s + 9 * COUNT);
    s30.intoArray(store, s + 12 * COUNT);
    s31.intoArray(store, s + 13 * COUNT);
  }

  @Override
  public float sum(float[] store, int at) {
    return Lanes.sum(store, at);
  }
}
