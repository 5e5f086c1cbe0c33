package io.gatun.tools.model;

import io.gatun.tools.matrix.Matrix;
import io.gatun.tools.matrix.WeightType;
import io.gatun.tools.safetensors.Checkpoint;
import io.gatun.tools.safetensors.Tensor;
import io.gatun.tools.safetensors.TensorSpec;
import io.gatun.tools.safetensors.TensorType;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.List;
import java.util.Set;

/** Where tensors are asked for by name and shape. */
interface TensorSource {
  /** A tensor of any shape where it lies; null if this only lists. */
  Tensor tensor(String name, long... shape);

  /** A matrix where it lies; null if this only lists. */
  default Matrix matrix(String name, long rows, int cols) {
    Tensor tensor = tensor(name, rows, cols);
    return tensor == null ? null : Matrix.of(tensor);
  }

  /** A vector in f32, outside the heap; null if the model does not have it. */
  MemorySegment vector(boolean present, String name, int size);

  /** A matrix in f32, outside the heap, {@code [rows][cols]}. */
  MemorySegment decoded(String name, int rows, int cols);

  /** A projection with its bias, if it has one. */
  default Linear linear(String name, int rows, int cols, boolean bias) {
    return new Linear(matrix(name + ".weight", rows, cols), vector(bias, name + ".bias", rows));
  }

  /**
   * The tensors of a checkpoint.
   *
   * @param asked gets the name of every tensor that was asked for
   */
  record Mapped(Checkpoint checkpoint, Arena arena, Set<String> asked) implements TensorSource {
    @Override
    public Tensor tensor(String name, long... shape) {
      asked.add(name);
      return checkpoint.weight(name, shape);
    }

    @Override
    public MemorySegment vector(boolean present, String name, int size) {
      if (!present) {
        return null;
      }
      Tensor tensor = tensor(name, size);
      MemorySegment values = arena.allocate(ValueLayout.JAVA_FLOAT, size);
      new Matrix(name, WeightType.of(tensor.type()), 1, size, tensor.data()).row(0, values, 0);
      return values;
    }

    @Override
    public MemorySegment decoded(String name, int rows, int cols) {
      Matrix matrix = matrix(name, rows, cols);
      MemorySegment values = arena.allocate(4L * rows * cols, 64);
      for (int row = 0; row < rows; row++) {
        matrix.row(row, values, 4L * row * cols);
      }
      return values;
    }
  }

  /** Notes what is asked for and gives nothing. */
  record Listing(TensorType type, List<TensorSpec> specs) implements TensorSource {
    @Override
    public Tensor tensor(String name, long... shape) {
      specs.add(TensorSpec.of(name, type, shape));
      return null;
    }

    @Override
    public MemorySegment vector(boolean present, String name, int size) {
      if (present) {
        specs.add(TensorSpec.of(name, type, size));
      }
      return null;
    }

    @Override
    public MemorySegment decoded(String name, int rows, int cols) {
      specs.add(TensorSpec.of(name, type, rows, cols));
      return null;
    }
  }
}
