package io.gatun.attention.latent;

import io.gatun.attention.AttentionOptions;
import io.gatun.attention.GqaAttention;
import io.gatun.attention.NotFiniteException;
import io.gatun.attention.Team;
import io.gatun.attention.TokenTree;
import io.gatun.cache.KvLayout;
import io.gatun.cache.KvShape;
import io.gatun.cache.KvView;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;
import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.VectorSpecies;

/**
 * Multi-head latent attention (DeepSeek-V2, sections 2.1.2 and 2.1.3) over a cache that holds, for
 * each token and layer, one row {@code [c; kr]}: the latent c and the rotated key kr that all heads
 * share. With a head's up-projections {@code Wuk [nopeDim][latentDim]} and {@code Wuv
 * [valueDim][latentDim]} its key is {@code [Wuk c; kr]} and its value {@code Wuv c}. Neither is ever
 * made:
 *
 * <pre>
 *   q.k = qn.(Wuk c) + qr.kr = (transpose(Wuk) qn).c + qr.kr = [transpose(Wuk) qn; qr].[c; kr]
 *   o   = sum_t p(t) Wuv c(t) = Wuv (sum_t p(t) c(t))
 * </pre>
 *
 * So the queries take Wuk in, the outputs Wuv, and what lies between is multi-query attention whose
 * keys are the whole rows and whose values are their fronts: {@link GqaAttention} over {@link
 * KvShape#latent}. Each byte of the cache is read from memory once for all heads.
 *
 * <p>Needs the Vector API module. Thread rules: one call at a time. Once warm, a call allocates no
 * more than {@link GqaAttention} does.
 */
public final class LatentAttention implements AutoCloseable {
  private static final ValueLayout.OfFloat FLOAT = ValueLayout.JAVA_FLOAT_UNALIGNED;
  private static final ByteOrder ORDER = ByteOrder.nativeOrder();
  private static final VectorSpecies<Float> SPECIES = FloatVector.SPECIES_PREFERRED;
  private static final int LANES = SPECIES.length();

  private final int numHeads;
  private final int nopeDim;
  private final int ropeDim;
  private final int latentDim;
  private final int valueDim;
  private final int maxTokens;
  private final Team team;
  private final GqaAttention attention;
  private final Arena arena = Arena.ofShared();
  private final MemorySegment absorbed; // [maxTokens][numHeads][latentDim + ropeDim]
  private final MemorySegment mixed; // [maxTokens][numHeads][latentDim]
  private final Team.Task absorbTask = this::absorb;
  private final Team.Task projectTask = this::project;

  // The call under way.
  private int layer;
  private int tokens;
  private TokenTree tree; // null where the tokens follow each other
  private MemorySegment up;
  private MemorySegment q;
  private MemorySegment out;

  /**
   * Attention over latent caches of one layout.
   *
   * @param layout of {@link KvShape#latent}
   * @param numHeads query heads
   * @param nopeDim front values of a query that are not rotated, {@code qk_nope_head_dim}
   * @param valueDim width of a head's output, {@code v_head_dim}
   * @param scale factor of the scores, {@code 1/sqrt(nopeDim + ropeDim)} unless the model says more
   * @param maxTokens most tokens of a call
   * @param team threads that share the work; stays the caller's to close
   * @throws IllegalArgumentException if the layout is not latent or a number is not at least 1
   */
  public LatentAttention(
      KvLayout layout,
      int numHeads,
      int nopeDim,
      int valueDim,
      float scale,
      int maxTokens,
      Team team) {
    KvShape shape = layout.shape();
    if (!shape.valuesInKeys() || shape.kvHeads() != 1 || shape.keyDim() == shape.valueDim()) {
      throw new IllegalArgumentException(
          "the cache holds %s, not one latent row with a rotated key behind it".formatted(shape));
    }
    if (numHeads < 1 || nopeDim < 1 || valueDim < 1 || maxTokens < 1) {
      throw new IllegalArgumentException(
          "%d heads, nope dim %d, value dim %d, %d tokens: one is not at least 1"
              .formatted(numHeads, nopeDim, valueDim, maxTokens));
    }
    this.numHeads = numHeads;
    this.nopeDim = nopeDim;
    this.latentDim = shape.valueDim();
    this.ropeDim = shape.keyDim() - latentDim;
    this.valueDim = valueDim;
    this.maxTokens = maxTokens;
    this.team = team;
    AttentionOptions options = AttentionOptions.of(numHeads, shape.keyDim()).withScale(scale);
    this.attention = GqaAttention.create(layout, options, team);
    this.absorbed = rows(shape.keyDim());
    this.mixed = rows(latentDim);
  }

