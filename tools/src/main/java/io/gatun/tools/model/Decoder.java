package io.gatun.tools.model;

import io.gatun.attention.AttentionOptions;
import io.gatun.attention.GqaAttention;
import io.gatun.attention.Rope;
import io.gatun.attention.Team;
import io.gatun.attention.TokenTree;
import io.gatun.cache.KvCache;
import io.gatun.cache.KvShape;
import io.gatun.tools.config.ModelConfig;
import io.gatun.tools.matrix.Activations;
import io.gatun.tools.matrix.MatrixProduct;
import io.gatun.tools.matrix.Projection;
import io.gatun.tools.matrix.ProjectionGroup;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.Objects;

/**
 * Runs a model over a KV cache: reads tokens, appends their keys and values to the cache, gives the
 * logits of the last one. The cache decides where it goes on; it may hold a sequence already.
 *
 * <pre>
 *   hidden = embedding[token]
 *   for each layer:
 *     x       = rmsNorm(hidden)
 *     q, k, v = Wq x, Wk x, Wv x     [+ biases, + norm per head]; q and k turned by position
 *     cache.append(layer, k, v);     hidden += Wo attention(q, cache)
 *     x       = rmsNorm(hidden);     hidden += Wdown (silu(Wgate x) * Wup x)
 *   logits = Wout rmsNorm(hidden)
 * </pre>
 *
 * <p>A token's logits are the same, bit for bit, whether it is decoded alone or prefilled in any
 * batch, by any number of threads, in one process or resumed in another, as long as the vector
 * width is the same.
 *
 * <p>All activations lie outside the heap and are allocated here, once. Thread rules: one call at a
 * time; the decoder is the cache's writer.
 */
public final class Decoder implements AutoCloseable {
  /** Tokens of a prefill batch unless said otherwise. */
  public static final int DEFAULT_BATCH = 256;

  private static final ValueLayout.OfFloat FLOAT = ValueLayout.JAVA_FLOAT_UNALIGNED;

  private final Model model;
  private final ModelConfig config;
  private final Weights weights;
  private final KvCache cache;
  private final Team team;
  private final int maxBatch;
  private final Rope rope;
  private final GqaAttention full;
  private final GqaAttention[] windowed; // [layers], null where the layer attends to everything
  private final Arena arena = Arena.ofShared();
  private final MatrixProduct product;
  private final Timings timings = new Timings();
  private final Buffers batchBuffers;
  private final Buffers tokenBuffers;
  private final MemorySegment logits; // f32 [vocab]
  private final ProjectionGroup output;
  private final Team.Task rotateTask = this::rotate;
  private final Team.Task mixTask = this::mix;
  private final Team.Task normTask = this::norm;

  // The step under way.
  private Buffers buffers;
  private int layer;
  private long start;
  private MemorySegment gain;
  private TokenTree tree; // null where the tokens follow each other

  private DraftLogits draftLogits; // null until a tree of several tokens is verified

  /**
   * A decoder that writes to {@code cache}; model, cache and team stay the caller's to close.
   *
   * @throws IllegalArgumentException if the cache has another shape than the model
   */
  public Decoder(Model model, KvCache cache, Team team) {
    this(model, cache, team, DEFAULT_BATCH);
  }

  /**
   * The same with prefill batches of up to {@code maxBatch} tokens.
   *
   * @param maxBatch at least 1
   */
  public Decoder(Model model, KvCache cache, Team team, int maxBatch) {
    KvShape shape = model.config().kvShape();
    if (!cache.live().layout().shape().equals(shape)) {
      throw new IllegalArgumentException(
          "the cache holds %s, the model %s".formatted(cache.live().layout().shape(), shape));
    }
    if (maxBatch < 1) {
      throw new IllegalArgumentException("maxBatch is %d, not at least 1".formatted(maxBatch));
    }
    this.model = model;
    this.config = model.config();
    this.weights = model.weights();
    this.cache = cache;
    this.team = team;
    this.maxBatch = maxBatch;
    this.rope = Rope.of(config.rope());
    AttentionOptions options = AttentionOptions.of(config.numHeads(), config.headDim());
    this.full = GqaAttention.create(cache.live().layout(), options, team);
    this.windowed = new GqaAttention[config.layers()];
    for (int i = 0; i < windowed.length; i++) {
      int window = config.windows().get(i);
      windowed[i] = window == 0 ? null : sameWindow(i, options.withWindow(window));
    }
    this.product = new MatrixProduct(team, maxBatch, widest(config));
    this.logits = arena.allocate(4L * config.vocabSize(), 64);
    this.tokenBuffers = new Buffers(config, weights, 1, arena);
    this.batchBuffers = maxBatch == 1 ? null : new Buffers(config, weights, maxBatch, arena);
    this.output = ProjectionGroup.of(Projection.of(weights.output(), logits));
  }

