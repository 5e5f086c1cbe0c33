package io.gatun.attention.grad;

import io.gatun.attention.RopeConfig;
import io.gatun.attention.Team;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;

/**
 * An attention layer with its projections, forward and backward, over a whole text at once:
 *
 * <pre>
 *   x [tokens][hidden]
 *   q' = x transpose(Wq) + bq     k' = x transpose(Wk) + bk     v = x transpose(Wv) + bv
 *   q  = rotate(norm(q'))         k  = rotate(norm(k'))                 norm and rotation if given
 *   o  = attention(q, k, v)                                             {@link GqaCore}
 *   y  = o transpose(Wo) + bo
 * </pre>
 *
 * Backward, given dy = dloss/dy:
 *
 * <pre>
 *   dWo = transpose(dy) o         do = dy Wo
 *   dq, dk, dv                                                          {@link GqaCore}
 *   dq' = dnorm(turned back dq)   dk' likewise
 *   dWq = transpose(dq') x        dWk = transpose(dk') x        dWv = transpose(dv) x
 *   dx  = dq' Wq + dk' Wk + dv Wv
 * </pre>
 *
 * Biases and norm weights take part and are not differentiated by.
 *
 * <p>The layer holds what backward needs, {@code tokens x (5 numHeads + 5 numKvHeads) x headDim}
 * f64 at most, outside the heap. Thread rules: one call at a time.
 */
public final class GqaLayer implements AutoCloseable {
  private static final ValueLayout.OfDouble DOUBLE = ValueLayout.JAVA_DOUBLE;

  private final GqaCore.Shape shape;
  private final int hidden;
  private final int tokens;
  private final RopeConfig rope;
  private final double normEps;
  private final Team team;
  private final GqaCore core;
  private final Products products;
  private final Arena arena = Arena.ofShared();

  private final int queryDim;
  private final int keyDim;
  private final int valueDim;
  private final int outDim;

  // [tokens][heads][dim], before norm and rotation and after
  private final MemorySegment rawQ;
  private final MemorySegment rawK;
  private final MemorySegment q;
  private final MemorySegment k;
  private final MemorySegment v;
  private final MemorySegment out;
  private final MemorySegment logSum; // [tokens][numHeads]
  private final MemorySegment dq;
  private final MemorySegment dk;
  private final MemorySegment dv;
  private final MemorySegment dOut;

  /**
   * A layer for texts of {@code tokens} tokens.
   *
   * @param hidden width of x and y
   * @param rope rotary embedding of queries and keys, or null for none
   * @param normEps added to the mean square in the norms of queries and keys, if the weights have
   *     them
   */
  public GqaLayer(
      GqaCore.Shape shape, int hidden, int tokens, RopeConfig rope, double normEps, Team team) {
    if (rope != null && rope.headDim() != shape.keyDim()) {
      throw new IllegalArgumentException(
          "the rotary embedding is for heads of %d, the keys' are %d wide"
              .formatted(rope.headDim(), shape.keyDim()));
    }
    this.shape = shape;
    this.hidden = hidden;
    this.tokens = tokens;
    this.rope = rope;
    this.normEps = normEps;
    this.team = team;
    this.core = new GqaCore(shape, team);
    this.products = new Products(team);
    this.queryDim = shape.numHeads() * shape.keyDim();
    this.keyDim = shape.numKvHeads() * shape.keyDim();
    this.valueDim = shape.numKvHeads() * shape.valueDim();
    this.outDim = shape.numHeads() * shape.valueDim();
    this.rawQ = rows(queryDim);
    this.rawK = rows(keyDim);
    this.q = rows(queryDim);
    this.k = rows(keyDim);
    this.v = rows(valueDim);
    this.out = rows(outDim);
    this.logSum = rows(shape.numHeads());
    this.dq = rows(queryDim);
    this.dk = rows(keyDim);
    this.dv = rows(valueDim);
    this.dOut = rows(outDim);
  }

  private MemorySegment rows(int width) {
    return arena.allocate((long) tokens * width * Double.BYTES, 64);
  }

  /** Queries as the attention takes them, {@code [tokens][numHeads][keyDim]}. */
  public MemorySegment q() {
    return q;
  }

