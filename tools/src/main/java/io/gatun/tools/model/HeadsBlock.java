package io.gatun.tools.model;

import io.gatun.attention.GqaAttention;
import io.gatun.attention.Rope;
import io.gatun.attention.Team;
import io.gatun.tools.config.AttentionForm.HeadNorm;
import io.gatun.tools.config.AttentionForm.Heads;
import io.gatun.tools.config.ModelConfig;
import io.gatun.tools.matrix.Activations;
import io.gatun.tools.matrix.ProjectionGroup;
import io.gatun.tools.model.AttentionWeights.OfHeads;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;

/** Grouped-query attention: queries, keys and values of heads. */
final class HeadsBlock implements AttentionBlock {
  private final MemorySegment queries; // [tokens][numHeads][headDim]
  private final MemorySegment keys; // [tokens][numKvHeads][headDim]
  private final MemorySegment values; // [tokens][numKvHeads][headDim]
  private final MemorySegment attended; // [tokens][numHeads][headDim]
  private final Activations attendedRows; // [tokens][numHeads * headDim]
  private final ProjectionGroup[] qkv; // [layers]
  private final ProjectionGroup[] output; // [layers]

  private final Step step;
  private final StreamRows stream;
  private final Heads heads;
  private final double eps;
  private final OfHeads[] weights; // [layers]
  private final Rope[] ropes; // [layers], null where nothing is turned
  private final HeadAttentions attentions;
  private final Team.Task rotateTask = this::rotate;

  // The call under way.
  private int layer;

  /**
   * @param attentions over the cache; stay the caller's to close
   */
  HeadsBlock(
      Step step,
      StreamRows stream,
      ModelConfig config,
      Weights model,
      HeadAttentions attentions,
      int tokens,
      Arena arena) {
    this.step = step;
    this.stream = stream;
    this.heads = config.heads();
    this.eps = config.rmsNormEps();
    this.attentions = attentions;
    this.ropes = Ropes.of(config, false);
    queries = Step.floats(tokens, heads.queryDim(), arena);
    keys = Step.floats(tokens, heads.kvDim(), arena);
    values = Step.floats(tokens, heads.kvDim(), arena);
    attended = Step.floats(tokens, heads.queryDim(), arena);
    attendedRows = new Activations(tokens, heads.queryDim(), arena);
    int layers = config.layers();
    weights = new OfHeads[layers];
    qkv = new ProjectionGroup[layers];
    output = new ProjectionGroup[layers];
    for (int i = 0; i < layers; i++) {
      OfHeads w = (OfHeads) model.layers().get(i).attention();
      weights[i] = w;
      qkv[i] =
          ProjectionGroup.of(
              w.query().to(queries, false), w.key().to(keys, false), w.value().to(values, false));
      output[i] = ProjectionGroup.of(w.output().to(stream.target(), stream.direct()));
    }
  }

  @Override
  public void project(int layer, int tokens) {
    this.layer = layer;
    step.multiply(qkv[layer], stream.normed, tokens);
    step.run(tokens, rotateTask);
  }

  /** Norms and rotation of one token's queries and keys. */
  private void rotate(int token, int worker) {
    OfHeads w = weights[layer];
    long q = 4L * token * heads.queryDim();
    long k = 4L * token * heads.kvDim();
    if (heads.norm() == HeadNorm.WHOLE) {
      Norms.rmsInPlace(queries, q, heads.queryDim(), w.queryNorm(), eps);
      Norms.rmsInPlace(keys, k, heads.kvDim(), w.keyNorm(), eps);
    } else if (heads.norm() == HeadNorm.PER_HEAD) {
      int dim = heads.headDim();
      for (int head = 0; head < heads.numHeads(); head++) {
        Norms.rmsInPlace(queries, q + 4L * head * dim, dim, w.queryNorm(), eps);
      }
      for (int head = 0; head < heads.numKvHeads(); head++) {
        Norms.rmsInPlace(keys, k + 4L * head * dim, dim, w.keyNorm(), eps);
      }
    }
    Rope rope = ropes[layer];
    if (rope != null) {
      long position = step.position(token);
      rope.apply(queries, q, heads.numHeads(), position);
      rope.apply(keys, k, heads.numKvHeads(), position);
    }
  }

  @Override
  public void append(int layer, int tokens) {
    long from = System.nanoTime();
    step.cache.append(layer, keys, values, tokens);
    step.timings.other(from);
  }

  @Override
  public void attend(int layer, int tokens) {
    GqaAttention attention = attentions.of(layer);
    long from = System.nanoTime();
    if (tokens == 1) {
      attention.decode(step.cache.live(), layer, queries, attended);
    } else if (step.tree != null) {
      attention.prefillTree(step.cache.live(), layer, step.tree, queries, attended);
    } else {
      attention.prefill(step.cache.live(), layer, tokens, queries, attended);
    }
    step.timings.attention(from);
    from = System.nanoTime();
    for (int token = 0; token < tokens; token++) {
      attendedRows.set(token, attended, 4L * token * heads.queryDim());
    }
    step.timings.other(from);
    step.multiply(output[layer], attendedRows, tokens);
  }

  @Override
  public void copyLast(int tokens, AttentionBlock to) {
    long bytes = 4L * heads.queryDim();
    MemorySegment.copy(queries, (tokens - 1) * bytes, ((HeadsBlock) to).queries, 0, bytes);
  }
}