  /** Columns of the widest weights. */
  private static int widest(ModelConfig config) {
    return Math.max(Math.max(config.hiddenSize(), config.queryDim()), config.intermediateSize());
  }

  /** Layers with the same window share their attention. */
  private GqaAttention sameWindow(int layer, AttentionOptions options) {
    for (int i = 0; i < layer; i++) {
      if (windowed[i] != null && config.windows().get(i) == options.window()) {
        return windowed[i];
      }
    }
    return GqaAttention.create(cache.live().layout(), options, team);
  }

  /**
   * Reads tokens behind those that the cache holds.
   *
   * @param tokens ids, of which {@code count} from {@code from} on are read
   * @param count at least 1
   * @return the logits of the last of them, f32 {@code [vocab]}, native; overwritten by the next call
   * @throws io.gatun.cache.GatunException if a key or value is not finite or does not fit the
   *     cache's element type, or there is no room for it; batches before that one stay in the cache
   * @throws IllegalArgumentException if an id is not in the vocabulary
   */
  public MemorySegment prefill(int[] tokens, int from, int count) {
    Objects.checkFromIndexSize(from, count, tokens.length);
    if (count < 1) {
      throw new IllegalArgumentException("count is %d, not at least 1".formatted(count));
    }
    for (int i = from; i < from + count; i++) {
      checkToken(tokens[i]);
    }
    for (int done = 0; done < count; ) {
      int batch = Math.min(maxBatch, count - done);
      begin(batch);
      for (int i = 0; i < batch; i++) {
        embed(tokens[from + done + i], i);
      }
      done += batch;
      step(batch, done == count);
    }
    return logits;
  }

  /** Reads one token; see {@link #prefill}. Allocates nothing once warm. */
  public MemorySegment decode(int token) {
    checkToken(token);
    begin(1);
    embed(token, 0);
    step(1, true);
    return logits;
  }

  /**
   * The logits of the cache's last token once more, from the K/V that stand there: what {@link
   * #decode} returned for it, bit for bit. Appends nothing, so that a conversation that was opened
   * goes on without reading any of its tokens again.
   *
   * @param token the id of the cache's last token
   * @throws IllegalStateException if the cache is empty
   */
  public MemorySegment again(int token) {
    checkToken(token);
    if (cache.length() == 0) {
      throw new IllegalStateException("the cache is empty: there is no last token");
    }
    begin(1);
    start--;
    embed(token, 0);
    for (layer = 0; layer < config.layers(); layer++) {
      project(1);
      attend(1);
      mlp(1);
    }
    output();
    return logits;
  }

  /**
   * Reads a tree of drafts behind the tokens that the cache holds, each at the position that it has
   * on its path. Their keys and values are left pending: {@link #accept} comes next.
   *
   * @param tokens ids, one for each token of the tree, at most a batch
   * @return the logits of each, f32 {@code [tokens][vocab]}, native; bit for bit what {@link #decode}
   *     gives behind the token's path. Overwritten by the next call
   * @throws io.gatun.cache.GatunException as {@link #prefill}; the cache is left as it was
   */
  public MemorySegment verify(int[] tokens, TokenTree tree) {
    int count = tree.tokens();
    if (tokens.length != count || count > maxBatch) {
      throw new IllegalArgumentException(
          "%d token ids for a tree of %d, in batches of up to %d"
              .formatted(tokens.length, count, maxBatch));
    }
    begin(count);
    for (int i = 0; i < count; i++) {
      checkToken(tokens[i]);
      embed(tokens[i], i);
    }
    if (count > 1 && (draftLogits == null || draftLogits.tokens() < count)) {
      if (draftLogits != null) {
        draftLogits.close();
      }
      draftLogits = new DraftLogits(weights.output(), count);
    }
    this.tree = tree;
    try {
      for (layer = 0; layer < config.layers(); layer++) {
        project(count);
        append(count);
        attend(count);
        mlp(count);
      }
    } catch (RuntimeException | Error e) {
      cache.truncate(start);
      throw e;
    } finally {
      this.tree = null;
    }
    timings.tokens(count);
    if (count == 1) {
      output();
      return logits;
    }
    normed(weights.finalNorm(), count);
    multiply(draftLogits.group(), buffers.normed, count);
    return draftLogits.memory();
  }

  /**
   * Makes tokens of the tree just verified part of the sequence, and drops the others.
   *
   * @param path ascending, from a token that has no parent on; none drops them all
   */
  public void accept(int... path) {
    cache.keep(path);
  }

