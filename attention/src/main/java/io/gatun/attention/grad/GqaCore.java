package io.gatun.attention.grad;

import io.gatun.attention.Team;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;

/**
 * Causal grouped-query attention with its gradient, from q, k and v to the heads' outputs.
 *
 * <p>For query head {@code h} and its KV head {@code g = h / (numHeads / numKvHeads)}, query token
 * {@code t} and the tokens {@code j <= t} that it sees:
 *
 * <pre>
 *   s(t,j) = scale q(t,h).k(j,g)       L(t) = log sum_j exp s(t,j)        kept: L and o
 *   p(t,j) = exp(s(t,j) - L(t))        o(t,h) = sum_j p(t,j) v(j,g)
 * </pre>
 *
 * Backward, given do = dloss/do (FlashAttention-2, Dao 2023, section 2.3: p is computed again from
 * L, and D takes the place of the sum over p dp):
 *
 * <pre>
 *   D(t)    = do(t,h).o(t,h)
 *   ds(t,j) = p(t,j) (do(t,h).v(j,g) - D(t))
 *   dq(t,h) = scale sum_j ds(t,j) k(j,g)
 *   dk(j,g) = scale sum over the heads h of group g, and t >= j, of  ds(t,j) q(t,h)
 *   dv(j,g) =       sum over the heads h of group g, and t >= j, of  p(t,j) do(t,h)
 * </pre>
 *
 * The group's sums are what sharing a KV head means for training: dk and dv of GQA are those of MHA
 * with the heads of a group added up.
 *
 * <p>Memory: besides its arguments one row of scores for each thread; no matrix of tokens x tokens.
 * Thread rules: one call at a time for each team.
 */
public final class GqaCore {
  private static final ValueLayout.OfDouble DOUBLE = ValueLayout.JAVA_DOUBLE;

  /** Tokens of a task. */
  private static final int TILE = 32;

  /**
   * The shape of the attention.
   *
   * @param numHeads query heads
   * @param numKvHeads KV heads; divides numHeads
   * @param keyDim width of a query or key head
   * @param valueDim width of a value head
   * @param scale factor of the scores, usually 1/sqrt(keyDim)
   * @param window tokens that a token sees, itself included; 0: all before it
   */
  public record Shape(
      int numHeads, int numKvHeads, int keyDim, int valueDim, double scale, int window) {
    /** Checks the numbers against each other. */
    public Shape {
      if (numHeads < 1 || numKvHeads < 1 || keyDim < 1 || valueDim < 1) {
        throw new IllegalArgumentException(
            "%d heads, %d KV heads, key dim %d, value dim %d: one is not at least 1"
                .formatted(numHeads, numKvHeads, keyDim, valueDim));
      }
      if (numHeads % numKvHeads != 0) {
        throw new IllegalArgumentException(
            "%d query heads cannot be shared out evenly among %d KV heads"
                .formatted(numHeads, numKvHeads));
      }
      if (window < 0) {
        throw new IllegalArgumentException("window is %d, not at least 0".formatted(window));
      }
    }

    /** Heads as wide in the value as in the key, the usual scale, no window. */
    public static Shape of(int numHeads, int numKvHeads, int headDim) {
      return new Shape(numHeads, numKvHeads, headDim, headDim, 1 / Math.sqrt(headDim), 0);
    }

    /** The same with a sliding window; 0 for none. */
    public Shape withWindow(int tokens) {
      return new Shape(numHeads, numKvHeads, keyDim, valueDim, scale, tokens);
    }

    /** Query heads that share a KV head. */
    public int groupSize() {
      return numHeads / numKvHeads;
    }

    /** First token that token {@code t} sees. */
    int first(int t) {
      return window == 0 ? 0 : Math.max(0, t - window + 1);
    }

    /** Last token, of {@code tokens}, that sees token {@code j}. */
    int last(int j, int tokens) {
      return window == 0 ? tokens - 1 : Math.min(tokens - 1, j + window - 1);
    }
  }

  private final Shape shape;
  private final Team team;

