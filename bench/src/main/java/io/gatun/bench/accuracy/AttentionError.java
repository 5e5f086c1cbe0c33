package io.gatun.bench.accuracy;

import io.gatun.attention.AttentionOptions;
import io.gatun.attention.GqaAttention;
import io.gatun.attention.ReferenceAttention;
import io.gatun.attention.Team;
import io.gatun.bench.work.Heads;
import io.gatun.cache.KvCache;
import io.gatun.cache.KvShape;
import io.gatun.cache.KvType;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.Random;

/**
 * The error that an element type leaves in attention's output, against the formula in double over
 * the K/V as they were given: {@code |out - reference| / |reference|}, Euclidean over all heads and
 * queries.
 */
public final class AttentionError implements AutoCloseable {
  /** The channels that outliers sit in, and how much larger they are. */
  static final int[] OUTLIER_CHANNELS = {3, 40, 77, 100};

  static final float OUTLIER = 20;

  private static final int QUERIES = 4;

  /** Shared, since the threads of the team read from it. */
  private final Arena arena = Arena.ofShared();

  private final Heads heads;
  private final int context;
  private final Team team;
  private final MemorySegment keys; // [context][kvHeads][dim]
  private final MemorySegment values; // [context][kvHeads][dim]
  private final MemorySegment queries; // [QUERIES][numHeads][dim]
  private final double[] reference; // [QUERIES][numHeads][dim]

  /**
   * Draws K, V and queries and works out the reference.
   *
   * @param outliers whether {@link #OUTLIER_CHANNELS} of K and V are {@link #OUTLIER} times as large
   */
  public AttentionError(Heads heads, int context, boolean outliers, long seed, Team team) {
    this.heads = heads;
    this.context = context;
    this.team = team;
    Random random = new Random(seed);
    this.keys = rows(random, context * heads.numKvHeads(), outliers);
    this.values = rows(random, context * heads.numKvHeads(), outliers);
    this.queries = rows(random, QUERIES * heads.numHeads(), false);
    try (KvCache cache = cache(KvType.F32)) {
      this.reference = ReferenceAttention.attend(cache.live(), 0, options(), QUERIES, queries);
    }
  }

  private MemorySegment rows(Random random, int count, boolean outliers) {
    int dim = heads.headDim();
    MemorySegment rows = arena.allocate((long) count * dim * Float.BYTES, 64);
    for (long i = 0; i < (long) count * dim; i++) {
      float value = (float) random.nextGaussian();
      for (int channel : OUTLIER_CHANNELS) {
        value *= outliers && i % dim == channel ? OUTLIER : 1;
      }
      rows.setAtIndex(ValueLayout.JAVA_FLOAT, i, value);
    }
    return rows;
  }

  private KvCache cache(KvType type) {
    KvShape shape = heads.shape(1);
    KvCache cache = KvCache.builder(shape).type(type).build();
    cache.append(0, keys, values, context);
    cache.advance(context);
    return cache;
  }

  private AttentionOptions options() {
    return AttentionOptions.of(heads.numHeads(), heads.headDim());
  }

  /** The relative error with K and V of this type. */
  public double of(KvType type) {
    MemorySegment out = arena.allocate(queries.byteSize(), 64);
    try (KvCache cache = cache(type);
        GqaAttention attention = GqaAttention.create(cache.layout(), options(), team)) {
      attention.prefill(cache.live(), 0, QUERIES, queries, out);
    }
    double error = 0;
    double power = 0;
    for (int i = 0; i < reference.length; i++) {
      double rest = out.getAtIndex(ValueLayout.JAVA_FLOAT, i) - reference[i];
      error += rest * rest;
      power += reference[i] * reference[i];
    }
    return Math.sqrt(error / power);
  }

  @Override
  public void close() {
    arena.close();
  }
}
