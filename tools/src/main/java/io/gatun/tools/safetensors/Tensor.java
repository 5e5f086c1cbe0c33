package io.gatun.tools.safetensors;

import java.lang.foreign.MemorySegment;
import java.nio.file.Path;

/**
 * A tensor of a mapped file.
 *
 * @param data its elements, row-major, little-endian, read-only, of any alignment; valid until the
 *     file is closed
 * @param file where it lies, for messages
 */
public record Tensor(TensorSpec spec, MemorySegment data, Path file) {
  /** Its name. */
  public String name() {
    return spec.name();
  }

  /** Its element type. */
  public TensorType type() {
    return spec.type();
  }
}
