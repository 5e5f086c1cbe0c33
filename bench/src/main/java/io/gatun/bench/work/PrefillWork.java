package io.gatun.bench.work;

import io.gatun.attention.AttentionOptions;
import io.gatun.attention.GqaAttention;
import io.gatun.attention.Team;
import io.gatun.cache.KvCache;
import io.gatun.cache.KvLayout;
import io.gatun.cache.KvType;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;

/**
 * The attention of the last query tokens of a filled cache of one layer: what a prompt costs.
 *
 * <p>Thread rules: one caller at a time.
 */
public final class PrefillWork implements AutoCloseable {
  /** Queries of {@link #prefillFew}: they fill the tiles of several tasks. */
  private static final int FEW = 32;

  private final Heads heads;
  private final long context;
  private final int queries;
  private final KvCache cache;
  private final GqaAttention attention;
  private final Arena arena = Arena.ofShared();
  private final MemorySegment q; // f32 [queries][numHeads][headDim]
  private final MemorySegment out; // f32 [queries][numHeads][headDim]

  /** Fills a cache in anonymous memory; the team's threads compute. */
  public PrefillWork(Heads heads, KvType type, long context, int queries, Team team) {
    this.heads = heads;
    this.context = context;
    this.queries = queries;
    KvLayout layout = KvLayout.of(heads.shape(1), type);
    this.cache = Storage.ANONYMOUS.open(layout, null);
    int rowValues = heads.numHeads() * heads.headDim();
    long rowBytes = (long) rowValues * Float.BYTES;
    this.q = arena.allocate(queries * rowBytes, 64);
    this.out = arena.allocate(queries * rowBytes, 64);
    try (RandomRows rows = new RandomRows(context)) {
      rows.fill(cache, context, tokens -> {});
      for (int query = 0; query < queries; query++) {
        q.asSlice(query * rowBytes, rowBytes).copyFrom(rows.next(rowValues));
      }
    }
    AttentionOptions options = AttentionOptions.of(heads.numHeads(), heads.headDim());
    this.attention = GqaAttention.create(layout, options, team);
  }

  /** Computes all queries. */
  public void prefill(int index) {
    attention.prefill(cache.live(), 0, queries, q, out);
  }

  /** Computes some of the queries: the same code, in a time that lets a warm-up count its calls. */
  public void prefillFew(int index) {
    attention.prefill(cache.live(), 0, Math.min(queries, FEW), q, out);
  }

  /**
   * Floating-point operations that this takes: per query, head and visible token one multiply and
   * one add for each key dim and each value dim. Softmax is not counted, nor what is masked.
   */
  public double operations() {
    double visible = 0;
    for (int query = 0; query < queries; query++) {
      visible += context - queries + query + 1;
    }
    return visible * heads.numHeads() * heads.headDim() * 4;
  }

  @Override
  public void close() {
    attention.close();
    cache.close();
    arena.close();
  }
}
