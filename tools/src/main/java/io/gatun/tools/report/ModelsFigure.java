package io.gatun.tools.report;

import io.gatun.cache.KvType;
import io.gatun.tools.cli.Amounts;
import io.gatun.tools.cli.Sizes;
import io.gatun.tools.config.AttentionShape;
import io.gatun.tools.config.ModelCatalog;
import io.gatun.tools.plan.CacheCost;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/** Figure 2: the K/V of published models at the contexts that they were made for. */
final class ModelsFigure {
  /** One of each kind for the chart; the table has all. */
  private static final List<String> SHOWN =
      List.of(
          "GPT-2 XL",
          "GPT-3 175B",
          "Llama-2-7B",
          "Llama-2-70B",
          "Llama-3.1-8B",
          "Llama-3.1-405B",
          "Mistral-7B-v0.1",
          "Qwen2.5-7B",
          "Qwen3-32B",
          "Gemma-3-27B",
          "gpt-oss-120b",
          "DeepSeek-V3",
          "Falcon-7B");

  private ModelsFigure() {}

  static Figure create() {
    List<String> header = new ArrayList<>(List.of("model", "heads/KV", "context"));
    List<KvType> types = new ArrayList<>();
    for (KvType type : KvType.values()) {
      if (type.quantized() && !type.rotated()) {
        continue; // Of the size of the rotated one.
      }
      types.add(type);
      header.add(type.label());
    }
    header.add("shape from");
    Table table =
        Table.of(
            "2-models",
            "K/V of one sequence at the model's own context, sliding windows counted",
            header.toArray(String[]::new));
    for (AttentionShape model : ModelCatalog.all()) {
      List<Object> row = new ArrayList<>();
      row.add(model.name());
      row.add(model.numHeads() + "/" + (model.latent() == null ? model.numKvHeads() : "latent"));
      row.add(Amounts.grouped(model.contextLimit()));
      for (KvType type : types) {
        row.add(Sizes.human(CacheCost.of(model, type, 1).bytesAt(model.contextLimit())));
      }
      row.add(model.source() == AttentionShape.Source.CHECKED ? "its config" : "memory");
      table.row(row.toArray());
    }
    Map<String, double[]> series = new LinkedHashMap<>();
    for (KvType type : types) {
      // F16 and BF16 are of one size.
      if (type != KvType.F16) {
        series.put(type == KvType.BF16 ? "bf16, f16" : type.label(), gibibytes(type));
      }
    }
    Figure.Chart chart =
        new Figure.Chart(
            "2-models",
            "K/V of one sequence at the model's own context",
            "Bars on a logarithmic axis: K/V of 13 models at their own contexts in each element"
                + " type, from below 1 GiB (Falcon-7B, GPT-2) to tens of GiB (Llama-3.1-405B,"
                + " Qwen2.5).",
            theme -> Charts.bars(theme, "GiB", labels(), series, false, true));
    return new Figure(
        "What published models keep",
        List.of(
            "The K/V of one sequence when the context is full. Grouped queries, sliding windows and"
                + " latent rows are why models with contexts a hundred times longer do not need a"
                + " hundred times the memory. The contexts are from memory; a shape marked"
                + " <em>memory</em> was not checked against the published config."),
        List.of(chart),
        List.of(table));
  }

  private static List<String> labels() {
    List<String> labels = new ArrayList<>();
    for (String name : SHOWN) {
      AttentionShape model = ModelCatalog.find(name);
      labels.add(name + " @" + Charts.tokens(model.contextLimit()));
    }
    return labels;
  }

  private static double[] gibibytes(KvType type) {
    return SHOWN.stream()
        .map(ModelCatalog::find)
        .mapToDouble(m -> CacheCost.of(m, type, 1).bytesAt(m.contextLimit()) / (double) (1L << 30))
        .toArray();
  }
}
