package io.gatun.attention;

import io.gatun.attention.code.Floats;
import io.gatun.cache.KvType;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;

/**
 * Scores on the Vector API: what does not depend on the vector width.
 *
 * <p>Each dot product has one accumulator, its lanes strided over the row, and as many dot products
 * run side by side as a vector has lanes. Their lane sums are then formed together and leave one
 * full vector of scores.
 */
abstract class VectorKeys implements KeyKernel {
  private static final ValueLayout.OfFloat FLOAT = ValueLayout.JAVA_FLOAT_UNALIGNED;

  private final RowFormat format;
  private final int dim;
  private final int stride;
  private final int inVectors;
  private final float queryScale;
  private final int[] order;

  VectorKeys(RowFormat format) {
    this.format = format;
    this.dim = format.dim();
    this.stride = VectorRows.stride(dim);
    this.inVectors = VectorRows.inVectors(dim);
    this.queryScale = VectorRows.queryScale(format.type());
    this.order = VectorRows.order(format.type(), dim);
  }

  @Override
  public final int stride() {
    return stride;
  }

  @Override
  public final void prepare(MemorySegment from, long offset, float[] to, int at) {
    if (format.type() == KvType.F32) {
      MemorySegment.copy(from, FLOAT, offset, to, at, dim);
      return;
    }
    for (int i = 0; i < dim; i++) {
      to[at + i] = from.get(FLOAT, offset + (long) order[i] * Float.BYTES) * queryScale;
    }
  }

  @Override
  public final void scores(
      MemorySegment keys,
      long offset,
      long scaleOffset,
      int tokens,
      Floats queries,
      int qAt,
      int rows,
      Floats to,
      int at,
      RowsAhead ahead) {
    float[] q = queries.array();
    float[] scores = to.array();
    if (rows == 1) {
      dotsOfOne(keys, offset, tokens, q, qAt, scores, at, ahead);
    } else {
      dots(keys, offset, tokens, q, qAt, scores, at, ahead);
    }
    if (inVectors < dim) {
      addTail(keys, offset, tokens, q, qAt, scores, at);
    }
  }

  /** {@link #scores} over the values that fill whole vectors. */
  abstract void dots(
      MemorySegment keys,
      long offset,
      int tokens,
      float[] q,
      int qAt,
      float[] scores,
      int at,
      RowsAhead ahead);

  /** The same where only the first row counts, as in multi-head attention: the same bits. */
  void dotsOfOne(
      MemorySegment keys,
      long offset,
      int tokens,
      float[] q,
      int qAt,
      float[] scores,
      int at,
      RowsAhead ahead) {
    dots(keys, offset, tokens, q, qAt, scores, at, ahead);
  }

  /** Adds the products of the values that fill no vector, one after the other. */
  private void addTail(
      MemorySegment keys, long offset, int tokens, float[] q, int qAt, float[] scores, int at) {
    int perVector = Lanes.COUNT / Kernels.ROWS;
    for (int t = 0; t < tokens; t++) {
      for (int row = 0; row < Kernels.ROWS; row++) {
        int index = at + t / perVector * Lanes.COUNT + row * perVector + t % perVector;
        float dot = scores[index];
        for (int i = inVectors; i < dim; i++) {
          float k = Elements.decode(format.type(), keys, offset + (long) t * format.rowBytes(), i);
          dot = Math.fma(q[qAt + row * stride + i] / queryScale, k, dot);
        }
        scores[index] = dot;
      }
    }
  }
}
