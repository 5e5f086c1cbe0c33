package io.gatun.tools.report;

import io.gatun.attention.Team;
import io.gatun.attention.grad.GqaCore;
import io.gatun.attention.grad.GqaLayer;
import io.gatun.attention.grad.GqaWeights;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Random;

/**
 * Figure 5: the gradient that reaches a KV head, by the number of query heads that share it. The
 * same layer each time, its heads pooled by their mean as the converter does it; the check moves the
 * head's weights along the gradient, forwards and backwards: the slope of the loss is the norm.
 */
final class GradientFigure {
  private static final ValueLayout.OfDouble DOUBLE = ValueLayout.JAVA_DOUBLE;
  private static final int HIDDEN = 64;
  private static final int HEADS = 8;
  private static final int DIM = 8;
  private static final int TOKENS = 48;
  private static final double STEP = 1e-4;
  private static final long SEED = 5;

  private final Arena arena;
  private final Team team;
  private final Random random = new Random(SEED);
  private final MemorySegment x;
  private final MemorySegment wanted;
  private final GqaWeights mha;

  private GradientFigure(Arena arena, Team team) {
    this.arena = arena;
    this.team = team;
    this.x = gaussian(TOKENS * HIDDEN, 1);
    this.wanted = gaussian(TOKENS * HIDDEN, 1);
    double spread = 1 / Math.sqrt(HIDDEN);
    // Wider queries and keys, so that the heads look somewhere and not everywhere.
    this.mha =
        GqaWeights.of(
            gaussian(HEADS * DIM * HIDDEN, 2 * spread),
            gaussian(HEADS * DIM * HIDDEN, 2 * spread),
            gaussian(HEADS * DIM * HIDDEN, spread),
            gaussian(HIDDEN * HEADS * DIM, spread));
  }

  static Figure of(Team team) {
    try (Arena arena = Arena.ofShared()) {
      return new GradientFigure(arena, team).figure();
    }
  }

  private Figure figure() {
    Table table =
        Table.of(
            "5-gradient",
            "Norm of dL/dWk of each KV head (d_model %d, %d heads of %d, %d tokens, seed %d)"
                .formatted(HIDDEN, HEADS, DIM, TOKENS, SEED),
            "group size",
            "KV heads",
            "mean norm per KV head",
            "central differences",
            "largest relative difference",
            "norm over all heads");
    List<Double> group = new ArrayList<>();
    List<Double> mean = new ArrayList<>();
    List<Double> numeric = new ArrayList<>();
    List<Double> whole = new ArrayList<>();
    for (int kvHeads : AttentionCost.divisors(HEADS)) {
      double[][] norms = norms(kvHeads);
      double norm = 0;
      double slope = 0;
      double squares = 0;
      double worst = 0;
      for (double[] head : norms) {
        norm += head[0] / kvHeads;
        slope += head[1] / kvHeads;
        squares += head[0] * head[0];
        worst = Math.max(worst, Math.abs(head[0] - head[1]) / head[0]);
      }
      group.add((double) HEADS / kvHeads);
      mean.add(norm);
      numeric.add(slope);
      whole.add(Math.sqrt(squares));
      table.row(
          HEADS / kvHeads,
          kvHeads,
          String.format(Locale.ROOT, "%.6f", norm),
          String.format(Locale.ROOT, "%.6f", slope),
          String.format(Locale.ROOT, "%.1e", worst),
          String.format(Locale.ROOT, "%.6f", Math.sqrt(squares)));
    }
    List<Charts.Line> lines =
        List.of(
            line("per KV head", group, mean, Charts.Look.POINTS),
            line("central differences", group, numeric, Charts.Look.DASHED),
            line("over all KV heads", group, whole, Charts.Look.PLAIN));
    Figure.Chart chart =
        new Figure.Chart(
            "5-gradient",
            "Norm of the gradient by Wk, by query heads that share a KV head",
            "Lines: the norm of the gradient by Wk of one KV head against the number of query heads"
                + " that share it; central differences lie on the line.",
            theme ->
                Charts.lines(theme, "query heads of a KV head", "norm of dL/dWk", lines, false));
    return new Figure(
        "What reaches a KV head in training",
        List.of(
            "The gradient of a shared head is the sum over the query heads that use it. Here one"
                + " attention layer is trained towards a random target; its KV heads are pooled by"
                + " their mean, as <code>gatun convert</code> does. The gradients come from Gatun's"
                + " backward pass. The check does not use it: it moves a head's weights along the"
                + " gradient, forwards and backwards, and takes the slope of the loss."),
        List.of(chart),
        List.of(table));
  }

