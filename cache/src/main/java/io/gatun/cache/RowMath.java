package io.gatun.cache;

/**
 * The arithmetic of encoding rows, in one of two makes with the same bits: on the Vector API or in
 * plain Java. Which one is settled once per process, here.
 */
interface RowMath {
  /** {@link Hadamard#rotate}, of checked arguments. */
  void rotate(float[] values, int at, int count, int block);

  /**
   * Rounds {@code count} values, rounded up to whole groups, to bfloat16, ties to even.
   *
   * @param to room for whole groups
   */
  void bfloat16(float[] values, int count, short[] to);

  /**
   * Codes {@code values[at .. at + 64)} in 8 bits into {@code to[toAt .. toAt + 64)}; see {@link
   * Quantizer}. May write up to {@link #SPILL} bytes behind them.
   *
   * @return the scale
   */
  float group8(float[] values, int at, byte[] to, int toAt);

  /**
   * Codes {@code values[at .. at + 64)} in 4 bits: those of slots j and j + {@code bytes} into {@code
   * to[toAt + j]}; see {@link Quantizer}. May write up to {@link #SPILL} bytes behind them.
   *
   * @param bytes 32, or 16 where the upper half of the group is empty
   * @param errors {@link Quantizer#ERROR_LANES} floats of scratch
   * @return the scale
   */
  float group4(float[] values, int at, byte[] to, int toAt, int bytes, float[] errors);

  /** Bytes behind a group that are written too. */
  int SPILL = 16;

  /** The one that this process uses. */
  static RowMath best() {
    return Holder.BEST;
  }

  /** Settles the choice when it is first asked for. */
  final class Holder {
    private static final RowMath BEST = choose();

    private Holder() {}

    private static RowMath choose() {
      if (ModuleLayer.boot().findModule("jdk.incubator.vector").isPresent()
          && VectorRowMath.supported()) {
        return new VectorRowMath();
      }
      return new PlainRowMath();
    }
  }
}