  private MemorySegment rows(int width) {
    return arena.allocate(4L * maxTokens * numHeads * width, 64);
  }

  /**
   * Attends for the last {@code tokens} tokens of a layer, each seeing those before it and itself;
   * their rows are in the view already.
   *
   * @param up f32 {@code [numHeads][nopeDim + valueDim][latentDim]}, Wuk above Wuv for each head, as
   *     Hugging Face's {@code kv_b_proj.weight} has it
   * @param q f32 {@code [tokens][numHeads][nopeDim + ropeDim]}, the back rotated
   * @param out receives f32 {@code [tokens][numHeads][valueDim]}
   * @throws NotFiniteException if a query, a row or the up-projection is not finite, or a product
   *     with the up-projection goes beyond the range of floats; it names layer and head
   */
  public void attend(
      KvView view, int layer, int tokens, MemorySegment up, MemorySegment q, MemorySegment out) {
    if (tokens < 1 || tokens > maxTokens) {
      throw new IllegalArgumentException("%d tokens, not 1 to %d".formatted(tokens, maxTokens));
    }
    check("up", up, (long) numHeads * (nopeDim + valueDim) * latentDim);
    check("q", q, (long) tokens * numHeads * (nopeDim + ropeDim));
    check("out", out, (long) tokens * numHeads * valueDim);
    this.layer = layer;
    this.tokens = tokens;
    this.up = up;
    this.q = q;
    this.out = out;
    try {
      team.run(numHeads, absorbTask);
      if (tree != null) {
        attention.prefillTree(view, layer, tree, absorbed, mixed);
      } else if (tokens == 1) {
        attention.decode(view, layer, absorbed, mixed);
      } else {
        attention.prefill(view, layer, tokens, absorbed, mixed);
      }
      team.run(numHeads, projectTask);
    } finally {
      this.up = null;
      this.q = null;
      this.out = null;
    }
  }

  /**
   * Attends for the last tokens of a layer, which are a tree: each sees the tokens before the tree,
   * those of the tree that it follows, and itself; see {@link GqaAttention#prefillTree}.
   *
   * @param tree of the last {@link TokenTree#tokens} tokens of the layer, in their order
   * @param up as for {@link #attend}
   * @param q as for {@link #attend}
   * @param out as for {@link #attend}
   */
  public void attendTree(
      KvView view,
      int layer,
      TokenTree tree,
      MemorySegment up,
      MemorySegment q,
      MemorySegment out) {
    this.tree = tree;
    try {
      attend(view, layer, tree.tokens(), up, q, out);
    } finally {
      this.tree = null;
    }
  }

  private static void check(String what, MemorySegment segment, long floats) {
    if (segment.byteSize() < floats * Float.BYTES) {
      throw new IllegalArgumentException(
          "%s takes %d bytes, the segment has %d"
              .formatted(what, floats * Float.BYTES, segment.byteSize()));
    }
  }

