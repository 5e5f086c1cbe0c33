package io.gatun.tools.convert;

import io.gatun.attention.Team;
import io.gatun.attention.grad.GqaCore;
import io.gatun.attention.grad.GqaLayer;
import io.gatun.attention.grad.GqaWeights;
import io.gatun.attention.grad.Products;
import io.gatun.tools.config.ModelConfig;
import io.gatun.tools.safetensors.Checkpoint;
import io.gatun.tools.safetensors.Tensor;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.HashMap;
import java.util.Map;

/**
 * Runs a model over a short text in f64, a layer at a time, and shows each attention layer with its
 * input and output. It reads the weights from the mapped checkpoint, one layer's at a time, and
 * shares neither kernels nor a cache with the decoder, which makes it a check of that one too.
 *
 * <p>Memory: {@code tokens x} the model's widths and one layer's weights, all f64, outside the heap.
 * One thread; the team does the products.
 */
public final class TextPass implements AutoCloseable {
  private static final ValueLayout.OfDouble DOUBLE = ValueLayout.JAVA_DOUBLE;

  /**
   * An attention layer after its forward pass; valid during the visit only.
   *
   * @param index of the layer
   * @param shape of its attention
   * @param weights of its projections
   * @param layer with queries, keys, values and the heads' outputs
   * @param x its input, behind the norm, {@code [tokens][hidden]}
   * @param y its output, {@code [tokens][hidden]}
   */
  public record Attention(
      int index,
      GqaCore.Shape shape,
      GqaWeights weights,
      GqaLayer layer,
      MemorySegment x,
      MemorySegment y) {}

  /** What is done with each attention layer. */
  @FunctionalInterface
  public interface Visitor {
    /** Sees one layer. */
    void visit(Attention attention);
  }

  private final Checkpoint checkpoint;
  private final ModelConfig config;
  private final int[] ids;
  private final Team team;
  private final Products products;
  private final Arena arena = Arena.ofShared();
  private final MemorySegment hidden; // [tokens][hidden]
  private final MemorySegment normed; // [tokens][hidden]
  private final MemorySegment output; // [tokens][hidden]
  private final MemorySegment gate; // [tokens][intermediate]
  private final MemorySegment up; // [tokens][intermediate]

  /** Attention layers by their window: their buffers serve all layers with that window. */
  private final Map<Integer, GqaLayer> layers = new HashMap<>();

  /**
   * A pass over the tokens {@code ids}. Checkpoint and team stay the caller's to close.
   *
   * @throws io.gatun.cache.GatunException if the model is not a plain decoder
   */
  public TextPass(Checkpoint checkpoint, ModelConfig config, int[] ids, Team team) {
    config.requirePlain("the pass in f64");
    this.checkpoint = checkpoint;
    this.config = config;
    this.ids = ids.clone();
    this.team = team;
    this.products = new Products(team);
    this.hidden = rows(config.hiddenSize());
    this.normed = rows(config.hiddenSize());
    this.output = rows(config.hiddenSize());
    this.gate = rows(config.intermediateSize());
    this.up = rows(config.intermediateSize());
  }

  private MemorySegment rows(int width) {
    return arena.allocate((long) ids.length * width * Double.BYTES, 64);
  }

  /** Shape of a layer's attention. */
  public GqaCore.Shape shape(int layer) {
    return GqaCore.Shape.of(config.numHeads(), config.numKvHeads(), config.headDim())
        .withWindow(config.windows().get(layer));
  }

  /** Runs all layers. */
  public void run(Visitor visitor) {
    embed();
    for (int i = 0; i < config.layers(); i++) {
      try (Arena weights = Arena.ofShared()) {
        attention(i, weights, visitor);
        mlp(i, weights);
      }
    }
  }

  private void embed() {
    Tensor table =
        checkpoint.weight("model.embed_tokens.weight", config.vocabSize(), config.hiddenSize());
    long rowBytes = (long) config.hiddenSize() * table.type().bytes();
    for (int t = 0; t < ids.length; t++) {
      MemorySegment row = table.data().asSlice(ids[t] * rowBytes, rowBytes);
      long at = (long) t * config.hiddenSize() * Double.BYTES;
      WeightReader.decode(table.type(), row, hidden.asSlice(at));
    }
  }

