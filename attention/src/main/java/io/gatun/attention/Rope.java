package io.gatun.attention;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;

/**
 * Rotary position embedding in the rotate-half form that Hugging Face checkpoints use: with {@code
 * n = rotaryDim / 2}, the pair {@code (x[i], x[i + n])} turns by {@code position * frequency(i)},
 * and is multiplied by the attention factor of the scaling.
 *
 * <pre>
 *   x'[i]     = x[i]     cos(a) - x[i + n] sin(a)
 *   x'[i + n] = x[i + n] cos(a) + x[i]     sin(a)
 * </pre>
 *
 * Angles, cosines and sines are computed in double, so that they are right at any position; an f32
 * angle at position 100,000 is off by up to 0.004 radians.
 *
 * <p>Thread rules: immutable; any thread. Allocates nothing per call.
 */
public final class Rope {
  private static final ValueLayout.OfFloat FLOAT = ValueLayout.JAVA_FLOAT_UNALIGNED;

  private final int headDim;
  private final int pairs;
  private final double[] frequencies;
  private final double factor;

  // Bytes from the first value of a pair to the second, and from pair to pair.
  private final long partner;
  private final long step;

  private Rope(RopeConfig config, boolean interleaved) {
    headDim = config.headDim();
    pairs = config.rotaryDim() / 2;
    factor = config.attentionFactor();
    partner = interleaved ? 4 : 4L * pairs;
    step = interleaved ? 8 : 4;
    frequencies = new double[pairs];
    for (int i = 0; i < pairs; i++) {
      frequencies[i] = config.frequency(i);
    }
  }

  /** An embedding with these angles. */
  public static Rope of(RopeConfig config) {
    return new Rope(config, false);
  }

  /**
   * The same with the pairs {@code (x[2i], x[2i + 1])}, as DeepSeek's checkpoints have them. Scores
   * are those of the rotate-half form with the values in another order.
   */
  public static Rope interleaved(RopeConfig config) {
    return new Rope(config, true);
  }

  /**
   * Turns rows in place.
   *
   * @param rows f32 in the machine's byte order, {@code [heads][headDim]} from byte {@code offset}
   *     on
   * @param position of the token that the rows belong to, 0 or more
   */
  public void apply(MemorySegment rows, long offset, int heads, long position) {
    apply(rows, offset, heads, 4L * headDim, position);
  }

  /**
   * Turns rows in place that do not follow each other.
   *
   * @param rows f32, {@code [heads]} of {@code [headDim]}, the first at byte {@code offset}
   * @param stride bytes from one row to the next
   */
  public void apply(MemorySegment rows, long offset, int heads, long stride, long position) {
    if (position < 0) {
      throw new IllegalArgumentException("position is %d, not 0 or more".formatted(position));
    }
    for (int i = 0; i < pairs; i++) {
      double angle = position * frequencies[i];
      float cos = (float) (factor * Math.cos(angle));
      float sin = (float) (factor * Math.sin(angle));
      long at = offset + step * i;
      for (int head = 0; head < heads; head++) {
        float x = rows.get(FLOAT, at);
        float y = rows.get(FLOAT, at + partner);
        rows.set(FLOAT, at, Math.fma(x, cos, -(y * sin)));
        rows.set(FLOAT, at + partner, Math.fma(y, cos, x * sin));
        at += stride;
      }
    }
  }
}