  /** {@code [transpose(Wuk) qn; qr]} of one head, for all tokens, while its Wuk is in the cache. */
  private void absorb(int head, int worker) {
    long w = 4L * head * (nopeDim + valueDim) * latentDim;
    for (int t = 0; t < tokens; t++) {
      long row = (long) t * numHeads + head;
      long from = 4L * row * (nopeDim + ropeDim);
      long to = 4L * row * (latentDim + ropeDim);
      int l = 0;
      for (; l + 4 * LANES <= latentDim; l += 4 * LANES) {
        absorbFour(w + 4L * l, from, to + 4L * l);
      }
      for (; l < latentDim; l++) {
        float sum = 0;
        for (int d = 0; d < nopeDim; d++) {
          float weight = up.get(FLOAT, w + 4 * ((long) d * latentDim + l));
          sum = Math.fma(q.get(FLOAT, from + 4L * d), weight, sum);
        }
        absorbed.set(FLOAT, to + 4L * l, sum);
      }
      MemorySegment.copy(q, from + 4L * nopeDim, absorbed, to + 4L * latentDim, 4L * ropeDim);
    }
  }

  /** Four vectors of {@code transpose(Wuk) qn}: enough sums for the fused multiply-adds to overlap. */
  private void absorbFour(long w, long from, long to) {
    FloatVector a = FloatVector.zero(SPECIES);
    FloatVector b = a;
    FloatVector c = a;
    FloatVector d = a;
    long step = 4L * LANES;
    for (int i = 0; i < nopeDim; i++) {
      FloatVector x = FloatVector.broadcast(SPECIES, q.get(FLOAT, from + 4L * i));
      long at = w + 4L * i * latentDim;
      a = FloatVector.fromMemorySegment(SPECIES, up, at, ORDER).fma(x, a);
      b = FloatVector.fromMemorySegment(SPECIES, up, at + step, ORDER).fma(x, b);
      c = FloatVector.fromMemorySegment(SPECIES, up, at + 2 * step, ORDER).fma(x, c);
      d = FloatVector.fromMemorySegment(SPECIES, up, at + 3 * step, ORDER).fma(x, d);
    }
    a.intoMemorySegment(absorbed, to, ORDER);
    b.intoMemorySegment(absorbed, to + step, ORDER);
    c.intoMemorySegment(absorbed, to + 2 * step, ORDER);
    d.intoMemorySegment(absorbed, to + 3 * step, ORDER);
  }

  /** {@code Wuv} times the mixed latent of one head, for all tokens. */
  private void project(int head, int worker) {
    long w = 4L * ((long) head * (nopeDim + valueDim) + nopeDim) * latentDim;
    for (int t = 0; t < tokens; t++) {
      long row = (long) t * numHeads + head;
      for (int d = 0; d < valueDim; d++) {
        float dot = dot(w + 4L * d * latentDim, 4L * row * latentDim);
        if (!Float.isFinite(dot)) {
          throw new NotFiniteException(
              layer,
              head,
              "output value %d of the call's token %d is %s: the up-projection is not finite, or takes the mean of the latents beyond the range of floats"
                  .formatted(d, t, dot));
        }
        out.set(FLOAT, 4 * (row * valueDim + d), dot);
      }
    }
  }

  /** A row of Wuv with a mixed latent, both at byte offsets. */
  private float dot(long w, long latent) {
    FloatVector a = FloatVector.zero(SPECIES);
    FloatVector b = a;
    int l = 0;
    long step = 4L * LANES;
    for (; l + 2 * LANES <= latentDim; l += 2 * LANES) {
      long at = 4L * l;
      a =
          FloatVector.fromMemorySegment(SPECIES, up, w + at, ORDER)
              .fma(FloatVector.fromMemorySegment(SPECIES, mixed, latent + at, ORDER), a);
      b =
          FloatVector.fromMemorySegment(SPECIES, up, w + at + step, ORDER)
              .fma(FloatVector.fromMemorySegment(SPECIES, mixed, latent + at + step, ORDER), b);
    }
    float sum = 0;
    if (l > 0) {
      // Lane by lane: the order of reduceLanes is not specified.
      FloatVector both = a.add(b);
      for (int lane = 0; lane < LANES; lane++) {
        sum += both.lane(lane);
      }
    }
    for (; l < latentDim; l++) {
      sum = Math.fma(up.get(FLOAT, w + 4L * l), mixed.get(FLOAT, latent + 4L * l), sum);
    }
    return sum;
  }

  /** Frees the buffers. */
  @Override
  public void close() {
    attention.close();
    arena.close();
  }
}
