package io.gatun.tools.matrix;

import static io.gatun.tools.matrix.Lanes.BYTES;
import static io.gatun.tools.matrix.Lanes.COUNT;
import static io.gatun.tools.matrix.Lanes.FLOATS;
import static io.gatun.tools.matrix.Lanes.NATIVE;

import java.lang.foreign.MemorySegment;
import jdk.incubator.vector.FloatVector;

/** A panel on the Vector API. Tiles of 4 x 6 where there are 32 vector registers, else 4 x 3. */
final class VectorPanel implements PanelKernel {
  private static final long ROW = Activations.ROW_BYTES;
  private static final boolean WIDE = COUNT >= 16;

  @Override
  public int lanes() {
    return COUNT;
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
    long tileBytes = (long) GROUP * Activations.TILE * BYTES;
    long s = 0;
    for (int token = 0; token < tokens; token += Activations.TILE) {
      long xTile = xAt + token * ROW;
      boolean half = tokens - token <= Activations.TILE / 2;
      for (int group = 0; group < groups; group++) {
        long w = group * GROUP * ROW;
        if (half) {
          tile3(panel, w, x, xTile, cols, store, s);
        } else if (WIDE) {
          tile6(panel, w, x, xTile, cols, store, s);
        } else {
          tile3(panel, w, x, xTile, cols, store, s);
          tile3(panel, w, x, xTile + 3 * ROW, cols, store, s + 3 * BYTES);
        }
        s += tileBytes;
      }
    }
  }

  /** 4 rows x 6 tokens: 24 sums that stay in registers, so that a value loaded is used 4 or 6 times. */
  private static void tile6(
      MemorySegment panel,
      long w,
      MemorySegment x,
      long xAt,
      int cols,
      MemorySegment store,
      long s) {
    FloatVector s00 = sumAt(store, s + 0 * BYTES);
    FloatVector s01 = sumAt(store, s + 1 * BYTES);
    FloatVector s02 = sumAt(store, s + 2 * BYTES);
    FloatVector s03 = sumAt(store, s + 3 * BYTES);
    FloatVector s04 = sumAt(store, s + 4 * BYTES);
    FloatVector s05 = sumAt(store, s + 5 * BYTES);
    FloatVector s10 = sumAt(store, s + 6 * BYTES);
    FloatVector s11 = sumAt(store, s + 7 * BYTES);
    FloatVector s12 = sumAt(store, s + 8 * BYTES);
    FloatVector s13 = sumAt(store, s + 9 * BYTES);
    FloatVector s14 = sumAt(store, s + 10 * BYTES);
    FloatVector s15 = sumAt(store, s + 11 * BYTES);
    FloatVector s20 = sumAt(store, s + 12 * BYTES);
    FloatVector s21 = sumAt(store, s + 13 * BYTES);
    FloatVector s22 = sumAt(store, s + 14 * BYTES);
    FloatVector s23 = sumAt(store, s + 15 * BYTES);
    FloatVector s24 = sumAt(store, s + 16 * BYTES);
    FloatVector s25 = sumAt(store, s + 17 * BYTES);
    FloatVector s30 = sumAt(store, s + 18 * BYTES);
    FloatVector s31 = sumAt(store, s + 19 * BYTES);
    FloatVector s32 = sumAt(store, s + 20 * BYTES);
    FloatVector s33 = sumAt(store, s + 21 * BYTES);
    FloatVector s34 = sumAt(store, s + 22 * BYTES);
    FloatVector s35 = sumAt(store, s + 23 * BYTES);
    for (int c = 0; c < cols; c += COUNT) {
      long i = 4L * c;
      FloatVector w0 = load(panel, w + i);
      FloatVector w1 = load(panel, w + 1 * ROW + i);
      FloatVector w2 = load(panel, w + 2 * ROW + i);
      FloatVector w3 = load(panel, w + 3 * ROW + i);
      FloatVector x0 = load(x, xAt + i);
      s00 = w0.fma(x0, s00);
      s10 = w1.fma(x0, s10);
      s20 = w2.fma(x0, s20);
      s30 = w3.fma(x0, s30);
      FloatVector x1 = load(x, xAt + 1 * ROW + i);
      s01 = w0.fma(x1, s01);
      s11 = w1.fma(x1, s11);
      s21 = w2.fma(x1, s21);
      s31 = w3.fma(x1, s31);
      FloatVector x2 = load(x, xAt + 2 * ROW + i);
      s02 = w0.fma(x2, s02);
      s12 = w1.fma(x2, s12);
      s22 = w2.fma(x2, s22);
      s32 = w3.fma(x2, s32);
      FloatVector x3 = load(x, xAt + 3 * ROW + i);
      s03 = w0.fma(x3, s03);
      s13 = w1.fma(x3, s13);
      s23 = w2.fma(x3, s23);
      s33 = w3.fma(x3, s33);
      FloatVector x4 = load(x, xAt + 4 * ROW + i);
      s04 = w0.fma(x4, s04);
      s14 = w1.fma(x4, s14);
      s24 = w2.fma(x4, s24);
      s34 = w3.fma(x4, s34);
      FloatVector x5 = load(x, xAt + 5 * ROW + i);
      s05 = w0.fma(x5, s05);
      s15 = w1.fma(x5, s15);
      s25 = w2.fma(x5, s25);
      s35 = w3.fma(x5, s35);
    }
    s00.intoMemorySegment(store, s + 0 * BYTES, NATIVE);
    s01.intoMemorySegment(store, s + 1 * BYTES, NATIVE);
    s02.intoMemorySegment(store, s + 2 * BYTES, NATIVE);
    s03.intoMemorySegment(store, s + 3 * BYTES, NATIVE);
    s04.intoMemorySegment(store, s + 4 * BYTES, NATIVE);
    s05.intoMemorySegment(store, s + 5 * BYTES, NATIVE);
    s10.intoMemorySegment(store, s + 6 * BYTES, NATIVE);
    s11.intoMemorySegment(store, s + 7 * BYTES, NATIVE);
    s12.intoMemorySegment(store, s + 8 * BYTES, NATIVE);
    s13.intoMemorySegment(store, s + 9 * BYTES, NATIVE);
    s14.intoMemorySegment(store, s + 10 * BYTES, NATIVE);
    s15.intoMemorySegment(store, s + 11 * BYTES, NATIVE);
    s20.intoMemorySegment(store, s + 12 * BYTES, NATIVE);
    s21.intoMemorySegment(store, s + 13 * BYTES, NATIVE);
    s22.intoMemorySegment(store, s + 14 * BYTES, NATIVE);
    s23.intoMemorySegment(store, s + 15 * BYTES, NATIVE);
    s24.intoMemorySegment(store, s + 16 * BYTES, NATIVE);
    s25.intoMemorySegment(store, s + 17 * BYTES, NATIVE);
    s30.intoMemorySegment(store, s + 18 * BYTES, NATIVE);
    s31.intoMemorySegment(store, s + 19 * BYTES, NATIVE);
    s32.intoMemorySegment(store, s + 20 * BYTES, NATIVE);
    s33.intoMemorySegment(store, s + 21 * BYTES, NATIVE);
    s34.intoMemorySegment(store, s + 22 * BYTES, NATIVE);
    s35.intoMemorySegment(store, s + 23 * BYTES, NATIVE);
  }

