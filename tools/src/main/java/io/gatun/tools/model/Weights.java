package io.gatun.tools.model;

import io.gatun.tools.config.ModelConfig;
import io.gatun.tools.matrix.Matrix;
import io.gatun.tools.safetensors.Checkpoint;
import io.gatun.tools.safetensors.TensorSpec;
import io.gatun.tools.safetensors.TensorType;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import java.util.function.UnaryOperator;

/**
 * The tensors of a checkpoint under the names that Hugging Face gives them. Matrices stay where they
 * are mapped; the few vectors (gains and biases) are decoded to f32, outside the heap.
 *
 * @param embedding {@code [vocab][hidden]}
 * @param finalNorm gain {@code [hidden]}
 * @param output {@code [vocab][hidden]}; the embedding's weights if tied
 * @param names of the tensors that they were taken from
 */
record Weights(
    Matrix embedding,
    List<LayerWeights> layers,
    MemorySegment finalNorm,
    Matrix output,
    Set<String> names) {
  /**
   * Finds every tensor that the configuration asks for.
   *
   * @throws io.gatun.cache.GatunException if one is missing or has another shape
   */
  static Weights of(Checkpoint checkpoint, ModelConfig config, Arena arena) {
    Set<String> names = new HashSet<>();
    return of(new TensorSource.Mapped(checkpoint, arena, names), config, names);
  }

  /** Name and shape of every tensor of a model, in an order fit for writing. */
  static List<TensorSpec> tensors(ModelConfig config, TensorType type) {
    List<TensorSpec> specs = new ArrayList<>();
    of(new TensorSource.Listing(type, specs), config, Set.of());
    return specs;
  }

  private static Weights of(TensorSource source, ModelConfig config, Set<String> names) {
    int hidden = config.hiddenSize();
    Matrix embedding = source.matrix("model.embed_tokens.weight", config.vocabSize(), hidden);
    List<LayerWeights> layers = new ArrayList<>();
    for (int i = 0; i < config.layers(); i++) {
      layers.add(LayerWeights.of(source, config, i));
    }
    MemorySegment finalNorm =
        LayerWeights.gain(config, source.vector(true, "model.norm.weight", hidden));
    Matrix output =
        config.tiedEmbeddings()
            ? embedding
            : source.matrix("lm_head.weight", config.vocabSize(), hidden);
    return new Weights(embedding, List.copyOf(layers), finalNorm, output, names);
  }

  /** The same with every matrix that is {@link #streamed} in another form. */
  Weights inForm(UnaryOperator<Matrix> form) {
    List<LayerWeights> others = layers.stream().map(layer -> layer.inForm(form)).toList();
    return new Weights(embedding, others, finalNorm, form.apply(output), names);
  }

  /** The matrices, each of which is read from end to end where it is read. */
  List<Matrix> streamed() {
    List<Matrix> matrices = new ArrayList<>();
    for (LayerWeights layer : layers) {
      matrices.addAll(layer.attention().streamed());
      matrices.addAll(layer.feed().streamed());
    }
    matrices.add(output);
    return matrices;
  }

  /** Whether there are experts whose weights lie inputs outermost. */
  boolean packsExperts() {
    return layers.stream()
        .anyMatch(layer ->
            layer.feed() instanceof FeedWeights.Mixture mixture && mixture.packed() != null);
  }

  /** Bytes of weights that a decode step reads: of the embedding one row, of experts the chosen. */
  long bytesPerStep() {
    long sum = output.bytes();
    for (LayerWeights layer : layers) {
      sum += layer.attention().streamed().stream().mapToLong(Matrix::bytes).sum();
      sum += layer.feed().bytesPerStep();
    }
    return sum;
  }
}
