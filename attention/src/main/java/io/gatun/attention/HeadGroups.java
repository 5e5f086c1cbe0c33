package io.gatun.attention;

import io.gatun.cache.KvLayout;
import io.gatun.cache.KvView;
import java.lang.foreign.MemorySegment;

/**
 * What all calls of an attention have in common: shapes, options, and the workers' scratch. A query
 * is the vectors of one token; its query heads of one KV head, a group, are rows of a {@link
 * RowBlock}.
 *
 * @param sinkLogits {@code [numHeads]}, or null for none
 * @param workers scratch, one for each thread of the team
 * @param queriesPerTask queries whose groups a worker's scratch has room for
 */
record HeadGroups(
    KvLayout layout,
    AttentionOptions options,
    float[] sinkLogits,
    RowBlock[] workers,
    int queriesPerTask) {
  /** Query heads of a KV head. */
  int group() {
    return options.numHeads() / kvHeads();
  }

  int kvHeads() {
    return layout.shape().kvHeads();
  }

  /** Adds the group of a query, {@code q} being f32 {@code [queries][numHeads][keyDim]}. */
  void add(RowBlock rows, MemorySegment q, int query, int kvHead, long position) {
    long bytes = (long) layout.shape().keyDim() * Float.BYTES;
    long row = firstRow(query, kvHead);
    for (int i = 0; i < group(); i++) {
      rows.add(q, (row + i) * bytes, position);
    }
  }

  /**
   * Writes the results of a query's group, {@code out} being f32 {@code
   * [queries][numHeads][valueDim]}. Those that went beyond the range of floats are computed anew.
   *
   * @param at the group's first row in {@code rows}
   * @param tree whose token the query is, or null
   * @throws NotFiniteException if a query or row that was read is not finite
   */
  void finish(
      RowBlock rows,
      int at,
      KvView view,
      int layer,
      TokenTree tree,
      MemorySegment q,
      MemorySegment out,
      int query,
      int kvHead,
      long position) {
    long bytes = (long) layout.shape().valueDim() * Float.BYTES;
    long row = firstRow(query, kvHead);
    for (int i = 0; i < group(); i++) {
      int head = kvHead * group() + i;
      if (!rows.finish(at + i, sinkLogit(head), out, (row + i) * bytes)) {
        int[] path = tree == null ? new int[0] : tree.path(query);
        new WideRow(view, layer, head, kvHead, options, sinkLogit(head), position, path)
            .attend(q, row + i, out);
      }
    }
  }

  private long firstRow(int query, int kvHead) {
    return (long) query * options.numHeads() + (long) kvHead * group();
  }

  private float sinkLogit(int head) {
    return sinkLogits == null ? Float.NEGATIVE_INFINITY : sinkLogits[head];
  }
}
