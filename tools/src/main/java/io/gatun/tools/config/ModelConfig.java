package io.gatun.tools.config;

import io.gatun.attention.RopeConfig;
import io.gatun.cache.KvShape;
import java.util.List;

/**
 * What a decoder of the Llama family computes: the numbers of a Hugging Face {@code config.json}.
 *
 * @param modelType {@code llama}, {@code mistral}, {@code qwen2} or {@code qwen3}
 * @param layers transformer layers
 * @param hiddenSize width of the residual stream
 * @param intermediateSize width of the SwiGLU layer
 * @param vocabSize token ids
 * @param numHeads query heads
 * @param numKvHeads key/value heads; divides {@code numHeads}
 * @param headDim width of one head; need not be {@code hiddenSize / numHeads}
 * @param rmsNormEps added to the mean square in RMSNorm
 * @param rope angles of the rotary position embedding
 * @param qkvBias whether the query, key and value projections add a bias
 * @param outputBias whether the attention's output projection adds a bias
 * @param mlpBias whether the SwiGLU projections add a bias
 * @param qkNorm whether queries and keys are normalised per head before the rotation (Qwen3)
 * @param tiedEmbeddings whether the output layer is the embedding matrix
 * @param windows per layer, how many tokens a token attends to, itself included; 0 for all
 * @param maxPositions positions that the model was made for; 0 if the file does not say
 * @param eosIds token ids that end a text
 */
public record ModelConfig(
    String modelType,
    int layers,
    int hiddenSize,
    int intermediateSize,
    int vocabSize,
    int numHeads,
    int numKvHeads,
    int headDim,
    double rmsNormEps,
    RopeConfig rope,
    boolean qkvBias,
    boolean outputBias,
    boolean mlpBias,
    boolean qkNorm,
    boolean tiedEmbeddings,
    List<Integer> windows,
    int maxPositions,
    List<Integer> eosIds) {
  /** Copies the lists. */
  public ModelConfig {
    windows = List.copyOf(windows);
    eosIds = List.copyOf(eosIds);
  }

  /** What one token leaves in a KV cache of this model. */
  public KvShape kvShape() {
    return new KvShape(layers, numKvHeads, headDim, headDim);
  }

  /** Values of all query heads of a token. */
  public int queryDim() {
    return Math.multiplyExact(numHeads, headDim);
  }

  /** Values of all key heads, or all value heads, of a token. */
  public int kvDim() {
    return Math.multiplyExact(numKvHeads, headDim);
  }

  /** Number of weights, the embedding counted once if it is tied. */
  public long parameters() {
    long attention = (long) hiddenSize * (2L * queryDim() + 2L * kvDim());
    long biases =
        (qkvBias ? queryDim() + 2L * kvDim() : 0)
            + (outputBias ? hiddenSize : 0)
            + (mlpBias ? 2L * intermediateSize + hiddenSize : 0)
            + (qkNorm ? 2L * headDim : 0);
    long perLayer = attention + 3L * hiddenSize * intermediateSize + 2L * hiddenSize + biases;
    long embeddings = (long) vocabSize * hiddenSize * (tiedEmbeddings ? 1 : 2);
    return Math.addExact(
        Math.multiplyExact(perLayer, (long) layers), Math.addExact(embeddings, hiddenSize));
  }

  /**
   * The numbers that enter keys and values, spelt out for a fingerprint: a change of this text makes
   * stored conversations unreadable.
   */
  public String text() {
    return String.join(
        "; ",
        "gatun model 1",
        "hidden " + hiddenSize + ", intermediate " + intermediateSize + ", layers " + layers,
        "heads " + numHeads + "/" + numKvHeads + " of " + headDim,
        "eps " + rmsNormEps + ", qk-norm " + qkNorm,
        "biases " + qkvBias + " " + outputBias + " " + mlpBias,
        "windows " + windows,
        "theta " + rope.theta() + ", rotary " + rope.rotaryDim() + ", " + ropeScaling());
  }

  private String ropeScaling() {
    return switch (rope.scaling()) {
      case RopeConfig.None none -> "unscaled";
      case RopeConfig.Linear linear -> "linear " + linear.factor();
      case RopeConfig.Llama3 llama ->
          "llama3 %s %s %s %d"
              .formatted(
                  llama.factor(),
                  llama.lowFreqFactor(),
                  llama.highFreqFactor(),
                  llama.originalMaxPositions());
    };
  }
}