  /** Keys as the attention takes them, {@code [tokens][numKvHeads][keyDim]}. */
  public MemorySegment k() {
    return k;
  }

  /** Values, {@code [tokens][numKvHeads][valueDim]}. */
  public MemorySegment v() {
    return v;
  }

  /** Outputs of the heads, {@code [tokens][numHeads][valueDim]}. */
  public MemorySegment out() {
    return out;
  }

  /**
   * Forward.
   *
   * @param x {@code [tokens][hidden]}
   * @param y receives {@code [tokens][hidden]}
   */
  public void forward(GqaWeights w, MemorySegment x, MemorySegment y) {
    project(rawQ, x, w.wq(), w.bq(), queryDim, hidden);
    project(rawK, x, w.wk(), w.bk(), keyDim, hidden);
    project(v, x, w.wv(), w.bv(), valueDim, hidden);
    prepare(rawQ, w.qNorm(), q, shape.numHeads());
    prepare(rawK, w.kNorm(), k, shape.numKvHeads());
    core.forward(tokens, q, k, v, out, logSum);
    project(y, out, w.wo(), w.bo(), hidden, outDim);
  }

  private void project(
      MemorySegment to, MemorySegment from, MemorySegment w, MemorySegment bias, int n, int k) {
    products.abT(to, from, w, tokens, n, k);
    if (bias != null) {
      for (int t = 0; t < tokens; t++) {
        Rows.addScaled(to, (long) t * n, 1, bias, 0, n);
      }
    }
  }

  private void prepare(MemorySegment raw, MemorySegment norm, MemorySegment to, int heads) {
    if (norm == null) {
      MemorySegment.copy(raw, 0, to, 0, raw.byteSize());
    } else {
      HeadNorm.forward(raw, norm, to, (long) tokens * heads, shape.keyDim(), normEps);
    }
    if (rope != null) {
      Rotation.apply(to, tokens, heads, rope, false);
    }
  }

  /**
   * Backward, after {@link #forward} with the same weights and x.
   *
   * @param dy gradient of the loss by y, {@code [tokens][hidden]}
   * @param gradient receives the gradients by wq, wk, wv and wo, shaped as they are; its other parts
   *     are ignored
   * @param dx receives the gradient by x, {@code [tokens][hidden]}; null if not wanted
   */
  public void backward(
      GqaWeights w, MemorySegment x, MemorySegment dy, GqaWeights gradient, MemorySegment dx) {
    set(gradient.wo(), hidden, outDim).addAtB(gradient.wo(), dy, out, hidden, outDim, tokens);
    set(dOut, tokens, outDim).addAb(dOut, dy, w.wo(), tokens, outDim, hidden);
    core.backward(tokens, q, k, v, out, logSum, dOut, dq, dk, dv);
    unprepare(rawQ, w.qNorm(), dq, shape.numHeads());
    unprepare(rawK, w.kNorm(), dk, shape.numKvHeads());
    set(gradient.wq(), queryDim, hidden).addAtB(gradient.wq(), dq, x, queryDim, hidden, tokens);
    set(gradient.wk(), keyDim, hidden).addAtB(gradient.wk(), dk, x, keyDim, hidden, tokens);
    set(gradient.wv(), valueDim, hidden).addAtB(gradient.wv(), dv, x, valueDim, hidden, tokens);
    if (dx != null) {
      set(dx, tokens, hidden).addAb(dx, dq, w.wq(), tokens, hidden, queryDim);
      products.addAb(dx, dk, w.wk(), tokens, hidden, keyDim);
      products.addAb(dx, dv, w.wv(), tokens, hidden, valueDim);
    }
  }

  private void unprepare(MemorySegment raw, MemorySegment norm, MemorySegment d, int heads) {
    if (rope != null) {
      Rotation.apply(d, tokens, heads, rope, true);
    }
    if (norm != null) {
      HeadNorm.backward(raw, norm, d, (long) tokens * heads, shape.keyDim(), normEps);
    }
  }

  /** Clears a matrix that a product is then added to. */
  private Products set(MemorySegment matrix, long rows, int columns) {
    matrix.asSlice(0, rows * columns * Double.BYTES).fill((byte) 0);
    return products;
  }

  /** Frees what the layer holds. */
  @Override
  public void close() {
    arena.close();
  }
}
