package io.gatun.attention.grad;

import io.gatun.attention.RopeConfig;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;

/**
 * The rotary embedding of {@link io.gatun.attention.Rope} in f64, and its gradient. It is a
 * rotation times the attention factor, so that the gradient by its input is the gradient by its
 * output turned back, times the same factor.
 */
final class Rotation {
  private static final ValueLayout.OfDouble DOUBLE = ValueLayout.JAVA_DOUBLE;

  private Rotation() {}

  /**
   * Turns the rows of tokens {@code 0} to {@code tokens - 1} in place.
   *
   * @param rows {@code [tokens][heads][headDim]}
   * @param back whether to turn them back
   */
  static void apply(MemorySegment rows, int tokens, int heads, RopeConfig rope, boolean back) {
    int pairs = rope.rotaryDim() / 2;
    double factor = rope.attentionFactor();
    for (int i = 0; i < pairs; i++) {
      double frequency = rope.frequency(i);
      for (int t = 0; t < tokens; t++) {
        double cos = factor * Math.cos(t * frequency);
        double sin = factor * (back ? -Math.sin(t * frequency) : Math.sin(t * frequency));
        for (int head = 0; head < heads; head++) {
          long at = ((long) t * heads + head) * rope.headDim() + i;
          double x = rows.getAtIndex(DOUBLE, at);
          double y = rows.getAtIndex(DOUBLE, at + pairs);
          rows.setAtIndex(DOUBLE, at, x * cos - y * sin);
          rows.setAtIndex(DOUBLE, at + pairs, y * cos + x * sin);
        }
      }
    }
  }
}