  /** 4 rows x 3 tokens: 12 sums that stay in registers, so that a value loaded is used 4 or 3 times. */
  private static void tile3(
      MemorySegment panel,
      long w,
      MemorySegment x,
      long xAt,
      int cols,
      MemorySegment store,
      long s) {
    FloatVector s00 = sumAt(store, s + 0 * BYTES);
    FloatVector s01 = sumAt(store, s + 1 * BYTES);
    FloatVector s02 = sumAt(store, s + 2 * BYTES);
    FloatVector s10 = sumAt(store, s + 6 * BYTES);
    FloatVector s11 = sumAt(store, s + 7 * BYTES);
    FloatVector s12 = sumAt(store, s + 8 * BYTES);
    FloatVector s20 = sumAt(store, s + 12 * BYTES);
    FloatVector s21 = sumAt(store, s + 13 * BYTES);
    FloatVector s22 = sumAt(store, s + 14 * BYTES);
    FloatVector s30 = sumAt(store, s + 18 * BYTES);
    FloatVector s31 = sumAt(store, s + 19 * BYTES);
    FloatVector s32 = sumAt(store, s + 20 * BYTES);
    for (int c = 0; c < cols; c += COUNT) {
      long i = 4L * c;
      FloatVector w0 = load(panel, w + i);
      FloatVector w1 = load(panel, w + 1 * ROW + i);
      FloatVector w2 = load(panel, w + 2 * ROW + i);
      FloatVector w3 = load(panel, w + 3 * ROW + i);
      FloatVector x0 = load(x, xAt + i);
      s00 = w0.fma(x0, s00);
      s10 = w1.fma(x0, s10);
      s20 = w2.fma(x0, s20);
      s30 = w3.fma(x0, s30);
      FloatVector x1 = load(x, xAt + 1 * ROW + i);
      s01 = w0.fma(x1, s01);
      s11 = w1.fma(x1, s11);
      s21 = w2.fma(x1, s21);
      s31 = w3.fma(x1, s31);
      FloatVector x2 = load(x, xAt + 2 * ROW + i);
      s02 = w0.fma(x2, s02);
      s12 = w1.fma(x2, s12);
      s22 = w2.fma(x2, s22);
      s32 = w3.fma(x2, s32);
    }
    s00.intoMemorySegment(store, s + 0 * BYTES, NATIVE);
    s01.intoMemorySegment(store, s + 1 * BYTES, NATIVE);
    s02.intoMemorySegment(store, s + 2 * BYTES, NATIVE);
    s10.intoMemorySegment(store, s + 6 * BYTES, NATIVE);
    s11.intoMemorySegment(store, s + 7 * BYTES, NATIVE);
    s12.intoMemorySegment(store, s + 8 * BYTES, NATIVE);
    s20.intoMemorySegment(store, s + 12 * BYTES, NATIVE);
    s21.intoMemorySegment(store, s + 13 * BYTES, NATIVE);
    s22.intoMemorySegment(store, s + 14 * BYTES, NATIVE);
    s30.intoMemorySegment(store, s + 18 * BYTES, NATIVE);
    s31.intoMemorySegment(store, s + 19 * BYTES, NATIVE);
    s32.intoMemorySegment(store, s + 20 * BYTES, NATIVE);
  }

  private static FloatVector load(MemorySegment from, long at) {
    return FloatVector.fromMemorySegment(FLOATS, from, at, NATIVE);
  }

  private static FloatVector sumAt(MemorySegment store, long at) {
    return FloatVector.fromMemorySegment(FLOATS, store, at, NATIVE);
  }

  @Override
  public float sum(MemorySegment store, long at) {
    return Lanes.sum(store, at);
  }
}
