package io.gatun.attention;

import io.gatun.cache.KvLayout;
import io.gatun.cache.KvShape;
import io.gatun.cache.KvView;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.List;
import java.util.Objects;
import java.util.concurrent.atomic.AtomicBoolean;

/**
 * Grouped-query attention (Ainslie et al., 2023) that reads keys and values where they lie in the
 * cache, each row once for all query heads of its group. Multi-head attention ({@code numHeads =
 * numKvHeads}) and multi-query attention ({@code numKvHeads = 1}) are the two ends of it.
 *
 * <pre>
 *   out[h] = sum over t of softmax_t(scale * q[h] . k[h / group][t]) * v[h / group][t],
 *   group  = numHeads / numKvHeads
 * </pre>
 *
 * <p>The result of a token does not depend on how many tokens are computed with it, on the number
 * of threads, or on where the cache's runs begin: for the same vector width it is the same bit for
 * bit. KERNEL.md derives the arithmetic and gives its error bounds.
 *
 * <p>Finite queries, keys and values give finite results: where scores or sums go beyond the range of
 * floats a row is computed once more, in double. If a query or a row that counts is not finite, a
 * call throws {@link NotFiniteException}, which names layer and head; {@code out} is then undefined.
 *
 * <p>Thread rules: one call at a time, from any thread; a second call while one is under way throws
 * {@link IllegalStateException}. Callers that share a team take turns, so an attention for each of
 * them is all they need. Once warm a call allocates nothing, outside the heap either: the results
 * of splits go to memory reserved at the start, enough for 16,777,216 tokens of all sequences of a
 * call. (Where the system cannot reserve, and beyond that, {@link #decode} enlarges the store.)
 */
public final class GqaAttention implements AutoCloseable {
  /** Rows that a task of prefill works on: enough to use each key and value many times. */
  private static final int PREFILL_ROWS = 128;

  private final KvLayout layout;
  private final KvShape shape;
  private final AttentionOptions options;
  private final Team team;
  private final Kernels kernels;
  private final HeadGroups groups;
  private final int queriesPerTask;
  private final Arena arena = Arena.ofShared();
  private final DecodeBatch decodeBatch;
  private final TreePrefill treePrefill;
  private final Team.Task prefillTask = this::prefillTask;

  /** Whether a call is under way, or the attention is closed. */
  private final AtomicBoolean busy = new AtomicBoolean();

  private volatile boolean closed;

  // The call under way.
  private long call;
  private KvView view;
  private int layer;
  private int tokens;
  private long length;
  private MemorySegment q;
  private MemorySegment out;

  private GqaAttention(
      KvLayout layout, AttentionOptions options, float[] sinkLogits, Team team, Kernels kernels) {
    this.layout = layout;
    this.shape = layout.shape();
    this.options = options;
    this.team = team;
    this.kernels = kernels;
    int group = options.numHeads() / shape.kvHeads();
    this.queriesPerTask = Math.max(1, PREFILL_ROWS / group);
    KeyKernel keyKernel = kernels.keys(layout);
    ValueKernel valueKernel = kernels.values(layout);
    RowBlock[] workers = new RowBlock[team.threads()];
    for (int i = 0; i < workers.length; i++) {
      workers[i] =
          new RowBlock(
              layout, options, kernels, keyKernel, valueKernel, queriesPerTask * group, arena);
    }
    this.groups = new HeadGroups(layout, options, sinkLogits, workers, queriesPerTask);
    this.decodeBatch = new DecodeBatch(groups, RowBlock.storedFloats(valueKernel));
    this.treePrefill = new TreePrefill(groups);
  }

  /**
   * Attention over caches of one layout.
   *
   * @param team threads that share the work; stays the caller's to close
   * @throws IllegalArgumentException if the layout's KV heads do not divide {@code numHeads}
   */
  public static GqaAttention create(KvLayout layout, AttentionOptions options, Team team) {
    return create(layout, options, null, team, Kernels.best());
  }

  /**
   * The same with a learned sink for each head, as gpt-oss has it: one more score, that takes its
   * share of the softmax and adds no value.
   *
   * @param sinkLogits {@code [numHeads]}, finite; not scaled, not capped
   */
  public static GqaAttention create(
      KvLayout layout, AttentionOptions options, float[] sinkLogits, Team team) {
    return create(layout, options, sinkLogits.clone(), team, Kernels.best());
  }

