package io.gatun.tools.model;

import io.gatun.tools.config.ModelConfig;
import io.gatun.tools.matrix.Matrix;
import io.gatun.tools.matrix.WeightType;
import io.gatun.tools.safetensors.Checkpoint;
import io.gatun.tools.safetensors.Tensor;
import io.gatun.tools.safetensors.TensorSpec;
import io.gatun.tools.safetensors.TensorType;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.ArrayList;
import java.util.List;
import java.util.function.UnaryOperator;

/**
 * The tensors of a checkpoint under the names that Hugging Face gives them. Matrices stay where they
 * are mapped; the few vectors (gains and biases) are decoded to f32, outside the heap.
 *
 * @param embedding {@code [vocab][hidden]}
 * @param finalNorm gain {@code [hidden]}
 * @param output {@code [vocab][hidden]}; the embedding's weights if tied
 */
record Weights(Matrix embedding, List<Layer> layers, MemorySegment finalNorm, Matrix output) {
  /**
   * One layer. Biases and head norms that the model does not have are null.
   *
   * @param inputNorm gain {@code [hidden]} before attention
   * @param query {@code [numHeads * headDim][hidden]}
   * @param key {@code [numKvHeads * headDim][hidden]}
   * @param value {@code [numKvHeads * headDim][hidden]}
   * @param attentionOutput {@code [hidden][numHeads * headDim]}
   * @param queryNorm gain {@code [headDim]}
   * @param keyNorm gain {@code [headDim]}
   * @param mlpNorm gain {@code [hidden]} before the SwiGLU layer
   * @param gate {@code [intermediate][hidden]}
   * @param up {@code [intermediate][hidden]}
   * @param down {@code [hidden][intermediate]}
   */
  record Layer(
      MemorySegment inputNorm,
      Matrix query,
      MemorySegment queryBias,
      Matrix key,
      MemorySegment keyBias,
      Matrix value,
      MemorySegment valueBias,
      Matrix attentionOutput,
      MemorySegment attentionOutputBias,
      MemorySegment queryNorm,
      MemorySegment keyNorm,
      MemorySegment mlpNorm,
      Matrix gate,
      MemorySegment gateBias,
      Matrix up,
      MemorySegment upBias,
      Matrix down,
      MemorySegment downBias) {
    private Layer inForm(UnaryOperator<Matrix> form) {
      return new Layer(
          inputNorm,
          form.apply(query),
          queryBias,
          form.apply(key),
          keyBias,
          form.apply(value),
          valueBias,
          form.apply(attentionOutput),
          attentionOutputBias,
          queryNorm,
          keyNorm,
          mlpNorm,
          form.apply(gate),
          gateBias,
          form.apply(up),
          upBias,
          form.apply(down),
          downBias);
    }
  }

  /**
   * Finds every tensor that the configuration asks for.
   *
   * @throws io.gatun.cache.GatunException if one is missing or has another shape
   */
  static Weights of(Checkpoint checkpoint, ModelConfig config, Arena arena) {
    return of(new Mapped(checkpoint, arena), config);
  }

  /** Name and shape of every tensor of a model, in an order fit for writing. */
  static List<TensorSpec> tensors(ModelConfig config, TensorType type) {
    Listing listing = new Listing(type, new ArrayList<>());
    of(listing, config);
    return listing.specs;
  }

  private static Weights of(Source source, ModelConfig config) {
    int hidden = config.hiddenSize();
    Matrix embedding = source.matrix("model.embed_tokens.weight", config.vocabSize(), hidden);
    List<Layer> layers = new ArrayList<>();
    for (int i = 0; i < config.layers(); i++) {
      layers.add(layer(source, config, "model.layers." + i + "."));
    }
    MemorySegment finalNorm = source.vector(true, "model.norm.weight", hidden);
    Matrix output =
        config.tiedEmbeddings()
            ? embedding
            : source.matrix("lm_head.weight", config.vocabSize(), hidden);
    return new Weights(embedding, List.copyOf(layers), finalNorm, output);
  }

