package io.gatun.tools.report;

import com.sun.management.OperatingSystemMXBean;
import io.gatun.attention.Team;
import io.gatun.cache.KvType;
import io.gatun.tools.cli.Amounts;
import io.gatun.tools.cli.Progress;
import io.gatun.tools.cli.Sizes;
import io.gatun.tools.config.AttentionShape;
import io.gatun.tools.model.Model;
import io.gatun.tools.plan.CacheCost;
import io.gatun.tools.plan.ReadBandwidth;
import java.awt.Color;
import java.lang.management.ManagementFactory;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;

/** Figure 6: bytes over context and KV heads, and where time goes, measured. */
final class MapFigure {
  private static final int FIRST_POWER = 10;
  private static final int LAST_POWER = 20;
  private static final KvType TYPE = KvType.BF16;
  private static final int[] MEASURED = {256, 1024, 4096, 16_384, 65_536};

  private static final int WARM_CONTEXT = 4096;

  /** Most bytes of K/V that a measurement takes, of what the machine has. */
  private static final double MEMORY_SHARE = 1.0 / 8;

  /** Bytes that layers are rotated over. */
  private static final long ROTATED = 256L << 20;

  /** Bands of bytes, each a colour of the map. */
  private static final long[] BANDS = {
    256L << 20, 1L << 30, 4L << 30, 16L << 30, 64L << 30, 256L << 30, Long.MAX_VALUE
  };

  private final AttentionShape model;
  private final long memory =
      ManagementFactory.getPlatformMXBean(OperatingSystemMXBean.class).getTotalMemorySize();

  private MapFigure(AttentionShape model) {
    this.model = model;
  }

  /**
   * The figure.
   *
   * @param spec shape of the map and of the attention that is measured
   * @param run model whose whole steps are measured
   * @param name how the page calls that one
   * @param measured whether to measure; otherwise only the map is drawn
   */
  static Figure of(AttentionShape spec, Model run, String name, boolean measured, Team team) {
    MapFigure figure = new MapFigure(spec);
    List<Figure.Chart> charts = new ArrayList<>();
    List<Table> tables = new ArrayList<>();
    figure.map(charts, tables);
    List<String> text = new ArrayList<>();
    text.add(
        ("The map has the layers and head width of %s (%s) and asks how many KV heads and how long"
             + " a context a memory holds, for the cache alone. Along a line the product of both is"
             + " the same: a quarter of the KV heads is four times the context.")
            .formatted(spec.name(), TYPE.label()));
    if (!measured) {
      return new Figure("What fits, and where time goes", text, charts, tables);
    }
    try (Progress progress = Progress.start("measure", "contexts", 2L * MEASURED.length)) {
      figure.attention(charts, tables, text, team, progress);
      figure.split(charts, tables, text, run, name, team, progress);
    }
    return new Figure("What fits, and where time goes", text, charts, tables);
  }

  private int[] kvHeads() {
    int most = Math.max(model.numHeads(), 1);
    List<Integer> powers = new ArrayList<>();
    for (int kv = 1; kv <= most; kv *= 2) {
      powers.add(kv);
    }
    return powers.stream().mapToInt(Integer::intValue).toArray();
  }

  private long bytes(int kvHeads, long context) {
    AttentionShape m =
        new AttentionShape(
            model.name(),
            kvHeads,
            kvHeads,
            model.keyDim(),
            model.valueDim(),
            null,
            AttentionShape.fullAttention(model.kvLayers()),
            0,
            0,
            model.source());
    return CacheCost.of(m, TYPE, 1).bytesAt(context);
  }

  private void map(List<Figure.Chart> charts, List<Table> tables) {
    int[] kvHeads = kvHeads();
    List<String> header = new ArrayList<>(List.of("context"));
    Arrays.stream(kvHeads).forEach(kv -> header.add(kv + " KV heads"));
    Table table =
        Table.of(
            "6a-map",
            "K/V in %s with %d layers and heads of %d"
                .formatted(TYPE.label(), model.kvLayers(), model.keyDim()),
            header.toArray(String[]::new));
    Map<Integer, List<double[]>> cells = new LinkedHashMap<>();
    for (int power = FIRST_POWER; power <= LAST_POWER; power++) {
      List<Object> row = new ArrayList<>(List.of(Amounts.grouped(1L << power)));
      for (int kv : kvHeads) {
        long bytes = bytes(kv, 1L << power);
        row.add(Sizes.human(bytes));
        cells
            .computeIfAbsent(band(bytes), b -> new ArrayList<>())
            .add(new double[] {power, Math.log(kv) / Math.log(2)});
      }
      table.row(row.toArray());
    }
    tables.add(table);
    double top = Math.log(kvHeads[kvHeads.length - 1]) / Math.log(2);
    charts.add(
        new Figure.Chart(
            "6a-map",
            "Bytes of K/V over context and KV heads, with the lines of some memories",
            "A map of context against KV heads, coloured by bytes from below 256 MiB to above 256"
                + " GiB,"
                + " with falling lines for memories of 8, 24 and 80 GiB and for this machine's %s."
                    .formatted(Sizes.human(memory)),
            theme -> draw(theme, cells, top)));
  }

