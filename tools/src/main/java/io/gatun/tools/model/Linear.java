package io.gatun.tools.model;

import io.gatun.tools.matrix.Matrix;
import io.gatun.tools.matrix.Projection;
import java.lang.foreign.MemorySegment;
import java.util.function.UnaryOperator;

/**
 * A projection's weights.
 *
 * @param weight {@code [outputs][inputs]}
 * @param bias f32 {@code [outputs]}; null for none
 */
record Linear(Matrix weight, MemorySegment bias) {
  Linear inForm(UnaryOperator<Matrix> form) {
    return new Linear(form.apply(weight), bias);
  }

  /** The product that writes to {@code out}, or adds to what stands there. */
  Projection to(MemorySegment out, boolean adds) {
    return new Projection(weight, bias, out, adds);
  }
}
