package io.gatun.tools.report;

import io.gatun.tools.config.AttentionShape;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;

/** Figure 4: operations of projections and core against the context. */
final class FlopsFigure {
  private static final int[] CONTEXTS = {256, 1024, 4096, 16_384, 65_536, 131_072};

  private FlopsFigure() {}

  static Figure of(AttentionShape model) {
    // A latent or unknown model is shown by heads as wide as its own and a hidden size of all
    // heads.
    int hidden = model.hiddenSize() > 0 ? model.hiddenSize() : model.numHeads() * model.keyDim();
    int grouped = model.latent() == null ? model.numKvHeads() : Math.max(1, model.numHeads() / 4);
    List<Integer> kvHeads = new ArrayList<>(List.of(model.numHeads()));
    if (grouped > 1 && grouped < model.numHeads()) {
      kvHeads.add(grouped);
    }
    if (model.numHeads() > 1) {
      kvHeads.add(1);
    }
    Table table =
        Table.of(
            "4-flops",
            "MFLOPs of one layer for one token, %s".formatted(model.name()),
            "context",
            "attention",
            "projections",
            "core",
            "core's share");
    List<Charts.Line> lines = new ArrayList<>();
    double[] x = java.util.Arrays.stream(CONTEXTS).asDoubleStream().toArray();
    for (int kv : kvHeads) {
      AttentionCost cost = new AttentionCost(hidden, model.numHeads(), kv, model.keyDim());
      String kind = AttentionCost.kind(model.numHeads(), kv);
      double[] projections = new double[CONTEXTS.length];
      double[] core = new double[CONTEXTS.length];
      for (int i = 0; i < CONTEXTS.length; i++) {
        projections[i] = cost.projectionFlops() / 1e6;
        core[i] = cost.coreFlops(CONTEXTS[i]) / 1e6;
        table.row(
            String.format(Locale.ROOT, "%,d", CONTEXTS[i]),
            kind,
            String.format(Locale.ROOT, "%,.2f", projections[i]),
            String.format(Locale.ROOT, "%,.2f", core[i]),
            String.format(Locale.ROOT, "%.1f %%", 100 * core[i] / (core[i] + projections[i])));
      }
      lines.add(new Charts.Line("projections, " + kind, x, projections, Charts.Look.PLAIN));
      lines.add(
          new Charts.Line(
              "core, " + kind,
              x,
              core,
              kv == model.numHeads() ? Charts.Look.POINTS : Charts.Look.DASHED));
    }
    Figure.Chart chart =
        new Figure.Chart(
            "4-flops",
            "MFLOPs of one layer for one token",
            "Lines over logarithmic axes for %s: the projections do not depend on the context; the"
                    .formatted(model.name())
                + " core grows with it, and the lines of MHA, GQA and MQA lie on each other.",
            theme ->
                Charts.lines(theme, "context, tokens", "MFLOPs a token and layer", lines, true));
    return new Figure(
        "What has to be computed",
        List.of(
            "Grouped queries save bytes, not operations: each query head is multiplied with every"
                + " token, however many heads share the keys. Only the projections of keys and"
                + " values become smaller. What decoding gains comes from reading less, which is"
                + " what it waits for."),
        List.of(chart),
        List.of(table));
  }
}