  private static int band(long bytes) {
    int band = 0;
    while (bytes >= BANDS[band]) {
      band++;
    }
    return band;
  }

  private static String bandName(int band) {
    if (band == 0) {
      return "< " + whole(BANDS[0]);
    }
    return band == BANDS.length - 1
        ? ">= " + whole(BANDS[band - 1])
        : whole(BANDS[band - 1]) + " - " + whole(BANDS[band]);
  }

  private static String whole(long bytes) {
    return Sizes.human(bytes).replace(".00", "");
  }

  private java.awt.image.BufferedImage draw(
      Theme theme, Map<Integer, List<double[]>> cells, double top) {
    List<Charts.Line> lines = new ArrayList<>();
    Map<String, Color> colours = new LinkedHashMap<>();
    for (int band = 0; band < BANDS.length; band++) {
      List<double[]> points = cells.getOrDefault(band, List.of());
      if (!points.isEmpty()) {
        lines.add(
            new Charts.Line(
                bandName(band),
                points.stream().mapToDouble(p -> p[0]).toArray(),
                points.stream().mapToDouble(p -> p[1]).toArray(),
                Charts.Look.CELLS));
        colours.put(bandName(band), heat(theme, band / (BANDS.length - 1.0)));
      }
    }
    Map<String, Long> memories = new LinkedHashMap<>();
    memories.put("8 GiB", 8L << 30);
    memories.put("24 GiB card", 24L << 30);
    memories.put("80 GiB card", 80L << 30);
    memories.put("this machine, " + whole(memory), memory);
    int colour = 1;
    for (Map.Entry<String, Long> entry : memories.entrySet()) {
      boolean own = entry.getKey().startsWith("this");
      double[][] line = line(entry.getValue(), top);
      if (line[0].length > 1) {
        lines.add(
            new Charts.Line(
                entry.getKey(), line[0], line[1], own ? Charts.Look.PLAIN : Charts.Look.DASHED));
        colours.put(
            entry.getKey(), own ? theme.text() : theme.series()[colour++ % theme.series().length]);
      }
    }
    return Charts.map(
        theme,
        "context, tokens",
        "KV heads",
        lines,
        colours,
        // Whole numbers, so that the ticks fall on powers of two.
        new double[] {FIRST_POWER - 1, LAST_POWER + 1},
        new double[] {-1, top + 1});
  }

  /** Points of context x KV heads = memory / bytes of one head and token, within the map. */
  private double[][] line(long memory, double top) {
    double product = Math.log((double) memory / bytes(1, 1)) / Math.log(2);
    double from = Math.max(FIRST_POWER - 1, product - top - 1);
    double to = Math.min(LAST_POWER + 1, product + 1);
    return from >= to
        ? new double[][] {{}, {}}
        : new double[][] {{from, to}, {product - from, product - to}};
  }

  private static Color heat(Theme theme, double share) {
    Color[] heat = theme.heat();
    double at = share * (heat.length - 1);
    int low = Math.min((int) at, heat.length - 2);
    double part = at - low;
    return new Color(
        mix(heat[low].getRed(), heat[low + 1].getRed(), part),
        mix(heat[low].getGreen(), heat[low + 1].getGreen(), part),
        mix(heat[low].getBlue(), heat[low + 1].getBlue(), part));
  }

  private static int mix(int a, int b, double part) {
    return (int) Math.round(a + (b - a) * part);
  }

