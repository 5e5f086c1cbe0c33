package io.gatun.attention;

import io.gatun.cache.KvShape;
import io.gatun.cache.KvView;
import io.gatun.cache.RowReader;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;

/**
 * The attention of one head for one token in double, for when scores or sums go beyond the range of
 * floats: no product or sum of finite floats leaves that of doubles, and a weighted mean of finite
 * values is finite. Many times slower than the kernels; it depends on nothing but the row itself, so
 * results stay the same however the work is cut.
 *
 * <p>One use.
 */
final class WideRow {
  private static final ValueLayout.OfFloat FLOAT = ValueLayout.JAVA_FLOAT_UNALIGNED;

  private final KvView view;
  private final int layer;
  private final int head;
  private final int kvHead;
  private final AttentionOptions options;
  private final long position;
  private final int[] path;
  private final float[] query;
  private final float[] key;
  private final float[] value;
  private final double[] sums;
  private double maximum;
  private double total;

  /**
   * The row of a head.
   *
   * @param sinkLogit minus infinity for none
   * @param position of the token
   * @param path if the token is of a tree, the tokens of the tree that it sees, the last of them
   *     itself; else empty
   */
  WideRow(
      KvView view,
      int layer,
      int head,
      int kvHead,
      AttentionOptions options,
      float sinkLogit,
      long position,
      int[] path) {
    KvShape shape = view.layout().shape();
    this.view = view;
    this.layer = layer;
    this.head = head;
    this.kvHead = kvHead;
    this.options = options;
    this.position = position;
    this.path = path;
    this.query = new float[shape.keyDim()];
    this.key = new float[shape.keyDim()];
    this.value = new float[shape.valueDim()];
    this.sums = new double[shape.valueDim()];
    this.maximum = sinkLogit;
    this.total = sinkLogit == Float.NEGATIVE_INFINITY ? 0 : 1;
  }

  /**
   * Attends.
   *
   * @param q f32 {@code [rows][keyDim]}
   * @param row of {@code q}, and of the result
   * @param out f32 {@code [rows][valueDim]}
   */
  void attend(MemorySegment q, long row, MemorySegment out) {
    MemorySegment.copy(q, FLOAT, row * query.length * Float.BYTES, query, 0, query.length);
    check(query, "query value", position);
    long first = position + 1 - path.length;
    for (long at = 0; at <= position; at++) {
      if (options.sees(position, at)) {
        take(at < first ? at : first + path[(int) (at - first)]);
      }
    }
    for (int d = 0; d < sums.length; d++) {
      float mean = (float) (sums[d] / total);
      out.set(FLOAT, (row * sums.length + d) * Float.BYTES, mean + 0f);
    }
  }

  private void take(long token) {
    RowReader.key(view, layer, kvHead, token, key);
    check(key, "key value", token);
    double dot = 0;
    for (int d = 0; d < key.length; d++) {
      dot += (double) query[d] * key[d];
    }
    double score = dot * options.scale();
    if (options.softCap() > 0) {
      score = options.softCap() * Math.tanh(score / options.softCap());
    }
    if (score > maximum) {
      double correction = Math.exp(maximum - score);
      total *= correction;
      for (int d = 0; d < sums.length; d++) {
        sums[d] *= correction;
      }
      maximum = score;
    }
    double weight = Math.exp(score - maximum);
    RowReader.value(view, layer, kvHead, token, value);
    check(value, "value", token);
    total += weight;
    for (int d = 0; d < sums.length; d++) {
      sums[d] += weight * value[d];
    }
  }

  private void check(float[] row, String what, long token) {
    for (int d = 0; d < row.length; d++) {
      if (!Float.isFinite(row[d])) {
        throw new NotFiniteException(
            layer,
            head,
            "%s %d of token %,d is %s; attention needs finite queries, keys and values, so look where it was computed"
                .formatted(what, d, token, row[d]));
      }
    }
  }
}