  /** Attention of this shape, computed by this team. */
  public GqaCore(Shape shape, Team team) {
    this.shape = shape;
    this.team = team;
  }

  /** The shape. */
  public Shape shape() {
    return shape;
  }

  /**
   * Forward, over tokens {@code 0} to {@code tokens - 1}; all f64.
   *
   * @param q {@code [tokens][numHeads][keyDim]}
   * @param k {@code [tokens][numKvHeads][keyDim]}
   * @param v {@code [tokens][numKvHeads][valueDim]}
   * @param out receives {@code [tokens][numHeads][valueDim]}
   * @param logSum receives L, {@code [tokens][numHeads]}
   */
  public void forward(
      int tokens,
      MemorySegment q,
      MemorySegment k,
      MemorySegment v,
      MemorySegment out,
      MemorySegment logSum) {
    int tiles = Math.ceilDiv(tokens, TILE);
    try (Arena arena = Arena.ofShared()) {
      // [threads][tokens]
      MemorySegment scores = arena.allocate(DOUBLE, (long) team.threads() * tokens);
      team.run(
          shape.numHeads * tiles,
          (task, worker) -> {
            int head = task / tiles;
            int end = Math.min(tokens, (task % tiles + 1) * TILE);
            for (int t = task % tiles * TILE; t < end; t++) {
              MemorySegment row = scores.asSlice((long) worker * tokens * Double.BYTES);
              forwardRow(t, head, row, q, k, v, out, logSum);
            }
          });
    }
  }

  private void forwardRow(
      int t,
      int head,
      MemorySegment row,
      MemorySegment q,
      MemorySegment k,
      MemorySegment v,
      MemorySegment out,
      MemorySegment logSum) {
    int kvHead = head / shape.groupSize();
    long query = query(t, head);
    int first = shape.first(t);
    double largest = Double.NEGATIVE_INFINITY;
    for (int j = first; j <= t; j++) {
      double score = shape.scale * Rows.dot(q, query, k, key(j, kvHead), shape.keyDim);
      row.setAtIndex(DOUBLE, j, score);
      largest = Math.max(largest, score);
    }
    double sum = 0;
    for (int j = first; j <= t; j++) {
      sum += Math.exp(row.getAtIndex(DOUBLE, j) - largest);
    }
    double log = largest + Math.log(sum);
    logSum.setAtIndex(DOUBLE, (long) t * shape.numHeads + head, log);
    long to = output(t, head);
    out.asSlice(to * Double.BYTES, (long) shape.valueDim * Double.BYTES).fill((byte) 0);
    for (int j = first; j <= t; j++) {
      double weight = Math.exp(row.getAtIndex(DOUBLE, j) - log);
      Rows.addScaled(out, to, weight, v, value(j, kvHead), shape.valueDim);
    }
  }

  /**
   * Backward, after {@link #forward} on the same q, k and v.
   *
   * @param out as forward left it
   * @param logSum as forward left it
   * @param dOut gradient of the loss by out, {@code [tokens][numHeads][valueDim]}
   * @param dq receives the gradient by q, {@code [tokens][numHeads][keyDim]}
   * @param dk receives the gradient by k, {@code [tokens][numKvHeads][keyDim]}
   * @param dv receives the gradient by v, {@code [tokens][numKvHeads][valueDim]}
   */
  public void backward(
      int tokens,
      MemorySegment q,
      MemorySegment k,
      MemorySegment v,
      MemorySegment out,
      MemorySegment logSum,
      MemorySegment dOut,
      MemorySegment dq,
      MemorySegment dk,
      MemorySegment dv) {
    int tiles = Math.ceilDiv(tokens, TILE);
    try (Arena arena = Arena.ofShared()) {
      // D, [tokens][numHeads]
      MemorySegment dots = arena.allocate(DOUBLE, (long) tokens * shape.numHeads);
      // A row of dq belongs to one query token, a row of dk and dv to one key token: two passes,
      // so that no two threads add to the same row and the order of the sums is fixed.
      team.run(
          shape.numHeads * tiles,
          (task, worker) -> {
            int head = task / tiles;
            int end = Math.min(tokens, (task % tiles + 1) * TILE);
            for (int t = task % tiles * TILE; t < end; t++) {
              double dot = Rows.dot(dOut, output(t, head), out, output(t, head), shape.valueDim);
              dots.setAtIndex(DOUBLE, (long) t * shape.numHeads + head, dot);
              queryRow(t, head, q, k, v, logSum, dots, dOut, dq);
            }
          });
      team.run(
          shape.numKvHeads * tiles,
          (task, worker) -> {
            int kvHead = task / tiles;
            int end = Math.min(tokens, (task % tiles + 1) * TILE);
            for (int j = task % tiles * TILE; j < end; j++) {
              keyRow(j, kvHead, tokens, q, k, v, logSum, dots, dOut, dk, dv);
            }
          });
    }
  }