  private static Charts.Line line(String name, List<Double> x, List<Double> y, Charts.Look look) {
    return new Charts.Line(
        name,
        x.stream().mapToDouble(Double::doubleValue).toArray(),
        y.stream().mapToDouble(Double::doubleValue).toArray(),
        look);
  }

  /** For each KV head the norm of its gradient, and the slope of the loss along it. */
  private double[][] norms(int kvHeads) {
    GqaWeights w =
        GqaWeights.of(mha.wq(), pooled(mha.wk(), kvHeads), pooled(mha.wv(), kvHeads), mha.wo());
    GqaWeights d =
        GqaWeights.of(
            zeros(w.wq().byteSize()),
            zeros(w.wk().byteSize()),
            zeros(w.wv().byteSize()),
            zeros(w.wo().byteSize()));
    MemorySegment y = zeros(x.byteSize());
    double[][] norms = new double[kvHeads][2];
    try (GqaLayer layer =
        new GqaLayer(GqaCore.Shape.of(HEADS, kvHeads, DIM), HIDDEN, TOKENS, null, 0, team)) {
      layer.forward(w, x, y);
      MemorySegment dy = zeros(x.byteSize());
      for (long i = 0; i < (long) TOKENS * HIDDEN; i++) {
        dy.setAtIndex(DOUBLE, i, (y.getAtIndex(DOUBLE, i) - wanted.getAtIndex(DOUBLE, i)) / TOKENS);
      }
      layer.backward(w, x, dy, d, null);
      long count = (long) DIM * HIDDEN;
      for (int head = 0; head < kvHeads; head++) {
        double squares = 0;
        for (long i = head * count; i < (head + 1) * count; i++) {
          squares += d.wk().getAtIndex(DOUBLE, i) * d.wk().getAtIndex(DOUBLE, i);
        }
        double norm = Math.sqrt(squares);
        double above = lossAt(layer, w, d.wk(), head * count, count, STEP / norm, y);
        double below = lossAt(layer, w, d.wk(), head * count, count, -STEP / norm, y);
        norms[head][0] = norm;
        norms[head][1] = (above - below) / (2 * STEP);
      }
    }
    return norms;
  }

  /** The loss, half the squared distance per token, after a step along the gradient. */
  private double lossAt(
      GqaLayer layer,
      GqaWeights w,
      MemorySegment gradient,
      long from,
      long count,
      double factor,
      MemorySegment y) {
    move(w.wk(), gradient, from, count, factor);
    layer.forward(w, x, y);
    move(w.wk(), gradient, from, count, -factor);
    double loss = 0;
    for (long i = 0; i < (long) TOKENS * HIDDEN; i++) {
      double difference = y.getAtIndex(DOUBLE, i) - wanted.getAtIndex(DOUBLE, i);
      loss += difference * difference / (2 * TOKENS);
    }
    return loss;
  }

  private static void move(
      MemorySegment w, MemorySegment gradient, long from, long count, double factor) {
    for (long i = from; i < from + count; i++) {
      w.setAtIndex(DOUBLE, i, w.getAtIndex(DOUBLE, i) + factor * gradient.getAtIndex(DOUBLE, i));
    }
  }

  private MemorySegment pooled(MemorySegment heads, int kvHeads) {
    int group = HEADS / kvHeads;
    long count = (long) DIM * HIDDEN;
    MemorySegment pooled = zeros(kvHeads * count * Double.BYTES);
    for (int head = 0; head < HEADS; head++) {
      for (long i = 0; i < count; i++) {
        long to = head / group * count + i;
        double part = heads.getAtIndex(DOUBLE, head * count + i) / group;
        pooled.setAtIndex(DOUBLE, to, pooled.getAtIndex(DOUBLE, to) + part);
      }
    }
    return pooled;
  }

  private MemorySegment zeros(long bytes) {
    return arena.allocate(bytes, 64);
  }

  private MemorySegment gaussian(long count, double spread) {
    MemorySegment segment = zeros(count * Double.BYTES);
    for (long i = 0; i < count; i++) {
      segment.setAtIndex(DOUBLE, i, spread * random.nextGaussian());
    }
    return segment;
  }
}
