package io.gatun.tools.safetensors;

import java.util.List;
import java.util.Objects;

/**
 * A tensor's name, element type and shape.
 *
 * @param shape extent of each dimension, outermost first; empty for a single number
 */
public record TensorSpec(String name, TensorType type, List<Long> shape) {
  /** Checks the extents. */
  public TensorSpec {
    Objects.requireNonNull(name, "name");
    Objects.requireNonNull(type, "type");
    shape = List.copyOf(shape);
    for (long extent : shape) {
      if (extent < 0) {
        throw new IllegalArgumentException(
            "tensor %s: shape %s has a negative extent".formatted(name, shape));
      }
    }
  }

  /** A tensor with one or more dimensions. */
  public static TensorSpec of(String name, TensorType type, long... shape) {
    return new TensorSpec(name, type, java.util.Arrays.stream(shape).boxed().toList());
  }

  /**
   * Number of elements.
   *
   * @throws ArithmeticException if it passes 2^63
   */
  public long elements() {
    long product = 1;
    for (long extent : shape) {
      product = Math.multiplyExact(product, extent);
    }
    return product;
  }

  /**
   * Number of bytes.
   *
   * @throws ArithmeticException if it passes 2^63
   */
  public long bytes() {
    return Math.multiplyExact(elements(), (long) type.bytes());
  }
}
