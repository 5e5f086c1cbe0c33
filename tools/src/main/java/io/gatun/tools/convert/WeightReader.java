package io.gatun.tools.convert;

import io.gatun.attention.Team;
import io.gatun.cache.KvType;
import io.gatun.tools.safetensors.Tensor;
import io.gatun.tools.safetensors.TensorType;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;

/** Decodes stored weights to f64 and back. Nothing goes over the heap. */
final class WeightReader {
  private static final ValueLayout.OfDouble DOUBLE = ValueLayout.JAVA_DOUBLE;

  /** Weights of a task. */
  private static final long BAND = 1 << 16;

  private WeightReader() {}

  /** All weights of a tensor in f64, in memory of {@code arena}, which must be shared. */
  static MemorySegment read(Tensor tensor, Arena arena, Team team) {
    return read(tensor.type(), tensor.data(), arena, team);
  }

  /** All weights of {@code from} in f64, in memory of {@code arena}, which must be shared. */
  static MemorySegment read(TensorType type, MemorySegment from, Arena arena, Team team) {
    long count = from.byteSize() / type.bytes();
    MemorySegment to = arena.allocate(count * Double.BYTES, 64);
    team.run(
        Math.toIntExact(Math.ceilDiv(count, BAND)),
        (band, worker) -> {
          long start = band * BAND;
          long n = Math.min(BAND, count - start);
          decode(
              type,
              from.asSlice(start * type.bytes(), n * type.bytes()),
              to.asSlice(start * Double.BYTES, n * Double.BYTES));
        });
    return to;
  }

  /** Decodes every weight of {@code from} into the front of {@code to}. */
  static void decode(TensorType type, MemorySegment from, MemorySegment to) {
    long count = from.byteSize() / type.bytes();
    switch (type) {
      case F32 -> {
        for (long i = 0; i < count; i++) {
          to.setAtIndex(DOUBLE, i, from.get(KvType.LE_FLOAT, 4 * i));
        }
      }
      case F16 -> {
        for (long i = 0; i < count; i++) {
          to.setAtIndex(DOUBLE, i, Float.float16ToFloat(from.get(KvType.LE_SHORT, 2 * i)));
        }
      }
      case BF16 -> {
        for (long i = 0; i < count; i++) {
          int bits = from.get(KvType.LE_SHORT, 2 * i) << 16;
          to.setAtIndex(DOUBLE, i, Float.intBitsToFloat(bits));
        }
      }
      default -> throw new IllegalArgumentException("not a weight type: " + type);
    }
  }

  /** Encodes f64 weights, to nearest, ties to even, in memory of {@code arena}. */
  static MemorySegment encode(TensorType type, MemorySegment from, Arena arena) {
    long count = from.byteSize() / Double.BYTES;
    MemorySegment to = arena.allocate(count * type.bytes(), 64);
    for (long i = 0; i < count; i++) {
      HeadPooler.set(type, to, i * type.bytes(), (float) from.getAtIndex(DOUBLE, i));
    }
    return to;
  }
}
