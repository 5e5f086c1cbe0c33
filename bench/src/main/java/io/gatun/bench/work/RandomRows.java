package io.gatun.bench.work;

import io.gatun.cache.KvCache;
import io.gatun.cache.KvShape;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.function.LongConsumer;
import java.util.random.RandomGenerator;
import java.util.random.RandomGeneratorFactory;

/**
 * Gaussian keys, values and queries. A pool of some million values is drawn once, and batches of
 * rows begin at places of it that are drawn too: filling a cache of gigabytes takes seconds, and no
 * two rows of a layer that stand near each other are the same.
 *
 * <p>The pool lies outside the heap. Thread rules: one thread.
 */
public final class RandomRows implements AutoCloseable {
  /** Values of the pool: more than any batch of rows takes. */
  private static final int POOL = 1 << 22;

  /** Rows are appended in batches of so many values at most. */
  private static final int BATCH = 1 << 20;

  private final Arena arena = Arena.ofShared();
  private final MemorySegment pool = arena.allocate(POOL * (long) Float.BYTES, 64);
  private final RandomGenerator random;

  /** A source; the same seed gives the same rows. */
  public RandomRows(long seed) {
    random = RandomGeneratorFactory.of("L64X128MixRandom").create(seed);
    for (int i = 0; i < POOL; i++) {
      pool.setAtIndex(ValueLayout.JAVA_FLOAT, i, (float) random.nextGaussian());
    }
  }

  /** The next {@code values} values, f32; a slice that must not be written to. */
  public MemorySegment next(int values) {
    if (values > POOL) {
      throw new IllegalArgumentException("%d values of a pool of %d".formatted(values, POOL));
    }
    // At multiples of 16 values, so that slices stay aligned to 64 bytes.
    long from = 16L * random.nextInt((POOL - values) / 16 + 1);
    return pool.asSlice(from * Float.BYTES, (long) values * Float.BYTES);
  }

  /**
   * Appends rows to all layers of a cache until it has {@code tokens} tokens.
   *
   * @param progress told how many tokens were added after each batch
   */
  public void fill(KvCache cache, long tokens, LongConsumer progress) {
    KvShape shape = cache.shape();
    int keyValues = shape.kvHeads() * shape.keyDim();
    int valueValues = shape.kvHeads() * shape.valueDim();
    int most = Math.max(1, BATCH / Math.max(keyValues, valueValues));
    while (cache.length() < tokens) {
      int batch = (int) Math.min(most, tokens - cache.length());
      for (int layer = 0; layer < shape.layers(); layer++) {
        cache.append(layer, next(batch * keyValues), next(batch * valueValues), batch);
      }
      cache.advance(batch);
      progress.accept(batch);
    }
  }

  @Override
  public void close() {
    arena.close();
  }
}