  private static Layer layer(Source source, ModelConfig config, String prefix) {
    int hidden = config.hiddenSize();
    int inner = config.intermediateSize();
    int queryDim = config.queryDim();
    int kvDim = config.kvDim();
    String attention = prefix + "self_attn.";
    String mlp = prefix + "mlp.";
    boolean bias = config.qkvBias();
    boolean mlpBias = config.mlpBias();
    return new Layer(
        source.vector(true, prefix + "input_layernorm.weight", hidden),
        source.matrix(attention + "q_proj.weight", queryDim, hidden),
        source.vector(bias, attention + "q_proj.bias", queryDim),
        source.matrix(attention + "k_proj.weight", kvDim, hidden),
        source.vector(bias, attention + "k_proj.bias", kvDim),
        source.matrix(attention + "v_proj.weight", kvDim, hidden),
        source.vector(bias, attention + "v_proj.bias", kvDim),
        source.matrix(attention + "o_proj.weight", hidden, queryDim),
        source.vector(config.outputBias(), attention + "o_proj.bias", hidden),
        source.vector(config.qkNorm(), attention + "q_norm.weight", config.headDim()),
        source.vector(config.qkNorm(), attention + "k_norm.weight", config.headDim()),
        source.vector(true, prefix + "post_attention_layernorm.weight", hidden),
        source.matrix(mlp + "gate_proj.weight", inner, hidden),
        source.vector(mlpBias, mlp + "gate_proj.bias", inner),
        source.matrix(mlp + "up_proj.weight", inner, hidden),
        source.vector(mlpBias, mlp + "up_proj.bias", inner),
        source.matrix(mlp + "down_proj.weight", hidden, inner),
        source.vector(mlpBias, mlp + "down_proj.bias", hidden));
  }

  /** The same with every matrix that is {@link #streamed} in another form. */
  Weights inForm(UnaryOperator<Matrix> form) {
    List<Layer> others = layers.stream().map(layer -> layer.inForm(form)).toList();
    return new Weights(embedding, others, finalNorm, form.apply(output));
  }

  /** The matrices that a decode step reads from end to end. */
  List<Matrix> streamed() {
    List<Matrix> matrices = new ArrayList<>();
    for (Layer layer : layers) {
      matrices.add(layer.query);
      matrices.add(layer.key);
      matrices.add(layer.value);
      matrices.add(layer.attentionOutput);
      matrices.add(layer.gate);
      matrices.add(layer.up);
      matrices.add(layer.down);
    }
    matrices.add(output);
    return matrices;
  }

  /** Bytes of weights that a decode step reads: all matrices, of the embedding one row. */
  long bytesPerStep() {
    return streamed().stream().mapToLong(Matrix::bytes).sum();
  }

  /** Where tensors are asked for by name and shape. */
  private interface Source {
    Matrix matrix(String name, long rows, int cols);

    /** A vector in f32; null if the model does not have it. */
    MemorySegment vector(boolean present, String name, int size);
  }

  /** The tensors of a checkpoint. */
  private record Mapped(Checkpoint checkpoint, Arena arena) implements Source {
    @Override
    public Matrix matrix(String name, long rows, int cols) {
      return Matrix.of(checkpoint.weight(name, rows, cols));
    }

    @Override
    public MemorySegment vector(boolean present, String name, int size) {
      if (!present) {
        return null;
      }
      Tensor tensor = checkpoint.weight(name, size);
      MemorySegment values = arena.allocate(ValueLayout.JAVA_FLOAT, size);
      new Matrix(name, WeightType.of(tensor.type()), 1, size, tensor.data()).row(0, values, 0);
      return values;
    }
  }

  /** Notes what is asked for and gives nothing. */
  private record Listing(TensorType type, List<TensorSpec> specs) implements Source {
    @Override
    public Matrix matrix(String name, long rows, int cols) {
      specs.add(TensorSpec.of(name, type, rows, cols));
      return null;
    }

    @Override
    public MemorySegment vector(boolean present, String name, int size) {
      if (present) {
        specs.add(TensorSpec.of(name, type, size));
      }
      return null;
    }
  }
}
