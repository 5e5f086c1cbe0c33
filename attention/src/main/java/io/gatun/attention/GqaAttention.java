package io.gatun.attention;

import io.gatun.cache.KvLayout;
import io.gatun.cache.KvShape;
import io.gatun.cache.KvView;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.Objects;
import java.util.concurrent.atomic.AtomicIntegerArray;

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
 * <p>Thread rules: one call at a time. Once warm, a call allocates nothing, except that {@link
 * #decode} enlarges its store of partial results when the context has doubled.
 */
public final class GqaAttention implements AutoCloseable {
  /** Rows that a task of prefill works on: enough to use each key and value many times. */
  private static final int PREFILL_ROWS = 64;

  /** Splits that the store of partial results has room for at first: 16,384 tokens. */
  private static final int FIRST_SPLITS = 32;

  private final KvLayout layout;
  private final KvShape shape;
  private final AttentionOptions options;
  private final float[] sinkLogits; // [numHeads], or null
  private final Team team;
  private final Kernels kernels;
  private final int group;
  private final int queriesPerTask;
  private final long qRowBytes;
  private final long outRowBytes;
  private final int storedFloats;
  private final Arena arena = Arena.ofShared();
  private final RowBlock[] workers;
  private final Team.Task decodeTask = this::decodeTask;
  private final Team.Task prefillTask = this::prefillTask;

  /** Splits of each KV head that are not yet worked through. */
  private final AtomicIntegerArray left;

  private Arena partialsArena;
  private MemorySegment partials; // [kvHeads][splits][group][storedFloats]
  private int partialSplits;

  // The call under way.
  private long call;
  private KvView view;
  private int layer;
  private int tokens;
  private long length;
  private int sinkSplits;
  private int windowSplit;
  private int splits;
  private MemorySegment q;
  private MemorySegment out;

  private GqaAttention(
      KvLayout layout, AttentionOptions options, float[] sinkLogits, Team team, Kernels kernels) {
    this.layout = layout;
    this.shape = layout.shape();
    this.options = options;
    this.sinkLogits = sinkLogits;
    this.team = team;
    this.kernels = kernels;
    this.group = options.numHeads() / shape.kvHeads();
    this.queriesPerTask = Math.max(1, PREFILL_ROWS / group);
    this.qRowBytes = (long) shape.keyDim() * Float.BYTES;
    this.outRowBytes = (long) shape.valueDim() * Float.BYTES;
    this.left = new AtomicIntegerArray(shape.kvHeads());
    KeyKernel keyKernel = kernels.keys(layout.keyType(), shape.keyDim());
    ValueKernel valueKernel =
        kernels.values(layout.valueType(), shape.valueDim(), layout.valueRowBytes());
    this.storedFloats = RowBlock.storedFloats(valueKernel);
    this.workers = new RowBlock[team.threads()];
    for (int i = 0; i < workers.length; i++) {
      workers[i] =
          new RowBlock(
              layout, options, kernels, keyKernel, valueKernel, queriesPerTask * group, arena);
    }
    makePartials(FIRST_SPLITS);
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

  private float sinkLogit(int head) {
    return sinkLogits == null ? Float.NEGATIVE_INFINITY : sinkLogits[head];
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
    check(view, layer, 1, q, out);
    length = view.length(layer);
    long position = length - 1;
    splits = Math.toIntExact(position / RowBlock.SPLIT + 1);
    windowSplit = (int) (options.windowStart(position) / RowBlock.SPLIT);
    sinkSplits =
        (int) Math.min(windowSplit, Math.ceilDiv((long) options.sinkTokens(), RowBlock.SPLIT));
    ensurePartials(splits);
    begin(view, layer, 1, q, out);
    try {
      int perHead = sinkSplits + splits - windowSplit;
      for (int head = 0; head < shape.kvHeads(); head++) {
        left.set(head, perHead);
      }
      team.run(Math.multiplyExact(perHead, shape.kvHeads()), decodeTask);
    } finally {
      end();
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
    check(view, layer, tokens, q, out);
    length = view.length(layer);
    begin(view, layer, tokens, q, out);
    try {
      int blocks = Math.ceilDiv(tokens, queriesPerTask);
      team.run(Math.multiplyExact(blocks, shape.kvHeads()), prefillTask);
    } finally {
      end();
    }
  }

  private void decodeTask(int task, int worker) {
    RowBlock rows = workers[worker];
    int perHead = sinkSplits + splits - windowSplit;
    int head = task / perHead;
    int visible = task % perHead;
    int split = split(visible);
    if (!rows.holds(call, head)) {
      rows.begin(call, head);
      for (int i = 0; i < group; i++) {
        rows.add(q, (head * group + i) * qRowBytes, length - 1);
      }
    }
    rows.ready();
    rows.split(view, layer, head, (long) split * RowBlock.SPLIT);
    rows.store(partials, partialOffset(head, visible));
    if (left.decrementAndGet(head) > 0) {
      return;
    }
    // The last one to finish merges the splits of the head, in their order.
    for (int i = 0; i < group; i++) {
      for (int part = 0; part < perHead; part++) {
        rows.mergeStored(
            i, partials, partialOffset(head, part) + (long) i * storedFloats * Float.BYTES);
      }
      rows.finish(i, sinkLogit(head * group + i), out, (head * group + i) * outRowBytes);
    }
  }

  /** The splits that the token sees: those with sink tokens, then those of the window. */
  private int split(int visible) {
    return visible < sinkSplits ? visible : windowSplit + visible - sinkSplits;
  }

  private long partialOffset(int head, int visible) {
    return ((long) head * partialSplits + visible) * group * storedFloats * Float.BYTES;
  }

  private void prefillTask(int task, int worker) {
    RowBlock rows = workers[worker];
    int blocks = Math.ceilDiv(tokens, queriesPerTask);
    int head = task / blocks;
    // The last tokens see the most: begin with them, so that the threads end together.
    int from = (blocks - 1 - task % blocks) * queriesPerTask;
    int to = Math.min(tokens, from + queriesPerTask);
    rows.begin(call, head);
    for (int token = from; token < to; token++) {
      for (int i = 0; i < group; i++) {
        long row = (long) token * options.numHeads() + head * group + i;
        rows.add(q, row * qRowBytes, length - tokens + token);
      }
    }
    rows.ready();
    long window = options.windowStart(length - tokens + from);
    for (long start = 0; start < length - tokens + to; start += RowBlock.SPLIT) {
      if (start < options.sinkTokens() || start + RowBlock.SPLIT > window) {
        rows.split(view, layer, head, start);
        rows.mergeSplit();
      }
    }
    for (int token = from; token < to; token++) {
      for (int i = 0; i < group; i++) {
        long row = (long) token * options.numHeads() + head * group + i;
        rows.finish(
            (token - from) * group + i, sinkLogit(head * group + i), out, row * outRowBytes);
      }
    }
  }

  private void begin(
      KvView newView, int newLayer, int newTokens, MemorySegment newQ, MemorySegment newOut) {
    call++;
    view = newView;
    layer = newLayer;
    tokens = newTokens;
    q = newQ;
    out = newOut;
  }

  private void end() {
    view = null;
    q = null;
    out = null;
  }

  private void check(
      KvView newView, int newLayer, int newTokens, MemorySegment newQ, MemorySegment newOut) {
    if (partialsArena == null) {
      throw new IllegalStateException("the attention is closed");
    }
    if (newView.layout() != layout && !newView.layout().equals(layout)) {
      throw new IllegalArgumentException(
          "the view is of %s, not of %s".formatted(newView.layout(), layout));
    }
    Objects.checkIndex(newLayer, shape.layers());
    if (newView.length(newLayer) < newTokens) {
      throw new IllegalArgumentException(
          "layer %d has %d tokens, not the %d that attend: append their keys and values first"
              .formatted(newLayer, newView.length(newLayer), newTokens));
    }
    checkSize("q", newQ, newTokens, shape.keyDim());
    checkSize("out", newOut, newTokens, shape.valueDim());
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

  private void ensurePartials(int wanted) {
    if (wanted > partialSplits) {
      partialsArena.close();
      makePartials(Math.max(wanted, Math.multiplyExact(2, partialSplits)));
    }
  }

  private void makePartials(int count) {
    long bytes =
        Math.multiplyExact((long) count * shape.kvHeads() * group, (long) storedFloats * 4);
    partialsArena = Arena.ofShared();
    partials = partialsArena.allocate(bytes, KvLayout.RUN_ALIGNMENT);
    partialSplits = count;
  }

  /** Frees the buffers. The team and the views stay the caller's. */
  @Override
  public void close() {
    if (partialsArena != null) {
      partialsArena.close();
      partialsArena = null;
      arena.close();
    }
  }
}