  private void attention(
      List<Figure.Chart> charts,
      List<Table> tables,
      List<String> text,
      Team team,
      Progress progress) {
    Table table =
        Table.of(
            "6b-attention",
            "Attention of one decode step in the shape of %s, %s, %d threads, measured"
                .formatted(model.name(), TYPE.label(), team.threads()),
            "context",
            "K/V read",
            "measured",
            "floor",
            "floor / measured");
    double bandwidth = ReadBandwidth.measure();
    CacheCost cost = CacheCost.of(model.withoutWindows(), TYPE, 1);
    List<double[]> points = new ArrayList<>();
    // Not shown: while it runs, the compiler finishes the kernels, also on a busy machine.
    DecodeTimes.attention(model, TYPE, WARM_CONTEXT, ROTATED, team);
    for (int context : MEASURED) {
      progress.by(1);
      // One layer's rows lie in memory at a time, or as many as the caches cannot hold.
      if (Math.max(cost.bytesAt(context) / model.kvLayers(), ROTATED) > memory * MEMORY_SHARE) {
        continue;
      }
      double seconds = DecodeTimes.attention(model, TYPE, context, ROTATED, team);
      double floor = cost.bytesAt(context) / bandwidth;
      points.add(new double[] {context, seconds * 1e3, floor * 1e3});
      table.row(
          Amounts.grouped(context),
          Sizes.human(cost.bytesAt(context)),
          Amounts.seconds(seconds),
          Amounts.seconds(floor),
          String.format(Locale.ROOT, "%.2f", floor / seconds));
    }
    text.add(
        String.format(
            Locale.ROOT,
            "Attention in that shape was measured with Gatun's decode on this machine, each layer"
                + " from memory. The floor is the time in which %d threads read the same bytes at"
                + " %.1f GB/s, the best pass of a second's plain reading; of the decode steps, too,"
                + " the fastest counts. On a machine with other work the shares are good for"
                + " orientation only.",
            Runtime.getRuntime().availableProcessors(),
            bandwidth / 1e9));
    tables.add(table);
    double[] x = points.stream().mapToDouble(p -> p[0]).toArray();
    List<Charts.Line> lines =
        List.of(
            new Charts.Line(
                "measured",
                x,
                points.stream().mapToDouble(p -> p[1]).toArray(),
                Charts.Look.POINTS),
            new Charts.Line(
                "floor: the bytes read once",
                x,
                points.stream().mapToDouble(p -> p[2]).toArray(),
                Charts.Look.DASHED));
    charts.add(
        new Figure.Chart(
            "6b-attention",
            "Attention of one decode step in the shape of " + model.name(),
            "Lines over logarithmic axes: measured milliseconds of attention in one decode step"
                + " grow with the context in step with the floor, the time to read the bytes once.",
            theme -> Charts.lines(theme, "context, tokens", "ms a step, all layers", lines, true)));
  }

  private void split(
      List<Figure.Chart> charts,
      List<Table> tables,
      List<String> text,
      Model run,
      String name,
      Team team,
      Progress progress) {
    Table table =
        Table.of(
            "6c-time",
            "Where a decode step of %s spends its time, measured, K/V in f32".formatted(name),
            "context",
            "weights",
            "attention",
            "other",
            "attention's share");
    long bytesPerToken = io.gatun.cache.KvLayout.of(run.kvShape(), KvType.F32).bytesPerToken();
    List<String> categories = new ArrayList<>();
    List<DecodeTimes.Split> splits = new ArrayList<>();
    DecodeTimes.split(run, WARM_CONTEXT, team);
    for (int context : MEASURED) {
      progress.by(1);
      if (bytesPerToken * context > memory * MEMORY_SHARE) {
        continue;
      }
      DecodeTimes.Split split = DecodeTimes.split(run, context, team);
      splits.add(split);
      categories.add(Charts.tokens(context));
      double whole = split.weights() + split.attention() + split.other();
      table.row(
          Amounts.grouped(context),
          Amounts.seconds(split.weights()),
          Amounts.seconds(split.attention()),
          Amounts.seconds(split.other()),
          String.format(Locale.ROOT, "%.1f %%", 100 * split.attention() / whole));
    }
    tables.add(table);
    text.add(
        ("Whole steps of %s, on random keys and values: the weights cost the same at any context,"
                + " attention grows with it and takes over.")
            .formatted(name));
    Map<String, double[]> series = new LinkedHashMap<>();
    series.put("weights", shares(splits, 0));
    series.put("attention", shares(splits, 1));
    series.put("other", shares(splits, 2));
    charts.add(
        new Figure.Chart(
            "6c-time",
            "Where a decode step of %s spends its time".formatted(name),
            "Stacked bars: the share of weights, attention and other work in a decode step at each"
                + " context; attention's grows.",
            theme -> Charts.bars(theme, "% of a decode step", categories, series, true, false)));
  }

  private static double[] shares(List<DecodeTimes.Split> splits, int part) {
    return splits.stream()
        .mapToDouble(s ->
            100
                * (part == 0 ? s.weights() : part == 1 ? s.attention() : s.other())
                / (s.weights() + s.attention() + s.other()))
        .toArray();
  }
}
