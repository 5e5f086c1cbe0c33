package io.gatun.tools.matrix;

import io.gatun.tools.safetensors.Tensor;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.Objects;

/**
 * A weight matrix where it lies.
 *
 * @param name of the tensor
 * @param rows outputs
 * @param cols inputs
 * @param data {@code [rows]}, {@link WeightType#rowBytes} each, little-endian, any alignment
 */
public record Matrix(String name, WeightType type, long rows, int cols, MemorySegment data) {
  /** Checks the size of the data. */
  public Matrix {
    if (rows < 1 || cols < 1 || data.byteSize() != Math.multiplyExact(rows, type.rowBytes(cols))) {
      throw new IllegalArgumentException(
          "%s: %d x %d weights of type %s in %d bytes"
              .formatted(name, rows, cols, type, data.byteSize()));
    }
  }

  /** A tensor of two dimensions as a matrix. */
  public static Matrix of(Tensor tensor) {
    if (tensor.spec().shape().size() != 2) {
      throw new IllegalArgumentException(
          "%s has shape %s, not two dimensions".formatted(tensor.name(), tensor.spec().shape()));
    }
    long rows = tensor.spec().shape().get(0);
    int cols = Math.toIntExact(tensor.spec().shape().get(1));
    return new Matrix(tensor.name(), WeightType.of(tensor.type()), rows, cols, tensor.data());
  }

  /** Bytes of the weights. */
  public long bytes() {
    return data.byteSize();
  }

  /**
   * Decodes one row.
   *
   * @param out f32, gets {@code [cols]}, from byte {@code outAt} on
   */
  public void row(long row, MemorySegment out, long outAt) {
    Objects.checkIndex(row, rows);
    long from = row * type.rowBytes(cols);
    for (int c = 0; c < cols; c++) {
      float value = type.value(data, from, cols, c);
      out.set(ValueLayout.JAVA_FLOAT_UNALIGNED, outAt + 4L * c, value);
    }
  }
}
