package io.gatun.tools.convert;

import io.gatun.attention.Team;
import io.gatun.attention.grad.GqaLayer;
import io.gatun.attention.grad.GqaWeights;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.ArrayList;
import java.util.List;
import java.util.function.Consumer;

/**
 * Fits the projections of one converted attention layer so that its output comes near the original
 * layer's, for the same input: what a layer can win back before any training of the whole model.
 *
 * <pre>
 *   loss(tokens) = sum over them of |y - y'|^2 / sum over them of |y|^2
 * </pre>
 *
 * The text's first three quarters are fitted to; the rest is held out, and the weights with the
 * smallest held-out loss are kept, those before the first step included. Steps are Adam's (Kingma
 * and Ba 2015, algorithm 1) over the whole text, each matrix's step size a share of the spread of
 * its weights that falls to 0 like half a cosine. Biases and norms stay.
 */
final class LayerTuner {
  private static final ValueLayout.OfDouble DOUBLE = ValueLayout.JAVA_DOUBLE;
  private static final double FIRST_MOMENT = 0.9;
  private static final double SECOND_MOMENT = 0.99;
  private static final double EPSILON = 1e-12;
  private static final double STEP_SHARE = 0.02;

  /** Weights of a task. */
  private static final long BAND = 1 << 14;

  /**
   * Losses at a step.
   *
   * @param step 0 before the first
   * @param fitted loss on the tokens that are fitted to
   * @param heldOut loss on the others
   */
  record Loss(int step, double fitted, double heldOut) {}

  /** A weight matrix that is fitted, its gradient, moments, and the best of it so far. */
  private record Matrix(
      MemorySegment weights,
      MemorySegment gradient,
      MemorySegment first,
      MemorySegment second,
      MemorySegment best,
      double spread) {
    static Matrix of(MemorySegment weights, Arena arena) {
      long count = weights.byteSize() / Double.BYTES;
      double squares = 0;
      for (long i = 0; i < count; i++) {
        double w = weights.getAtIndex(DOUBLE, i);
        squares += w * w;
      }
      return new Matrix(
          weights,
          arena.allocate(weights.byteSize(), 64),
          arena.allocate(weights.byteSize(), 64),
          arena.allocate(weights.byteSize(), 64),
          arena.allocate(weights.byteSize(), 64),
          Math.sqrt(squares / count));
    }

    void keep() {
      best.copyFrom(weights);
    }

    void restore() {
      weights.copyFrom(best);
    }

    void step(int step, double size, Team team) {
      long count = weights.byteSize() / Double.BYTES;
      team.run(
          Math.toIntExact(Math.ceilDiv(count, BAND)),
          (band, worker) -> {
            long from = band * BAND;
            step(step, size, from, Math.min(count, from + BAND));
          });
    }

    private void step(int step, double size, long from, long to) {
      double firstCorrection = 1 - Math.pow(FIRST_MOMENT, step);
      double secondCorrection = 1 - Math.pow(SECOND_MOMENT, step);
      for (long i = from; i < to; i++) {
        double g = gradient.getAtIndex(DOUBLE, i);
        double m = FIRST_MOMENT * first.getAtIndex(DOUBLE, i) + (1 - FIRST_MOMENT) * g;
        double v = SECOND_MOMENT * second.getAtIndex(DOUBLE, i) + (1 - SECOND_MOMENT) * g * g;
        first.setAtIndex(DOUBLE, i, m);
        second.setAtIndex(DOUBLE, i, v);
        double move = m / firstCorrection / (Math.sqrt(v / secondCorrection) + EPSILON);
        double moved = weights.getAtIndex(DOUBLE, i) - size * spread * move;
        weights.setAtIndex(DOUBLE, i, moved);
      }
    }
  }

  private final GqaLayer layer;
  private final int hidden;
  private final int steps;
  private final Team team;

  /**
   * @param layer of the converted shape
   * @param hidden width of its input and output
   * @param steps at least 1
   */
  LayerTuner(GqaLayer layer, int hidden, int steps, Team team) {
    this.layer = layer;
    this.hidden = hidden;
    this.steps = steps;
    this.team = team;
  }

  /**
   * Fits {@code weights} in place.
   *
   * @param x input of the layer, {@code [tokens][hidden]}
   * @param wanted output of the original layer, {@code [tokens][hidden]}; at least 4 tokens
   * @param progress is told the losses at each step
   * @return the losses of the weights that were kept
   */
  Loss fit(GqaWeights weights, MemorySegment x, MemorySegment wanted, Consumer<Loss> progress) {
    int tokens = Math.toIntExact(wanted.byteSize() / Double.BYTES / hidden);
    int fitted = tokens * 3 / 4;
    try (Arena arena = Arena.ofShared()) {
      List<Matrix> matrices = new ArrayList<>();
      for (MemorySegment w : List.of(weights.wq(), weights.wk(), weights.wv(), weights.wo())) {
        matrices.add(Matrix.of(w, arena));
      }
      GqaWeights gradient =
          GqaWeights.of(
              matrices.get(0).gradient,
              matrices.get(1).gradient,
              matrices.get(2).gradient,
              matrices.get(3).gradient);
      MemorySegment y = arena.allocate(wanted.byteSize(), 64);
      MemorySegment dy = arena.allocate(wanted.byteSize(), 64);
      Loss best = null;
      for (int step = 0; step <= steps; step++) {
        layer.forward(weights, x, y);
        Loss loss =
            new Loss(step, loss(wanted, y, dy, 0, fitted), loss(wanted, y, dy, fitted, tokens));
        progress.accept(loss);
        if (best == null || loss.heldOut < best.heldOut) {
          best = loss;
          matrices.forEach(Matrix::keep);
        }
        if (step < steps) {
          // What is held out must not pull.
          dy.asSlice((long) fitted * hidden * Double.BYTES).fill((byte) 0);
          layer.backward(weights, x, dy, gradient, null);
          double size = STEP_SHARE * 0.5 * (1 + Math.cos(Math.PI * step / steps));
          for (Matrix matrix : matrices) {
            matrix.step(step + 1, size, team);
          }
        }
      }
      matrices.forEach(Matrix::restore);
      return best;
    }
  }

  /** The loss of tokens {@code [from, to)}, and its gradient by y into dy. */
  private double loss(MemorySegment wanted, MemorySegment y, MemorySegment dy, int from, int to) {
    double squares = 0;
    double difference = 0;
    for (long i = (long) from * hidden; i < (long) to * hidden; i++) {
      double w = wanted.getAtIndex(DOUBLE, i);
      double d = y.getAtIndex(DOUBLE, i) - w;
      squares += w * w;
      difference += d * d;
    }
    if (squares == 0) {
      squares = 1; // a layer that adds nothing: the loss is then the plain sum of squares
    }
    for (long i = (long) from * hidden; i < (long) to * hidden; i++) {
      double d = y.getAtIndex(DOUBLE, i) - wanted.getAtIndex(DOUBLE, i);
      dy.setAtIndex(DOUBLE, i, 2 * d / squares);
    }
    return difference / squares;
  }
}