  private void attention(int i, Arena arena, Visitor visitor) {
    String prefix = "model.layers." + i + ".";
    GqaCore.Shape shape = shape(i);
    GqaLayer layer =
        layers.computeIfAbsent(
            shape.window(),
            window ->
                new GqaLayer(
                    shape,
                    config.hiddenSize(),
                    ids.length,
                    config.rope(),
                    config.rmsNormEps(),
                    team));
    norm(prefix + "input_layernorm.weight", arena);
    GqaWeights weights = weights(i, arena);
    layer.forward(weights, normed, output);
    visitor.visit(new Attention(i, shape, weights, layer, normed, output));
    addToHidden();
  }

  private GqaWeights weights(int i, Arena arena) {
    String prefix = "model.layers." + i + ".self_attn.";
    int width = config.hiddenSize();
    boolean bias = config.qkvBias();
    int qDim = config.queryDim();
    int kvDim = config.kvDim();
    return new GqaWeights(
        read(true, prefix + "q_proj.weight", arena, qDim, width),
        read(true, prefix + "k_proj.weight", arena, kvDim, width),
        read(true, prefix + "v_proj.weight", arena, kvDim, width),
        read(true, prefix + "o_proj.weight", arena, width, qDim),
        read(bias, prefix + "q_proj.bias", arena, qDim),
        read(bias, prefix + "k_proj.bias", arena, kvDim),
        read(bias, prefix + "v_proj.bias", arena, kvDim),
        read(config.outputBias(), prefix + "o_proj.bias", arena, width),
        read(config.qkNorm(), prefix + "q_norm.weight", arena, config.headDim()),
        read(config.qkNorm(), prefix + "k_norm.weight", arena, config.headDim()));
  }

  private void mlp(int i, Arena arena) {
    String prefix = "model.layers." + i + ".";
    int width = config.hiddenSize();
    int inner = config.intermediateSize();
    norm(prefix + "post_attention_layernorm.weight", arena);
    project(gate, normed, prefix + "mlp.gate_proj", inner, width, arena);
    project(up, normed, prefix + "mlp.up_proj", inner, width, arena);
    team.run(
        ids.length,
        (token, worker) -> {
          for (long at = (long) token * inner; at < (token + 1L) * inner; at++) {
            double g = gate.getAtIndex(DOUBLE, at);
            double mixed = g / (1 + Math.exp(-g)) * up.getAtIndex(DOUBLE, at);
            gate.setAtIndex(DOUBLE, at, mixed);
          }
        });
    project(output, gate, prefix + "mlp.down_proj", width, inner, arena);
    addToHidden();
  }

  private void project(
      MemorySegment to, MemorySegment from, String name, int rows, int columns, Arena arena) {
    MemorySegment w = read(true, name + ".weight", arena, rows, columns);
    products.abT(to, from, w, ids.length, rows, columns);
    MemorySegment bias = read(config.mlpBias(), name + ".bias", arena, rows);
    if (bias != null) {
      for (long i = 0; i < (long) ids.length * rows; i++) {
        to.setAtIndex(DOUBLE, i, to.getAtIndex(DOUBLE, i) + bias.getAtIndex(DOUBLE, i % rows));
      }
    }
  }

  private MemorySegment read(boolean present, String name, Arena arena, long... shape) {
    return present ? WeightReader.read(checkpoint.weight(name, shape), arena, team) : null;
  }

  /** RMSNorm of the residual stream (Zhang and Sennrich 2019, equation 4) into {@link #normed}. */
  private void norm(String gain, Arena arena) {
    int width = config.hiddenSize();
    MemorySegment g = read(true, gain, arena, width);
    for (int t = 0; t < ids.length; t++) {
      long at = (long) t * width;
      double squares = 0;
      for (int i = 0; i < width; i++) {
        double value = hidden.getAtIndex(DOUBLE, at + i);
        squares = Math.fma(value, value, squares);
      }
      double root = Math.sqrt(squares / width + config.rmsNormEps());
      for (int i = 0; i < width; i++) {
        double value = g.getAtIndex(DOUBLE, i) * hidden.getAtIndex(DOUBLE, at + i) / root;
        normed.setAtIndex(DOUBLE, at + i, value);
      }
    }
  }

  private void addToHidden() {
    for (long i = 0; i < hidden.byteSize() / Double.BYTES; i++) {
      hidden.setAtIndex(DOUBLE, i, hidden.getAtIndex(DOUBLE, i) + output.getAtIndex(DOUBLE, i));
    }
  }

  /** The residual stream behind the last layer, {@code [tokens][hidden]}, after {@link #run}. */
  public MemorySegment hidden() {
    return hidden;
  }

  /** Frees the buffers. */
  @Override
  public void close() {
    layers.values().forEach(GqaLayer::close);
    arena.close();
  }
}
