package io.gatun.tools.report;

import io.gatun.cache.KvType;
import io.gatun.tools.cli.Amounts;
import io.gatun.tools.cli.Sizes;
import io.gatun.tools.config.AttentionShape;
import io.gatun.tools.plan.CacheCost;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;

/** Figure 1: what fewer KV heads save, in projections and in the cache. */
final class ProjectionFigure {
  private ProjectionFigure() {}

  /** The figure for the small example and for {@code model}. */
  static Figure of(AttentionShape model) {
    AttentionCost small = new AttentionCost(512, 8, 8, 64);
    AttentionCost tiny = new AttentionCost(64, 8, 2, 8);
    List<Figure.Chart> charts = new ArrayList<>();
    List<Table> tables = new ArrayList<>();
    add(charts, tables, "1a-projections-512", "d_model 512 with 8 heads", small);
    List<String> text = new ArrayList<>();
    text.add(
        "Query heads share key and value heads in groups. The projections of keys and values shrink"
            + " with the number of KV heads, and so does what each token leaves in the cache; the"
            + " projections of queries and outputs stay. That is why the cache shrinks so much"
            + " faster than the parameters.");
    text.add(
        String.format(
            Locale.ROOT,
            "A small one to check by hand: d_model 64, 8 heads, 2 KV heads: %s parameters instead"
                + " of %s, %.1f %% fewer.",
            Amounts.grouped(tiny.parameters()),
            Amounts.grouped(new AttentionCost(64, 8, 8, 8).parameters()),
            100 * tiny.saved()));
    if (model.latent() == null && model.hiddenSize() > 0) {
      AttentionCost large =
          new AttentionCost(
              model.hiddenSize(), model.numHeads(), model.numKvHeads(), model.keyDim());
      String title =
          "%s: d_model %d with %d heads of %d (it has %d KV heads)"
              .formatted(
                  model.name(),
                  model.hiddenSize(),
                  model.numHeads(),
                  model.keyDim(),
                  model.numKvHeads());
      add(charts, tables, "1b-projections-model", title, large);
    } else {
      text.add(
          model.name()
              + " is left out of this figure: "
              + (model.latent() != null
                  ? "it caches one latent row for all heads."
                  : "its d_model is not known."));
    }
    return new Figure("What fewer KV heads save", text, charts, tables);
  }

  private static void add(
      List<Figure.Chart> charts,
      List<Table> tables,
      String name,
      String title,
      AttentionCost cost) {
    Table table =
        Table.of(
            name,
            title + ", one layer, K/V in f16",
            "attention",
            "KV heads",
            "projection parameters",
            "of MHA",
            "K/V bytes a token",
            "of MHA ",
            "cache at 4,096 tokens");
    int[] divisors = AttentionCost.divisors(cost.numHeads());
    List<String> categories = new ArrayList<>();
    double[] parameters = new double[divisors.length];
    double[] bytes = new double[divisors.length];
    for (int i = 0; i < divisors.length; i++) {
      AttentionCost c =
          new AttentionCost(cost.hidden(), cost.numHeads(), divisors[i], cost.headDim());
      CacheCost cache = CacheCost.of(oneLayer(c), KvType.F16, 1);
      parameters[i] = 100 * (1 - c.saved());
      bytes[i] = 100.0 * divisors[i] / cost.numHeads();
      categories.add(AttentionCost.kind(cost.numHeads(), divisors[i]));
      table.row(
          categories.get(i),
          divisors[i],
          Amounts.grouped(c.parameters()),
          percent(parameters[i]),
          Amounts.grouped(cache.bytesPerToken()),
          percent(bytes[i]),
          Sizes.human(cache.bytesAt(4096)));
    }
    Map<String, double[]> series = new LinkedHashMap<>();
    series.put("projection parameters", parameters);
    series.put("K/V cache", bytes);
    String alt =
        "Bars for %s: from MHA to MQA the projection parameters fall from 100 to %s, the cache from 100 to %s."
            .formatted(
                title,
                percent(parameters[divisors.length - 1]),
                percent(bytes[divisors.length - 1]));
    charts.add(
        new Figure.Chart(
            name,
            title,
            alt,
            theme -> Charts.bars(theme, "% of MHA", categories, series, false, false)));
    tables.add(table);
  }

  private static AttentionShape oneLayer(AttentionCost c) {
    return new AttentionShape(
        "one layer",
        c.numHeads(),
        c.numKvHeads(),
        c.headDim(),
        c.headDim(),
        null,
        AttentionShape.fullAttention(1),
        c.hidden(),
        0,
        AttentionShape.Source.GIVEN);
  }

  private static String percent(double value) {
    return String.format(Locale.ROOT, "%.1f %%", value);
  }
}