  private void queryRow(
      int t,
      int head,
      MemorySegment q,
      MemorySegment k,
      MemorySegment v,
      MemorySegment logSum,
      MemorySegment dots,
      MemorySegment dOut,
      MemorySegment dq) {
    int kvHead = head / shape.groupSize();
    long query = query(t, head);
    dq.asSlice(query * Double.BYTES, (long) shape.keyDim * Double.BYTES).fill((byte) 0);
    for (int j = shape.first(t); j <= t; j++) {
      double p = weight(t, head, j, q, k, logSum);
      double ds = p * scoreGradient(t, head, j, v, dots, dOut);
      Rows.addScaled(dq, query, shape.scale * ds, k, key(j, kvHead), shape.keyDim);
    }
  }

  private void keyRow(
      int j,
      int kvHead,
      int tokens,
      MemorySegment q,
      MemorySegment k,
      MemorySegment v,
      MemorySegment logSum,
      MemorySegment dots,
      MemorySegment dOut,
      MemorySegment dk,
      MemorySegment dv) {
    long key = key(j, kvHead);
    long value = value(j, kvHead);
    dk.asSlice(key * Double.BYTES, (long) shape.keyDim * Double.BYTES).fill((byte) 0);
    dv.asSlice(value * Double.BYTES, (long) shape.valueDim * Double.BYTES).fill((byte) 0);
    int group = shape.groupSize();
    int last = shape.last(j, tokens);
    for (int head = kvHead * group; head < (kvHead + 1) * group; head++) {
      for (int t = j; t <= last; t++) {
        double p = weight(t, head, j, q, k, logSum);
        double ds = p * scoreGradient(t, head, j, v, dots, dOut);
        Rows.addScaled(dk, key, shape.scale * ds, q, query(t, head), shape.keyDim);
        Rows.addScaled(dv, value, p, dOut, output(t, head), shape.valueDim);
      }
    }
  }

  /** p(t, j) of a head. */
  private double weight(
      int t, int head, int j, MemorySegment q, MemorySegment k, MemorySegment logSum) {
    long key = key(j, head / shape.groupSize());
    double score = shape.scale * Rows.dot(q, query(t, head), k, key, shape.keyDim);
    return Math.exp(score - logSum.getAtIndex(DOUBLE, (long) t * shape.numHeads + head));
  }

  /** do(t, head).v(j) - D(t, head) */
  private double scoreGradient(
      int t, int head, int j, MemorySegment v, MemorySegment dots, MemorySegment dOut) {
    long value = value(j, head / shape.groupSize());
    return Rows.dot(dOut, output(t, head), v, value, shape.valueDim)
        - dots.getAtIndex(DOUBLE, (long) t * shape.numHeads + head);
  }

  private long query(int token, int head) {
    return ((long) token * shape.numHeads + head) * shape.keyDim;
  }

  private long key(int token, int kvHead) {
    return ((long) token * shape.numKvHeads + kvHead) * shape.keyDim;
  }

  private long value(int token, int kvHead) {
    return ((long) token * shape.numKvHeads + kvHead) * shape.valueDim;
  }

  private long output(int token, int head) {
    return ((long) token * shape.numHeads + head) * shape.valueDim;
  }
}