  private void begin(int tokens) {
    start = cache.length();
    if (cache.pending(0) > 0) {
      throw new IllegalStateException(
          "%d verified tokens were neither accepted nor dropped: call accept first"
              .formatted(cache.pending(0)));
    }
    buffers = tokens == 1 ? tokenBuffers : batchBuffers;
  }

  private void checkToken(int token) {
    if (token < 0 || token >= config.vocabSize()) {
      throw new IllegalArgumentException(
          "token id %d is not in the vocabulary of %d".formatted(token, config.vocabSize()));
    }
  }

  private void embed(int token, int row) {
    weights.embedding().row(token, buffers.hidden, 4L * row * config.hiddenSize());
  }

  private void step(int tokens, boolean wantsLogits) {
    try {
      for (layer = 0; layer < config.layers(); layer++) {
        boolean last = layer == config.layers() - 1;
        project(tokens);
        append(tokens);
        if (last && !wantsLogits) {
          break;
        }
        if (last && tokens > 1) {
          // Of the last layer only the last token's output is wanted.
          keepLast(tokens);
          attend(1);
          mlp(1);
        } else {
          attend(tokens);
          mlp(tokens);
        }
      }
      if (wantsLogits) {
        output();
      }
    } catch (RuntimeException | Error e) {
      // Rows of layers that were appended already must not meet those of another try.
      cache.truncate(start);
      throw e;
    }
    cache.advance(tokens);
    timings.tokens(tokens);
  }

  /** Queries, keys and values of the tokens, turned by position. */
  private void project(int tokens) {
    Weights.Layer w = weights.layers().get(layer);
    normed(w.inputNorm(), tokens);
    multiply(buffers.qkv[layer], buffers.normed, tokens);
    long from = System.nanoTime();
    team.run(tokens, rotateTask);
    timings.other(from);
  }

  private void append(int tokens) {
    long from = System.nanoTime();
    cache.append(layer, buffers.keys, buffers.values, tokens);
    timings.other(from);
  }

  private void output() {
    Norms.rms(buffers.hidden, 0, weights.finalNorm(), config.rmsNormEps(), buffers.normed, 0);
    multiply(output, buffers.normed, 1);
  }

  /** Norm per head and rotation of one token's queries and keys. */
  private void rotate(int token, int worker) {
    Weights.Layer w = weights.layers().get(layer);
    int dim = config.headDim();
    long q = 4L * token * config.queryDim();
    long k = 4L * token * config.kvDim();
    if (config.qkNorm()) {
      for (int head = 0; head < config.numHeads(); head++) {
        Norms.rmsInPlace(
            buffers.queries, q + 4L * head * dim, dim, w.queryNorm(), config.rmsNormEps());
      }
      for (int head = 0; head < config.numKvHeads(); head++) {
        Norms.rmsInPlace(buffers.keys, k + 4L * head * dim, dim, w.keyNorm(), config.rmsNormEps());
      }
    }
    long position = start + (tree == null ? token : tree.depth(token));
    rope.apply(buffers.queries, q, config.numHeads(), position);
    rope.apply(buffers.keys, k, config.numKvHeads(), position);
  }

  /** Moves the last token's queries and residual stream to the buffers for one token. */
  private void keepLast(int tokens) {
    long q = 4L * config.queryDim();
    long h = 4L * config.hiddenSize();
    MemorySegment.copy(buffers.queries, (tokens - 1) * q, tokenBuffers.queries, 0, q);
    MemorySegment.copy(buffers.hidden, (tokens - 1) * h, tokenBuffers.hidden, 0, h);
    buffers = tokenBuffers;
  }

  private void attend(int tokens) {
    GqaAttention attention = windowed[layer] == null ? full : windowed[layer];
    long from = System.nanoTime();
    if (tokens == 1) {
      attention.decode(cache.live(), layer, buffers.queries, buffers.attended);
    } else if (tree != null) {
      attention.prefillTree(cache.live(), layer, tree, buffers.queries, buffers.attended);
    } else {
      attention.prefill(cache.live(), layer, tokens, buffers.queries, buffers.attended);
    }
    timings.attention(from);
    from = System.nanoTime();
    for (int token = 0; token < tokens; token++) {
      buffers.attendedRows.set(token, buffers.attended, 4L * token * config.queryDim());
    }
    timings.other(from);
    multiply(buffers.attentionOutput[layer], buffers.attendedRows, tokens);
  }