  /** The same with kernels of the caller's choice. */
  static GqaAttention create(
      KvLayout layout, AttentionOptions options, Team team, Kernels kernels) {
    return create(layout, options, null, team, kernels);
  }

  /** The same with sinks, or null for none. */
  static GqaAttention create(
      KvLayout layout, AttentionOptions options, float[] sinkLogits, Team team, Kernels kernels) {
    int kvHeads = layout.shape().kvHeads();
    if (options.numHeads() % kvHeads != 0) {
      throw new IllegalArgumentException(
          "numHeads is %d, not a multiple of the cache's %d KV heads"
              .formatted(options.numHeads(), kvHeads));
    }
    Objects.requireNonNull(team, "team");
    if (sinkLogits != null) {
      checkSinks(sinkLogits, options.numHeads());
    }
    return new GqaAttention(layout, options, sinkLogits, team, kernels);
  }

  private static void checkSinks(float[] sinkLogits, int numHeads) {
    if (sinkLogits.length != numHeads) {
      throw new IllegalArgumentException(
          "%d sink logits for %d heads".formatted(sinkLogits.length, numHeads));
    }
    for (int head = 0; head < numHeads; head++) {
      if (!Float.isFinite(sinkLogits[head])) {
        throw new IllegalArgumentException(
            "the sink logit of head %d is %s, not finite".formatted(head, sinkLogits[head]));
      }
    }
  }

  /** What does the work, for people to read, for instance "Vector API, 512 bits". */
  public String kernelDescription() {
    return kernels.description();
  }

  /**
   * Attends for the one token at position {@code view.length(layer) - 1}, whose key and value are
   * in the view already.
   *
   * @param q f32 {@code [numHeads][keyDim]}, heap or native; if native, of a shared arena unless
   *     the team is the caller alone, because the team's threads read it
   * @param out f32 {@code [numHeads][valueDim]}; must not overlap {@code q}
   */
  public void decode(KvView view, int layer, MemorySegment q, MemorySegment out) {
    start();
    try {
      check(view, layer, 1);
      checkSizes(1, q, out);
      decodeBatch.begin(call, layer, 1);
      decodeBatch.add(view);
      decodeBatch.run(team, q, out);
    } finally {
      busy.set(false);
    }
  }

  /**
   * A decode step of several sequences: attends for the last token of each, as {@link
   * #decode(KvView, int, MemorySegment, MemorySegment)} would for it alone, bit for bit. All of the
   * work is handed to the team at once. Rows that several of the sequences share, as forks do,
   * are read once for all of them.
   *
   * @param views one of each sequence, at least one; of any lengths; the same may stand there twice
   * @param q f32 {@code [sequences][numHeads][keyDim]}
   * @param out f32 {@code [sequences][numHeads][valueDim]}; must not overlap {@code q}
   */
  public void decode(List<? extends KvView> views, int layer, MemorySegment q, MemorySegment out) {
    start();
    try {
      int sequences = views.size();
      if (sequences < 1) {
        throw new IllegalArgumentException("a decode step of no sequences");
      }
      checkSizes(sequences, q, out);
      for (int i = 0; i < sequences; i++) {
        check(views.get(i), layer, 1);
      }
      decodeBatch.begin(call, layer, sequences);
      for (int i = 0; i < sequences; i++) {
        decodeBatch.add(views.get(i));
      }
      decodeBatch.run(team, q, out);
    } finally {
      busy.set(false);
    }
  }

