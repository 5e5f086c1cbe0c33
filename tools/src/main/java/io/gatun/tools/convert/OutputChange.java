package io.gatun.tools.convert;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;

/**
 * How far an attention layer's output moved, over all tokens.
 *
 * @param relative root of the sum of squared differences over the sum of squares of the original
 * @param cosine mean over the tokens of the cosine between original and changed output
 */
record OutputChange(double relative, double cosine) {
  private static final ValueLayout.OfDouble DOUBLE = ValueLayout.JAVA_DOUBLE;

  /** Compares two outputs, both {@code [tokens][width]}. */
  static OutputChange between(MemorySegment original, MemorySegment changed, int width) {
    long tokens = original.byteSize() / Double.BYTES / width;
    double difference = 0;
    double squares = 0;
    double cosines = 0;
    for (long t = 0; t < tokens; t++) {
      double aa = 0;
      double ab = 0;
      double bb = 0;
      for (long i = t * width; i < (t + 1) * width; i++) {
        double a = original.getAtIndex(DOUBLE, i);
        double b = changed.getAtIndex(DOUBLE, i);
        aa += a * a;
        ab += a * b;
        bb += b * b;
        difference += (a - b) * (a - b);
      }
      squares += aa;
      // Two outputs of nothing but zeros point the same way.
      cosines += aa * bb == 0 ? (aa == bb ? 1 : 0) : ab / Math.sqrt(aa * bb);
    }
    double relative = squares == 0 ? 0 : Math.sqrt(difference / squares);
    return new OutputChange(relative, cosines / tokens);
  }
}
