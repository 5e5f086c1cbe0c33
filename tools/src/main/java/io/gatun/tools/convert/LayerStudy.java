package io.gatun.tools.convert;

import io.gatun.attention.Team;
import io.gatun.attention.grad.GqaCore;
import io.gatun.attention.grad.GqaLayer;
import io.gatun.attention.grad.GqaWeights;
import io.gatun.tools.cli.Progress;
import io.gatun.tools.config.ModelConfig;
import io.gatun.tools.safetensors.Tensor;
import java.io.PrintWriter;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.HashMap;
import java.util.Locale;
import java.util.Map;
import java.util.StringJoiner;

/**
 * What pooling does to each attention layer's output on a text, and how much of it fitting the
 * layer's projections wins back. Every layer is given the original model's input, so that the
 * changes do not add up. The weights are those that the converted file holds, rounding included.
 */
final class LayerStudy implements TextPass.Visitor, AutoCloseable {
  /** Losses printed of a layer's fit, between the first and the last. */
  private static final int SHOWN = 5;

  private final Source source;
  private final HeadPooler pooler;
  private final ModelConfig config;
  private final int kvHeads;
  private final int tokens;
  private final int steps;
  private final TensorScratch scratch;
  private final Team team;
  private final PrintWriter out;
  private final Progress progress;
  private final Map<Integer, GqaLayer> layers = new HashMap<>();

  /**
   * @param kvHeads of the converted model
   * @param tokens of the text
   * @param steps of fitting; 0 to report only
   * @param scratch receives the fitted projections; may be null if there are no steps
   */
  LayerStudy(
      Source source,
      HeadPooler pooler,
      ModelConfig config,
      int kvHeads,
      int tokens,
      int steps,
      TensorScratch scratch,
      Team team,
      PrintWriter out) {
    this.source = source;
    this.pooler = pooler;
    this.config = config;
    this.kvHeads = kvHeads;
    this.tokens = tokens;
    this.steps = steps;
    this.scratch = scratch;
    this.team = team;
    this.out = out;
    this.progress =
        steps > 0
            ? Progress.start("fit", "steps", (long) steps * config.layers())
            : Progress.start("report", "layers", config.layers());
  }

  /** Prints what the lines mean. */
  void printHead() {
    out.printf(
        Locale.ROOT,
        "Attention outputs of the converted layers against the original's, on %d tokens:%n",
        tokens);
    out.println("change = |y - y'| / |y| over all tokens, cosine = mean over the tokens.");
    if (steps > 0) {
      out.println(
          "loss = change squared, on the first three quarters of the tokens, which are fitted to;"
              + " held out: on the rest.");
    }
    out.flush();
  }

  @Override
  public void visit(TextPass.Attention a) {
    GqaCore.Shape shape =
        GqaCore.Shape.of(config.numHeads(), kvHeads, config.headDim())
            .withWindow(a.shape().window());
    GqaLayer layer =
        layers.computeIfAbsent(
            shape.window(),
            window ->
                new GqaLayer(
                    shape, config.hiddenSize(), tokens, config.rope(), config.rmsNormEps(), team));
    try (Arena arena = Arena.ofShared()) {
      GqaWeights weights = pooled(a, arena);
      MemorySegment y = arena.allocate(a.y().byteSize(), 64);
      layer.forward(weights, a.x(), y);
      print(a, "pooled", OutputChange.between(a.y(), y, config.hiddenSize()));
      if (steps > 0) {
        fit(a, layer, weights);
        layer.forward(stored(a, weights, arena), a.x(), y);
        print(a, "fitted", OutputChange.between(a.y(), y, config.hiddenSize()));
      }
    }
    if (steps == 0) {
      progress.by(1);
    }
    out.flush();
  }

  private void print(TextPass.Attention a, String what, OutputChange change) {
    out.printf(
        Locale.ROOT,
        "  layer %3d %s  change %.4f  cosine %.4f%n",
        a.index(),
        what,
        change.relative(),
        change.cosine());
  }

