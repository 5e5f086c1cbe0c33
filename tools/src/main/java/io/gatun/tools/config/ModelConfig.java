package io.gatun.tools.config;

import io.gatun.attention.RopeConfig;
import io.gatun.cache.GatunException;
import io.gatun.cache.KvShape;
import io.gatun.tools.config.FeedForward.Dense;
import io.gatun.tools.config.FeedForward.Experts;
import java.util.List;

/**
 * What a decoder computes: the description that a Hugging Face {@code config.json} amounts to. What
 * makes an architecture is in the file of its family, {@link Gemma} for instance; whoever runs a
 * model reads it from here and never asks for the model type.
 *
 * @param modelType as the file names it
 * @param hiddenSize width of the residual stream
 * @param vocabSize token ids
 * @param rmsNormEps added to the mean square in RMSNorm
 * @param attention projections and scores, alike in all layers
 * @param stream norms and factors of the residual stream
 * @param layerForms one for each layer
 * @param tiedEmbeddings whether the output layer is the embedding matrix
 * @param positions how many positions the model was trained for
 * @param eosIds token ids that end a text
 */
public record ModelConfig(
    String modelType,
    int hiddenSize,
    int vocabSize,
    double rmsNormEps,
    AttentionForm attention,
    ResidualStream stream,
    List<LayerForm> layerForms,
    boolean tiedEmbeddings,
    TrainedLength positions,
    List<Integer> eosIds) {
  /** Copies the lists. */
  public ModelConfig {
    layerForms = List.copyOf(layerForms);
    eosIds = List.copyOf(eosIds);
  }

  /** Transformer layers. */
  public int layers() {
    return layerForms.size();
  }

  /** Query heads. */
  public int numHeads() {
    return attention.numHeads();
  }

  /** What one token leaves in a KV cache of this model. */
  public KvShape kvShape() {
    return attention.kvShape(layers());
  }

  /** Per layer, how many tokens a token attends to, itself included; 0 for all. */
  public List<Integer> windows() {
    return layerForms.stream().map(LayerForm::window).toList();
  }

  /** Positions that the model was trained for, after scaling; 0 if the file does not say. */
  public int maxPositions() {
    return (int) Math.min(Integer.MAX_VALUE, positions.tokens());
  }

  /** Width of the widest hidden layer behind an attention. */
  public int widestFeedForward() {
    return layerForms.stream().mapToInt(form -> form.feedForward().widest()).max().orElseThrow();
  }

  /**
   * Whether it is a plain decoder, that of Llama, Mistral, Qwen2 and Qwen3: norms before attention
   * and MLP, heads in tensors of their own, one rotary embedding, SwiGLU layers of one width.
   */
  public boolean isPlain() {
    return attention instanceof AttentionForm.Heads heads
        && heads.equals(
            AttentionForm.Heads.of(heads.numHeads(), heads.numKvHeads(), heads.headDim())
                .withBiases(heads.qkvBias(), heads.outputBias())
                .withNorm(heads.norm()))
        && heads.norm() != AttentionForm.HeadNorm.WHOLE
        && stream.equals(ResidualStream.PLAIN)
        && layerForms.getFirst().rope() != null
        && layerForms.getFirst().feedForward() instanceof Dense dense
        && dense.activation() == FeedForward.Activation.SILU
        && !dense.fused()
        && layerForms.stream()
            .allMatch(form ->
                layerForms.getFirst().rope().equals(form.rope())
                    && form.feedForward().equals(dense));
  }

  /**
   * Ends the work of those that compute with plain decoders alone.
   *
   * @param what asks, for the message
   * @throws GatunException if {@link #isPlain} does not hold
   */
  public void requirePlain(String what) {
    if (!isPlain()) {
      throw new GatunException(
          "%s computes with decoders of the form of Llama, Mistral, Qwen2 and Qwen3, and this model (%s) has another one"
              .formatted(what, modelType));
    }
  }

  /**
   * The heads of a model that caches keys and values for each of them.
   *
   * @throws GatunException if it caches latent rows
   */
  public AttentionForm.Heads heads() {
    if (attention instanceof AttentionForm.Heads heads) {
      return heads;
    }
    throw new GatunException(
        "a model of type %s caches one row for all heads, and heads with keys and values of their own are needed here"
            .formatted(modelType));
  }

  /** Key/value heads; see {@link #heads}. */
  public int numKvHeads() {
    return heads().numKvHeads();
  }

  /** Width of one head; see {@link #heads}. */
  public int headDim() {
    return heads().headDim();
  }

  /** Values of all query heads of a token. */
  public int queryDim() {
    return attention.queryDim();
  }

  /** Values of all key heads, or all value heads, of a token; see {@link #heads}. */
  public int kvDim() {
    return heads().kvDim();
  }

  /** Whether queries and keys are normalised per head before the rotation. */
  public boolean qkNorm() {
    return heads().norm() == AttentionForm.HeadNorm.PER_HEAD;
  }

  /** Whether the query, key and value projections add a bias; see {@link #heads}. */
  public boolean qkvBias() {
    return heads().qkvBias();
  }

  /** Whether the attention's output projection adds a bias; see {@link #heads}. */
  public boolean outputBias() {
    return heads().outputBias();
  }

  /** The one rotary embedding of a plain model. */
  public RopeConfig rope() {
    return layerForms.getFirst().rope();
  }

  /** Width of the SwiGLU layers of a plain model. */
  public int intermediateSize() {
    return layerForms.getFirst().feedForward() instanceof Dense dense ? dense.intermediate() : 0;
  }

  /** Whether the SwiGLU projections of a plain model add a bias. */
  public boolean mlpBias() {
    return layerForms.getFirst().feedForward() instanceof Dense dense && dense.bias();
  }

  /** Number of weights, the embedding counted once if it is tied. */
  public long parameters() {
    return ParameterCount.of(this);
  }

  /**
   * The numbers that enter keys and values, spelt out for a fingerprint: a change of this text makes
   * stored conversations unreadable.
   */
  public String text() {
    return ConfigText.of(this);
  }

  /** The experts of a layer; null where it has none. */
  public Experts experts(int layer) {
    return layerForms.get(layer).feedForward() instanceof Experts experts ? experts : null;
  }
}
