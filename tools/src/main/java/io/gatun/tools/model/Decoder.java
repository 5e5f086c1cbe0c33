package io.gatun.tools.model;

import io.gatun.attention.Team;
import io.gatun.attention.TokenTree;
import io.gatun.attention.latent.LatentAttention;
import io.gatun.cache.GatunException;
import io.gatun.cache.KvCache;
import io.gatun.cache.KvShape;
import io.gatun.tools.config.AttentionForm.Heads;
import io.gatun.tools.config.AttentionForm.Latent;
import io.gatun.tools.config.ModelConfig;
import io.gatun.tools.matrix.InputMajorProduct;
import io.gatun.tools.matrix.MatrixProduct;
import io.gatun.tools.matrix.Projection;
import io.gatun.tools.matrix.ProjectionGroup;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
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
 * <p>That is a Llama; what other models do differently is said by {@link ModelConfig}, and done by
 * the parts of a {@link LayerStack}. This class knows the order of a step and the cache.
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

  private final Model model;
  private final ModelConfig config;
  private final Weights weights;
  private final KvCache cache;
  private final int maxBatch;
  private final Arena arena = Arena.ofShared();
  private final Step step;
  private final LayerStack one;
  private final LayerStack batch; // null where batches have one token
  private final Runnable closeAttentions;
  private final MemorySegment logits; // f32 [vocab]
  private final ProjectionGroup output;
  private final Logits finishing;
  private boolean beyondTrainedLength;

  // The step under way.
  private LayerStack stack;

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
    this.maxBatch = maxBatch;
    this.step =
        new Step(
            cache,
            team,
            new MatrixProduct(team, maxBatch, widest(config)),
            weights.packsExperts() ? new InputMajorProduct(team, maxBatch) : null);
    this.logits = arena.allocate(4L * config.vocabSize(), 64);
    switch (config.attention()) {
      case Heads heads -> {
        HeadAttentions own =
            new HeadAttentions(config, heads, weights, cache.live().layout(), team);
        closeAttentions = own::close;
        one = stack(own, 1);
        batch = maxBatch == 1 ? null : stack(own, maxBatch);
      }
      case Latent latent -> {
        LatentAttention own = LatentBlock.attention(latent, cache.live().layout(), maxBatch, team);
        closeAttentions = own::close;
        one = stack(own, latent, 1);
        batch = maxBatch == 1 ? null : stack(own, latent, maxBatch);
      }
    }
    this.output = ProjectionGroup.of(Projection.of(weights.output(), logits));
    this.finishing = new Logits(step, config.stream());
  }

  private LayerStack stack(HeadAttentions own, int tokens) {
    StreamRows stream = new StreamRows(step, config, tokens, arena);
    return stack(stream, new HeadsBlock(step, stream, config, weights, own, tokens, arena), tokens);
  }

  private LayerStack stack(LatentAttention own, Latent form, int tokens) {
    StreamRows stream = new StreamRows(step, config, tokens, arena);
    return stack(
        stream, new LatentBlock(step, stream, config, form, weights, own, tokens, arena), tokens);
  }

  private LayerStack stack(StreamRows stream, AttentionBlock attention, int tokens) {
    FeedBlock[] feeds = LayerStack.feeds(step, stream, config, weights, tokens, arena);
    return new LayerStack(stream, attention, feeds, weights);
  }

  /** Columns of the widest weights. */
  private static int widest(ModelConfig config) {
    int attention = Math.max(config.queryDim(), config.attention().outputDim());
    int rank = config.attention() instanceof Latent latent ? latent.queryRank() : 0;
    return Math.max(
        Math.max(config.hiddenSize(), config.widestFeedForward()), Math.max(attention, rank));
  }

  /**
   * Lets the sequence grow beyond what the model was trained for, or not, which is the default:
   * there a step ends with an exception.
   */
  public Decoder beyondTrainedLength(boolean allowed) {
    beyondTrainedLength = allowed;
    return this;
  }

  /**
   * Ends what would make the sequence longer than the model was trained for, unless that is
   * allowed.
   *
   * @param length tokens that the cache would hold
   * @throws GatunException if they are too many; it says what lifts the limit
   */
  public void checkLength(long length) {
    if (!allows(length)) {
      throw new GatunException(config.positions().refusal(length));
    }
  }

  /** Whether the sequence may become so long. */
  public boolean allows(long length) {
    return beyondTrainedLength || config.positions().allows(length);
  }

  /**
   * Reads tokens behind those that the cache holds.
   *
   * @param tokens ids, of which {@code count} from {@code from} on are read
   * @param count at least 1
   * @return the logits of the last of them, f32 {@code [vocab]}, native; overwritten by the next call
   * @throws io.gatun.cache.GatunException if a key or value is not finite or does not fit the
   *     cache's element type, or there is no room for it; batches before that one stay in the cache
   * @throws GatunException if the sequence would be longer than the model was trained for; nothing
   *     is read
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
    checkLength(cache.length() + count);
    for (int done = 0; done < count; ) {
      int size = Math.min(maxBatch, count - done);
      begin(size);
      for (int i = 0; i < size; i++) {
        embed(tokens[from + done + i], i);
      }
      done += size;
      step(size, done == count);
    }
    return logits;
  }

  /** Reads one token; see {@link #prefill}. Allocates nothing once warm. */
  public MemorySegment decode(int token) {
    checkToken(token);
    checkLength(cache.length() + 1);
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
    step.start--;
    embed(token, 0);
    for (int layer = 0; layer < config.layers(); layer++) {
      stack.project(layer, 1);
      stack.finish(layer, 1);
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
    step.tree = tree;
    try {
      for (int i = 0; i < count; i++) {
        checkToken(tokens[i]);
        checkLength(step.position(i) + 1);
        embed(tokens[i], i);
      }
    } catch (RuntimeException | Error e) {
      step.tree = null;
      throw e;
    }
    if (count > 1 && (draftLogits == null || draftLogits.tokens() < count)) {
      if (draftLogits != null) {
        draftLogits.close();
      }
      draftLogits = new DraftLogits(weights.output(), count);
    }
    try {
      for (int layer = 0; layer < config.layers(); layer++) {
        stack.project(layer, count);
        stack.append(layer, count);
        stack.finish(layer, count);
      }
    } catch (RuntimeException | Error e) {
      cache.truncate(step.start);
      throw model.explained(e);
    } finally {
      step.tree = null;
    }
    step.timings.tokens(count);
    if (count == 1) {
      output();
      return logits;
    }
    stack.stream.read(weights.finalNorm(), count);
    step.multiply(draftLogits.group(), stack.stream.normed, count);
    finishing.finish(draftLogits.memory(), (long) count * config.vocabSize());
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
    step.start = cache.length();
    if (cache.pending(0) > 0) {
      throw new IllegalStateException(
          "%d verified tokens were neither accepted nor dropped: call accept first"
              .formatted(cache.pending(0)));
    }
    stack = tokens == 1 ? one : batch;
  }

  private void checkToken(int token) {
    if (token < 0 || token >= config.vocabSize()) {
      throw new IllegalArgumentException(
          "token id %d is not in the vocabulary of %d".formatted(token, config.vocabSize()));
    }
  }

  private void embed(int token, int row) {
    stack.stream.embed(weights.embedding(), token, row);
  }

  private void step(int tokens, boolean wantsLogits) {
    try {
      for (int layer = 0; layer < config.layers(); layer++) {
        boolean last = layer == config.layers() - 1;
        stack.project(layer, tokens);
        stack.append(layer, tokens);
        if (last && !wantsLogits) {
          break;
        }
        if (last && tokens > 1) {
          // Of the last layer only the last token's output is wanted.
          stack.copyLast(tokens, one);
          stack = one;
          stack.finish(layer, 1);
        } else {
          stack.finish(layer, tokens);
        }
      }
      if (wantsLogits) {
        output();
      }
    } catch (RuntimeException | Error e) {
      // Rows of layers that were appended already must not meet those of another try.
      cache.truncate(step.start);
      throw model.explained(e);
    }
    cache.advance(tokens);
    step.timings.tokens(tokens);
  }

  private void output() {
    stack.stream.readLast(weights.finalNorm());
    step.multiply(output, stack.stream.normed, 1);
    finishing.finish(logits, config.vocabSize());
  }

  /** Where the time went, since the decoder was made or the times were reset. */
  public Timings timings() {
    return step.timings;
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
      closeAttentions.run();
      step.product.close();
      if (draftLogits != null) {
        draftLogits.close();
      }
      arena.close();
    }
  }
}
