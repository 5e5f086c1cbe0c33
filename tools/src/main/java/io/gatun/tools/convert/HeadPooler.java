package io.gatun.tools.convert;

import io.gatun.cache.KvType;
import io.gatun.tools.safetensors.SafetensorsWriter;
import io.gatun.tools.safetensors.Tensor;
import io.gatun.tools.safetensors.TensorType;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.random.RandomGenerator;
import java.util.random.RandomGeneratorFactory;

/**
 * Pools the heads of a key or value projection, weight or bias:
 *
 * <pre>
 *   [heads][headDim][in]  ->  [groups][headDim][in]      in = 1 for a bias
 *   mean:   out[g][d][i] = sum over the heads h of group g of in[h][d][i] / groupSize
 * </pre>
 *
 * Sums are taken in double, so that the mean of equal values is that value.
 */
final class HeadPooler {
  private final int heads;
  private final int groups;
  private final Pooling pooling;
  private final long seed;

  /**
   * @param heads KV heads before
   * @param groups KV heads afterwards; divides heads
   * @param seed of random weights
   */
  HeadPooler(int heads, int groups, Pooling pooling, long seed) {
    this.heads = heads;
    this.groups = groups;
    this.pooling = pooling;
    this.seed = seed;
  }

  /** The pooled tensor, encoded in the type of {@code tensor}, in memory of {@code arena}. */
  MemorySegment pool(Tensor tensor, Arena arena) {
    MemorySegment from = tensor.data();
    long headBytes = from.byteSize() / heads;
    MemorySegment to = arena.allocate(headBytes * groups, 64);
    int groupSize = heads / groups;
    switch (pooling) {
      case MEAN -> {
        for (int g = 0; g < groups; g++) {
          MemorySegment group = from.asSlice(g * groupSize * headBytes, groupSize * headBytes);
          mean(tensor.type(), group, groupSize, to.asSlice(g * headBytes, headBytes));
        }
      }
      case FIRST -> {
        for (int g = 0; g < groups; g++) {
          MemorySegment.copy(from, g * groupSize * headBytes, to, g * headBytes, headBytes);
        }
      }
      case RANDOM -> random(tensor, to);
    }
    return to;
  }

  private static void mean(TensorType type, MemorySegment group, int heads, MemorySegment to) {
    long step = to.byteSize();
    int width = type.bytes();
    for (long at = 0; at < step; at += width) {
      double sum = 0;
      for (int h = 0; h < heads; h++) {
        sum += get(type, group, h * step + at);
      }
      set(type, to, at, (float) (sum / heads));
    }
  }

  private void random(Tensor tensor, MemorySegment to) {
    TensorType type = tensor.type();
    if (tensor.spec().shape().size() < 2) {
      return; // a bias: zeros
    }
    double squares = 0;
    for (long at = 0; at < tensor.data().byteSize(); at += type.bytes()) {
      double value = get(type, tensor.data(), at);
      squares += value * value;
    }
    double spread = Math.sqrt(squares / tensor.spec().elements());
    // By name, so that a tensor's weights do not depend on which others are pooled.
    RandomGenerator random =
        RandomGeneratorFactory.of("L64X128MixRandom").create(seed ^ tensor.name().hashCode());
    for (long at = 0; at < to.byteSize(); at += type.bytes()) {
      set(type, to, at, (float) (spread * random.nextGaussian()));
    }
  }

  /** Decodes one stored weight. */
  static float get(TensorType type, MemorySegment from, long at) {
    return switch (type) {
      case F32 -> from.get(KvType.LE_FLOAT, at);
      case F16 -> Float.float16ToFloat(from.get(KvType.LE_SHORT, at));
      case BF16 -> Float.intBitsToFloat(from.get(KvType.LE_SHORT, at) << 16);
      default -> throw new IllegalArgumentException("not a weight type: " + type);
    };
  }

  /** Encodes one weight, to nearest, ties to even. */
  static void set(TensorType type, MemorySegment to, long at, float value) {
    switch (type) {
      case F32 -> to.set(KvType.LE_FLOAT, at, value);
      case F16 -> to.set(KvType.LE_SHORT, at, Float.floatToFloat16(value));
      case BF16 -> to.set(KvType.LE_SHORT, at, SafetensorsWriter.toBf16(value));
      default -> throw new IllegalArgumentException("not a weight type: " + type);
    }
  }
}
