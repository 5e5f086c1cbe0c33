package io.gatun.bench.scaling;

import io.gatun.attention.AttentionOptions;
import io.gatun.attention.GqaAttention;
import io.gatun.attention.Team;
import io.gatun.bench.work.Heads;
import io.gatun.bench.work.LayerBytes;
import io.gatun.bench.work.RandomRows;
import io.gatun.bench.work.Storage;
import io.gatun.cache.KvCache;
import io.gatun.cache.KvLayout;
import io.gatun.tools.yardstick.ReadCeiling;
import io.gatun.tools.yardstick.Workers;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.function.LongConsumer;

/**
 * A cache that grows from context to context, and a whole decode step over it: all layers, one
 * query token. Thread rules: one caller at a time.
 */
final class GrowingWork implements AutoCloseable {
  private final KvLayout layout;
  private final KvCache cache;
  private final RandomRows rows = new RandomRows(1);
  private final GqaAttention attention;
  private final Workers workers;
  private final MemorySegment query; // f32 [numHeads][headDim]
  private final MemorySegment out; // f32 [numHeads][headDim]
  private ReadCeiling ceiling;

  GrowingWork(
      KvLayout layout, Heads heads, Storage storage, Path folder, Team team, Workers workers) {
    this.layout = layout;
    this.cache = storage.open(layout, folder);
    this.workers = workers;
    int values = heads.numHeads() * heads.headDim();
    this.query = Arena.ofAuto().allocate(values * (long) Float.BYTES, 64);
    this.out = Arena.ofAuto().allocate(values * (long) Float.BYTES, 64);
    query.copyFrom(rows.next(values));
    AttentionOptions options = AttentionOptions.of(heads.numHeads(), heads.headDim());
    this.attention = GqaAttention.create(layout, options, team);
  }

  /** Grows to so many tokens. */
  void grow(long tokens, LongConsumer progress) {
    rows.fill(cache, tokens, progress);
    List<MemorySegment> all = new ArrayList<>();
    for (int layer = 0; layer < layout.shape().layers(); layer++) {
      all.addAll(LayerBytes.of(cache.live(), layer));
    }
    ceiling = new ReadCeiling(all, workers);
  }

  /** One decode step: all layers. */
  void step() {
    for (int layer = 0; layer < layout.shape().layers(); layer++) {
      attention.decode(cache.live(), layer, query, out);
    }
  }

  /** Reads the bytes of all layers. */
  void read() {
    ceiling.read();
  }

  /** A value of the output, for tests. */
  float first() {
    return out.get(ValueLayout.JAVA_FLOAT, 0);
  }

  /** Bytes of K and V that a step reads. */
  long stepBytes() {
    return cache.length() * layout.bytesPerToken();
  }

  /** Bytes of the blocks. */
  long blockBytes() {
    return cache.blockBytes();
  }

  @Override
  public void close() {
    attention.close();
    cache.close();
    rows.close();
  }
}
