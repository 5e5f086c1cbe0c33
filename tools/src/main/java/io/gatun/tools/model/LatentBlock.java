package io.gatun.tools.model;

import io.gatun.attention.Rope;
import io.gatun.attention.Team;
import io.gatun.attention.latent.LatentAttention;
import io.gatun.cache.GatunException;
import io.gatun.cache.KvLayout;
import io.gatun.tools.config.AttentionForm.Latent;
import io.gatun.tools.config.ModelConfig;
import io.gatun.tools.matrix.Activations;
import io.gatun.tools.matrix.MatrixProduct;
import io.gatun.tools.matrix.ProjectionGroup;
import io.gatun.tools.model.AttentionWeights.OfLatent;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;

/**
 * Latent attention: a token leaves one row, the normalised latent and the rotated key of all heads.
 *
 * <pre>
 *   q      = Wq x, or Wqb norm(Wqa x)        its back turned, head by head
 *   [c; r] = Wkv x                           the row: [norm(c); turned r]
 *   out    = Wo attention(q, rows)           see LatentAttention
 * </pre>
 */
final class LatentBlock implements AttentionBlock {
  private final MemorySegment compressed; // [tokens][queryRank], null if queries are not compressed
  private final Activations compressedRows; // [tokens][queryRank]
  private final MemorySegment queries; // [tokens][numHeads][nope + rope]
  private final MemorySegment rows; // [tokens][latentDim + ropeDim]
  private final MemorySegment attended; // [tokens][numHeads][valueDim]
  private final Activations attendedRows; // [tokens][numHeads * valueDim]
  private final ProjectionGroup[] down; // [layers], what reads the stream
  private final ProjectionGroup[] query; // [layers], from compressed queries
  private final ProjectionGroup[] output; // [layers]

  private final Step step;
  private final StreamRows stream;
  private final Latent form;
  private final OfLatent[] weights; // [layers]
  private final Rope[] ropes; // [layers]
  private final LatentAttention attention;
  private final Team.Task compressTask = this::compress;
  private final Team.Task rotateTask = this::rotate;

  // The call under way.
  private int layer;

  /**
   * @param attention over the cache; stays the caller's to close
   */
  LatentBlock(
      Step step,
      StreamRows stream,
      ModelConfig config,
      Latent form,
      Weights model,
      LatentAttention attention,
      int tokens,
      Arena arena) {
    this.step = step;
    this.stream = stream;
    this.form = form;
    this.attention = attention;
    this.ropes = Ropes.of(config, form.interleaved());
    boolean compresses = form.queryRank() > 0;
    compressed = compresses ? Step.floats(tokens, form.queryRank(), arena) : null;
    compressedRows = compresses ? new Activations(tokens, form.queryRank(), arena) : null;
    queries = Step.floats(tokens, form.queryDim(), arena);
    rows = Step.floats(tokens, form.latentDim() + form.ropeDim(), arena);
    attended = Step.floats(tokens, form.outputDim(), arena);
    attendedRows = new Activations(tokens, form.outputDim(), arena);
    int layers = config.layers();
    weights = new OfLatent[layers];
    down = new ProjectionGroup[layers];
    query = new ProjectionGroup[layers];
    output = new ProjectionGroup[layers];
    for (int i = 0; i < layers; i++) {
      OfLatent w = (OfLatent) model.layers().get(i).attention();
      weights[i] = w;
      down[i] =
          ProjectionGroup.of(
              compresses ? w.queryDown().to(compressed, false) : w.query().to(queries, false),
              w.latent().to(rows, false));
      query[i] = compresses ? ProjectionGroup.of(w.query().to(queries, false)) : null;
      output[i] = ProjectionGroup.of(w.output().to(stream.target(), stream.direct()));
    }
  }

  /**
   * Attention over a cache, for batches of both sizes.
   *
   * @throws GatunException where the Vector API is missing
   */
  static LatentAttention attention(Latent form, KvLayout layout, int maxTokens, Team team) {
    if (!MatrixProduct.vectorised()) {
      throw new GatunException(
          "latent attention runs on the Vector API; start the JVM with"
              + " --add-modules=jdk.incubator.vector");
    }
    return new LatentAttention(
        layout,
        form.numHeads(),
        form.nopeDim(),
        form.valueDim(),
        (float) form.scale(),
        maxTokens,
        team);
  }

  @Override
  public void project(int layer, int tokens) {
    this.layer = layer;
    step.multiply(down[layer], stream.normed, tokens);
    if (query[layer] != null) {
      step.run(tokens, compressTask);
      step.multiply(query[layer], compressedRows, tokens);
    }
    step.run(tokens, rotateTask);
  }

  private void compress(int token, int worker) {
    long at = 4L * token * form.queryRank();
    Norms.rms(compressed, at, weights[layer].queryNorm(), Latent.NORM_EPS, compressedRows, token);
  }

  private void rotate(int token, int worker) {
    int latentDim = form.latentDim();
    long row = 4L * token * (latentDim + form.ropeDim());
    Norms.rmsInPlace(rows, row, latentDim, weights[layer].latentNorm(), Latent.NORM_EPS);
    long position = step.position(token);
    long width = 4L * (form.nopeDim() + form.ropeDim());
    long backs = token * width * form.numHeads() + 4L * form.nopeDim();
    ropes[layer].apply(queries, backs, form.numHeads(), width, position);
    ropes[layer].apply(rows, row + 4L * latentDim, 1, position);
  }

  @Override
  public void append(int layer, int tokens) {
    long from = System.nanoTime();
    step.cache.append(layer, rows, null, tokens);
    step.timings.other(from);
  }

  @Override
  public void attend(int layer, int tokens) {
    MemorySegment up = weights[layer].up();
    long from = System.nanoTime();
    if (step.tree != null && tokens > 1) {
      attention.attendTree(step.cache.live(), layer, step.tree, up, queries, attended);
    } else {
      attention.attend(step.cache.live(), layer, tokens, up, queries, attended);
    }
    step.timings.attention(from);
    from = System.nanoTime();
    for (int token = 0; token < tokens; token++) {
      attendedRows.set(token, attended, 4L * token * form.outputDim());
    }
    step.timings.other(from);
    step.multiply(output[layer], attendedRows, tokens);
  }

  @Override
  public void copyLast(int tokens, AttentionBlock to) {
    long bytes = 4L * form.queryDim();
    MemorySegment.copy(queries, (tokens - 1) * bytes, ((LatentBlock) to).queries, 0, bytes);
  }
}