  /**
   * Attends for the last {@code tokens} tokens of the layer, each seeing those before it and
   * itself; their keys and values are in the view already.
   *
   * @param q f32 {@code [tokens][numHeads][keyDim]}, heap or native as for {@link #decode}
   * @param out f32 {@code [tokens][numHeads][valueDim]}; must not overlap {@code q}
   */
  public void prefill(KvView view, int layer, int tokens, MemorySegment q, MemorySegment out) {
    if (tokens < 1) {
      throw new IllegalArgumentException("tokens is %d, not at least 1".formatted(tokens));
    }
    start();
    try {
      check(view, layer, tokens);
      checkSizes(tokens, q, out);
      this.view = view;
      this.layer = layer;
      this.tokens = tokens;
      this.length = view.length(layer);
      this.q = q;
      this.out = out;
      int blocks = Math.ceilDiv(tokens, queriesPerTask);
      team.run(Math.multiplyExact(blocks, shape.kvHeads()), prefillTask);
    } finally {
      this.view = null;
      this.q = null;
      this.out = null;
      busy.set(false);
    }
  }

  /**
   * Attends for the last tokens of the layer, which are a tree: each sees the tokens before the
   * tree, those of the tree that it follows, and itself. A window reaches back from the token's
   * position, which is the length before the tree plus its depth; keys that are rotated by position
   * must have been rotated for that one.
   *
   * <p>A token's result is, bit for bit, what {@link #decode(KvView, int, MemorySegment,
   * MemorySegment)} gives for it where only its path stands in the cache, in its order.
   *
   * @param tree of the last {@link TokenTree#tokens} tokens of the layer, in their order
   * @param q f32 {@code [tokens][numHeads][keyDim]}, heap or native as for decode
   * @param out f32 {@code [tokens][numHeads][valueDim]}; must not overlap {@code q}
   */
  public void prefillTree(
      KvView view, int layer, TokenTree tree, MemorySegment q, MemorySegment out) {
    start();
    try {
      check(view, layer, tree.tokens());
      checkSizes(tree.tokens(), q, out);
      treePrefill.run(team, call, view, layer, tree, q, out);
    } finally {
      busy.set(false);
    }
  }

  private void prefillTask(int task, int worker) {
    RowBlock rows = groups.workers()[worker];
    int blocks = Math.ceilDiv(tokens, queriesPerTask);
    int head = task / blocks;
    // The last tokens see the most: begin with them, so that the threads end together.
    int from = (blocks - 1 - task % blocks) * queriesPerTask;
    int to = Math.min(tokens, from + queriesPerTask);
    rows.begin(call, -1);
    for (int token = from; token < to; token++) {
      groups.add(rows, q, token, head, length - tokens + token);
    }
    rows.ready();
    rows.splits(view, layer, head);
    for (int token = from; token < to; token++) {
      int at = (token - from) * groups.group();
      long position = length - tokens + token;
      groups.finish(rows, at, view, layer, null, q, out, token, head, position);
    }
  }

  /** Begins a call. */
  private void start() {
    if (!busy.compareAndSet(false, true)) {
      throw new IllegalStateException(
          closed
              ? "the attention is closed"
              : "the attention is at work for another caller: create one for each of them");
    }
    call++;
  }

  private void check(KvView view, int layer, int tokens) {
    if (view.layout() != layout && !view.layout().equals(layout)) {
      throw new IllegalArgumentException(
          "the view is of %s, not of %s".formatted(view.layout(), layout));
    }
    Objects.checkIndex(layer, shape.layers());
    if (view.length(layer) < tokens) {
      throw new IllegalArgumentException(
          "layer %d has %d tokens, not the %d that attend: append their keys and values first"
              .formatted(layer, view.length(layer), tokens));
    }
  }

  private void checkSizes(int tokens, MemorySegment q, MemorySegment out) {
    checkSize("q", q, tokens, shape.keyDim());
    checkSize("out", out, tokens, shape.valueDim());
  }

  private void checkSize(String what, MemorySegment segment, int newTokens, int dim) {
    long bytes =
        Math.multiplyExact((long) newTokens * options.numHeads(), (long) dim * Float.BYTES);
    if (segment.byteSize() < bytes) {
      throw new IllegalArgumentException(
          "%s takes %d bytes for %d tokens x %d heads x %d dims, the segment has %d"
              .formatted(what, bytes, newTokens, options.numHeads(), dim, segment.byteSize()));
    }
  }

  /**
   * Frees the buffers. The team and the views stay the caller's.
   *
   * @throws IllegalStateException if a call is under way
   */
  @Override
  public void close() {
    if (closed) {
      return;
    }
    start();
    closed = true;
    decodeBatch.close();
    arena.close();
  }
}