  private void fit(TextPass.Attention a, GqaLayer layer, GqaWeights weights) {
    StringJoiner falling = new StringJoiner("  ");
    int every = Math.max(1, steps / (SHOWN + 1));
    LayerTuner.Loss[] first = new LayerTuner.Loss[1];
    LayerTuner.Loss kept =
        new LayerTuner(layer, config.hiddenSize(), steps, team)
            .fit(
                weights,
                a.x(),
                a.y(),
                loss -> {
                  progress.by(loss.step() == 0 ? 0 : 1);
                  if (loss.step() == 0) {
                    first[0] = loss;
                  }
                  boolean last = loss.step() == steps;
                  if (last || (loss.step() % every == 0 && steps - loss.step() >= every)) {
                    falling.add(String.format(Locale.ROOT, "%d: %.5f", loss.step(), loss.fitted()));
                  }
                });
    out.printf(
        Locale.ROOT,
        "            loss at step %s%n            held out %.5f -> %.5f, step %d kept%n",
        falling,
        first[0].heldOut(),
        kept.heldOut(),
        kept.step());
    String prefix = prefix(a);
    keep(prefix + "q_proj.weight", weights.wq());
    keep(prefix + "k_proj.weight", weights.wk());
    keep(prefix + "v_proj.weight", weights.wv());
    keep(prefix + "o_proj.weight", weights.wo());
  }

  private void keep(String name, MemorySegment weights) {
    Tensor tensor = source.checkpoint().tensors().get(name);
    try (Arena arena = Arena.ofConfined()) {
      scratch.put(name, WeightReader.encode(tensor.type(), weights, arena));
    }
  }

  /** The fitted weights as the file will hold them. */
  private GqaWeights stored(TextPass.Attention a, GqaWeights w, Arena arena) {
    String prefix = prefix(a);
    return new GqaWeights(
        kept(prefix + "q_proj.weight", arena),
        kept(prefix + "k_proj.weight", arena),
        kept(prefix + "v_proj.weight", arena),
        kept(prefix + "o_proj.weight", arena),
        w.bq(),
        w.bk(),
        w.bv(),
        w.bo(),
        w.qNorm(),
        w.kNorm());
  }

  private MemorySegment kept(String name, Arena arena) {
    Tensor tensor = source.checkpoint().tensors().get(name);
    return WeightReader.read(tensor.type(), scratch.tensors().get(name), arena, team);
  }

  /** The converted layer's weights before fitting; copies, so that fitting leaves the original. */
  private GqaWeights pooled(TextPass.Attention a, Arena arena) {
    GqaWeights w = a.weights();
    String prefix = prefix(a);
    return new GqaWeights(
        copy(w.wq(), arena),
        pool(prefix + "k_proj.weight", arena),
        pool(prefix + "v_proj.weight", arena),
        copy(w.wo(), arena),
        w.bq(),
        w.bk() == null ? null : pool(prefix + "k_proj.bias", arena),
        w.bv() == null ? null : pool(prefix + "v_proj.bias", arena),
        w.bo(),
        w.qNorm(),
        w.kNorm());
  }

  private static String prefix(TextPass.Attention a) {
    return "model.layers." + a.index() + ".self_attn.";
  }

  private static MemorySegment copy(MemorySegment from, Arena arena) {
    return arena.allocate(from.byteSize(), 64).copyFrom(from);
  }

  private MemorySegment pool(String name, Arena arena) {
    Tensor tensor = source.checkpoint().tensors().get(name);
    try (Arena encoded = Arena.ofShared()) {
      return WeightReader.read(tensor.type(), pooler.pool(tensor, encoded), arena, team);
    }
  }

  @Override
  public void close() {
    progress.close();
    layers.values().forEach(GqaLayer::close);
  }
}
