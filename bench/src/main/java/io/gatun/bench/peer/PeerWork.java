package io.gatun.bench.peer;

import io.gatun.bench.work.Heads;
import io.gatun.cache.KvLayout;
import io.gatun.cache.KvView;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;

/**
 * The keys, values and query that a peer is given: those of an F32 cache of Gatun's.
 *
 * <p>Thread rules: any, while the cache is open.
 */
public final class PeerWork {
  /**
   * How much there is.
   *
   * @param heads query heads, KV heads, dims
   * @param context tokens of each layer
   * @param layers layers that rotate
   * @param threads threads that may compute
   */
  public record Size(Heads heads, int context, int layers, int threads) {
    /** Floats of the keys of one layer, and of its values. */
    public int layerFloats() {
      return Math.toIntExact((long) context * heads.numKvHeads() * heads.headDim());
    }

    /** Floats of one token's keys in a layer: all KV heads. */
    public int tokenFloats() {
      return heads.numKvHeads() * heads.headDim();
    }

    /** Floats of the query, and of the output. */
    public int queryFloats() {
      return heads.numHeads() * heads.headDim();
    }

    /** Bytes of keys and values of all layers as floats. */
    public long totalBytes() {
      return 2L * layers * layerFloats() * Float.BYTES;
    }
  }

  private final Size size;
  private final KvView view;
  private final float[] query; // [numHeads][headDim]

  /** Work over the rows of an F32 view, which must stay open. */
  public PeerWork(Size size, KvView view, MemorySegment query) {
    this.size = size;
    this.view = view;
    this.query = query.toArray(ValueLayout.JAVA_FLOAT);
  }

  /** How much there is. */
  public Size size() {
    return size;
  }

  /** The query, {@code [numHeads][headDim]}; not to be written to. */
  public float[] query() {
    return query;
  }

  /** Copies the keys of a layer as {@code [kvHeads][context][headDim]}. */
  public void keysByHead(int layer, MemorySegment to) {
    byHead(true, layer, to);
  }

  /** Copies the values of a layer as {@code [kvHeads][context][headDim]}. */
  public void valuesByHead(int layer, MemorySegment to) {
    byHead(false, layer, to);
  }

  /** Copies keys of a layer as {@code [tokens][kvHeads][headDim]}, from the token {@code first}. */
  public void keysByToken(int layer, int first, int tokens, MemorySegment to) {
    byToken(true, layer, first, tokens, to);
  }

  /** Copies values of a layer as {@code [tokens][kvHeads][headDim]}, from the token {@code first}. */
  public void valuesByToken(int layer, int first, int tokens, MemorySegment to) {
    byToken(false, layer, first, tokens, to);
  }

  private void byHead(boolean keys, int layer, MemorySegment to) {
    long rowBytes = (long) size.heads().headDim() * Float.BYTES;
    for (int head = 0; head < size.heads().numKvHeads(); head++) {
      for (int run = 0; run < view.runs(); run++) {
        MemorySegment.copy(
            segment(keys, run),
            offset(keys, layer, head, 0),
            to,
            (head * (long) size.context() + view.runStart(run)) * rowBytes,
            view.runTokens(run) * rowBytes);
      }
    }
  }

  private void byToken(boolean keys, int layer, int first, int tokens, MemorySegment to) {
    long rowBytes = (long) size.heads().headDim() * Float.BYTES;
    int kvHeads = size.heads().numKvHeads();
    for (int token = first; token < first + tokens; token++) {
      int run = view.runAt(token);
      int row = (int) (token - view.runStart(run));
      for (int head = 0; head < kvHeads; head++) {
        MemorySegment.copy(
            segment(keys, run),
            offset(keys, layer, head, row),
            to,
            ((token - first) * (long) kvHeads + head) * rowBytes,
            rowBytes);
      }
    }
  }

  private MemorySegment segment(boolean keys, int run) {
    return keys ? view.keys(run) : view.values(run);
  }

  private long offset(boolean keys, int layer, int head, int row) {
    KvLayout layout = view.layout();
    return keys ? layout.keyOffset(layer, head, row) : layout.valueOffset(layer, head, row);
  }
}