  private void mlp(int tokens) {
    Weights.Layer w = weights.layers().get(layer);
    normed(w.mlpNorm(), tokens);
    multiply(buffers.gateUp[layer], buffers.normed, tokens);
    long from = System.nanoTime();
    int blocks = Math.ceilDiv(config.intermediateSize(), Activations.BLOCK);
    team.run(tokens * blocks, mixTask);
    timings.other(from);
    multiply(buffers.down[layer], buffers.mixed, tokens);
  }

  private void mix(int task, int worker) {
    int blocks = Math.ceilDiv(config.intermediateSize(), Activations.BLOCK);
    int token = task / blocks;
    long at = 4L * token * config.intermediateSize();
    int block = task % blocks * Activations.BLOCK;
    Norms.swiGlu(buffers.gate, buffers.up, at, buffers.mixed, token, block);
  }

  private void normed(MemorySegment newGain, int tokens) {
    long from = System.nanoTime();
    gain = newGain;
    team.run(tokens, normTask);
    timings.other(from);
  }

  private void norm(int token, int worker) {
    long at = 4L * token * config.hiddenSize();
    Norms.rms(buffers.hidden, at, gain, config.rmsNormEps(), buffers.normed, token);
  }

  private void multiply(ProjectionGroup group, Activations x, int tokens) {
    long from = System.nanoTime();
    product.multiply(group, x, tokens);
    timings.weights(from);
  }

  /** Where the time went, since the decoder was made or the times were reset. */
  public Timings timings() {
    return timings;
  }

  /** The cache that this decoder writes to. */
  public KvCache cache() {
    return cache;
  }

  /** The model that this decoder runs. */
  public Model model() {
    return model;
  }

  /** Frees the activations. Model, cache and team stay open. */
  @Override
  public void close() {
    if (arena.scope().isAlive()) {
      for (GqaAttention attention : windowed) {
        if (attention != null) {
          attention.close();
        }
      }
      full.close();
      product.close();
      if (draftLogits != null) {
        draftLogits.close();
      }
      arena.close();
    }
  }

  /** The activations of a batch, f32, and the products that read and write them. */
  private static final class Buffers {
    final MemorySegment hidden; // [tokens][hidden]
    final MemorySegment queries; // [tokens][numHeads][headDim]
    final MemorySegment keys; // [tokens][numKvHeads][headDim]
    final MemorySegment values; // [tokens][numKvHeads][headDim]
    final MemorySegment attended; // [tokens][numHeads][headDim]
    final MemorySegment gate; // [tokens][intermediate]
    final MemorySegment up; // [tokens][intermediate]
    final Activations normed; // [tokens][hidden]
    final Activations attendedRows; // [tokens][numHeads * headDim]
    final Activations mixed; // [tokens][intermediate]
    final ProjectionGroup[] qkv; // [layers]
    final ProjectionGroup[] attentionOutput; // [layers]
    final ProjectionGroup[] gateUp; // [layers]
    final ProjectionGroup[] down; // [layers]

    Buffers(ModelConfig config, Weights weights, int tokens, Arena arena) {
      hidden = floats(tokens, config.hiddenSize(), arena);
      queries = floats(tokens, config.queryDim(), arena);
      keys = floats(tokens, config.kvDim(), arena);
      values = floats(tokens, config.kvDim(), arena);
      attended = floats(tokens, config.queryDim(), arena);
      gate = floats(tokens, config.intermediateSize(), arena);
      up = floats(tokens, config.intermediateSize(), arena);
      normed = new Activations(tokens, config.hiddenSize(), arena);
      attendedRows = new Activations(tokens, config.queryDim(), arena);
      mixed = new Activations(tokens, config.intermediateSize(), arena);
      int layers = config.layers();
      qkv = new ProjectionGroup[layers];
      attentionOutput = new ProjectionGroup[layers];
      gateUp = new ProjectionGroup[layers];
      down = new ProjectionGroup[layers];
      for (int i = 0; i < layers; i++) {
        Weights.Layer w = weights.layers().get(i);
        qkv[i] =
            ProjectionGroup.of(
                new Projection(w.query(), w.queryBias(), queries, false),
                new Projection(w.key(), w.keyBias(), keys, false),
                new Projection(w.value(), w.valueBias(), values, false));
        attentionOutput[i] =
            ProjectionGroup.of(
                new Projection(w.attentionOutput(), w.attentionOutputBias(), hidden, true));
        gateUp[i] =
            ProjectionGroup.of(
                new Projection(w.gate(), w.gateBias(), gate, false),
                new Projection(w.up(), w.upBias(), up, false));
        down[i] = ProjectionGroup.of(new Projection(w.down(), w.downBias(), hidden, true));
      }
    }

    private static MemorySegment floats(int tokens, int dim, Arena arena) {
      return arena.allocate(4L * tokens * dim, 64);
    }
  }
}
