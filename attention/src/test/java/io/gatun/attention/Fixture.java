package io.gatun.attention;

import io.gatun.cache.KvCache;
import io.gatun.cache.KvLayout;
import io.gatun.cache.KvShape;
import io.gatun.cache.KvType;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;

/** A cache with random rows, and queries for it. */
final class Fixture implements AutoCloseable {
  /** The element types, less those that differ from another only in that rows are not rotated. */
  static final List<KvType> TYPES =
      List.of(KvType.F32, KvType.F16, KvType.BF16, KvType.Q8, KvType.Q4);

  final AttentionOptions options;
  final KvCache cache;
  final Random random;
  private final Arena arena = Arena.ofShared();

  Fixture(long seed, KvShape shape, KvType keys, KvType values, int blockTokens, int numHeads) {
    random = new Random(seed);
    options = AttentionOptions.of(numHeads, shape.keyDim());
    cache = KvCache.builder(shape).types(keys, values).blockTokens(blockTokens).build();
  }

  /** All types in two shapes, 4 and 14 query heads, with 700 tokens each. */
  static List<Fixture> ofTenFormats() {
    List<Fixture> fixtures = new ArrayList<>();
    for (KvShape shape : List.of(new KvShape(1, 1, 128, 128), new KvShape(1, 2, 64, 64))) {
      for (KvType type : TYPES) {
        Fixture f = new Fixture(5, shape, type, type, 1024, shape.kvHeads() == 1 ? 4 : 14);
        f.append(700);
        fixtures.add(f);
      }
    }
    return fixtures;
  }

  KvLayout layout() {
    return cache.layout();
  }

  /** Random floats, gaussian. */
  MemorySegment gaussian(long count) {
    MemorySegment rows = arena.allocate(count * Float.BYTES, 64);
    for (long i = 0; i < count; i++) {
      rows.setAtIndex(ValueLayout.JAVA_FLOAT, i, (float) random.nextGaussian());
    }
    return rows;
  }

  MemorySegment zeros(long count) {
    return arena.allocate(count * Float.BYTES, 64);
  }

  /** Appends gaussian rows to all layers. */
  void append(int tokens) {
    append(cache, tokens);
  }

  void append(KvCache to, int tokens) {
    KvShape shape = to.shape();
    for (int layer = 0; layer < shape.layers(); layer++) {
      to.append(
          layer,
          gaussian((long) tokens * shape.kvHeads() * shape.keyDim()),
          gaussian((long) tokens * shape.kvHeads() * shape.valueDim()),
          tokens);
    }
    to.advance(tokens);
  }

  MemorySegment queries(int tokens) {
    return gaussian((long) tokens * options.numHeads() * cache.shape().keyDim());
  }

  MemorySegment outputs(int tokens) {
    return zeros((long) tokens * options.numHeads() * cache.shape().valueDim());
  }

  /** The largest difference, as a share of the largest expected magnitude. */
  static double error(double[] expected, MemorySegment actual) {
    double largest = 0;
    double difference = 0;
    for (int i = 0; i < expected.length; i++) {
      float value = actual.getAtIndex(ValueLayout.JAVA_FLOAT, i);
      if (!Float.isFinite(value)) {
        return Double.POSITIVE_INFINITY;
      }
      largest = Math.max(largest, Math.abs(expected[i]));
      difference = Math.max(difference, Math.abs(expected[i] - value));
    }
    return difference / largest;
  }

  @Override
  public void close() {
    cache.close();
    arena.close();
  }
}
