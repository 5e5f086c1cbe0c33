package io.gatun.bench.show;

import java.awt.Color;
import java.awt.Font;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import javax.imageio.ImageIO;
import org.knowm.xchart.BitmapEncoder;
import org.knowm.xchart.CategoryChart;
import org.knowm.xchart.CategoryChartBuilder;
import org.knowm.xchart.XYChart;
import org.knowm.xchart.XYChartBuilder;
import org.knowm.xchart.XYSeries;
import org.knowm.xchart.internal.chartpart.Chart;
import org.knowm.xchart.style.AxesChartStyler;
import org.knowm.xchart.style.Styler.LegendPosition;
import org.knowm.xchart.style.lines.SeriesLines;

/** The PNG charts. All of them with the same colours, fonts and size. */
public final class Charts {
  private static final int WIDTH = 1100;
  private static final int HEIGHT = 620;

  /** The series that is drawn dashed, so that one that it meets is still seen. */
  public static final String PLANNED = "planned";

  /** Told apart also by those who see red and green alike (Okabe and Ito 2008). */
  private static final Color[] COLOURS = {
    new Color(0x0072B2),
    new Color(0xE69F00),
    new Color(0x009E73),
    new Color(0xCC79A7),
    new Color(0x56B4E9),
    new Color(0xD55E00),
    new Color(0x7F7F7F),
    new Color(0x332288),
    new Color(0x882255),
    new Color(0xF0E442),
    new Color(0x117733),
    new Color(0x000000)
  };

  static {
    System.setProperty("java.awt.headless", "true");
  }

  private Charts() {}

  /**
   * Bars of shares, from 0 to 1, or to the highest where a disturbed one is above that.
   *
   * @param shares by series (its colour), then by category (its place)
   * @return the file
   */
  public static Path shares(Map<String, Map<String, Double>> shares, Path folder, String name)
      throws IOException {
    boolean prefill = name.equals("prefill");
    String title = prefill ? "Prefill: share of the FMA peak" : "Decode: share of the roof";
    CategoryChart chart =
        bars(title, prefill ? "time at the peak / time" : "time at the roof / time", shares);
    double highest =
        shares.values().stream()
            .flatMap(series -> series.values().stream())
            .mapToDouble(Double::doubleValue)
            .max()
            .orElse(1);
    chart.getStyler().setYAxisMin(0.0).setYAxisMax(Math.max(1, Math.ceil(highest * 5) / 5));
    return save(chart, folder, name);
  }

  /** Bars of rates, from 0, by series, then by category. */
  public static Path rates(
      String title, String axis, Map<String, Map<String, Double>> rates, Path folder, String name)
      throws IOException {
    CategoryChart chart = bars(title, axis, rates);
    chart.getStyler().setYAxisMin(0.0);
    return save(chart, folder, name);
  }

  private static CategoryChart bars(
      String title, String axis, Map<String, Map<String, Double>> values) {
    CategoryChart chart =
        new CategoryChartBuilder()
            .width(WIDTH)
            .height(HEIGHT)
            .title(title)
            .yAxisTitle(axis)
            .build();
    style(chart.getStyler());
    chart.getStyler().setAvailableSpaceFill(0.8).setXAxisLabelRotation(wide(values) ? 30 : 0);
    Set<String> categories = new LinkedHashSet<>();
    values.values().forEach(series -> categories.addAll(series.keySet()));
    values.forEach((series, byCategory) -> {
      List<Double> heights = new ArrayList<>();
      categories.forEach(category -> heights.add(byCategory.get(category)));
      chart.addSeries(series, List.copyOf(categories), heights);
    });
    return chart;
  }

  private static boolean wide(Map<String, Map<String, Double>> values) {
    return values.values().stream().mapToInt(Map::size).max().orElse(0) > 4;
  }

  /**
   * Lines over contexts; both axes logarithmic, contexts by powers of two.
   *
   * @param lines by series: context in tokens, then y; a series called {@link #PLANNED} is dashed
   */
  public static Path overContexts(
      String title, String yAxis, Map<String, Map<Long, Double>> lines, Path folder, String name)
      throws IOException {
    XYChart chart =
        new XYChartBuilder()
            .width(WIDTH)
            .height(HEIGHT)
            .title(title)
            .xAxisTitle("context, tokens")
            .yAxisTitle(yAxis)
            .build();
    style(chart.getStyler());
    chart.getStyler().setYAxisLogarithmic(true).setMarkerSize(6);
    double first = Double.POSITIVE_INFINITY;
    double last = 0;
    for (Map.Entry<String, Map<Long, Double>> line : lines.entrySet()) {
      List<Double> x = new ArrayList<>();
      for (long context : line.getValue().keySet()) {
        x.add(Math.log(context) / Math.log(2));
        first = Math.min(first, x.getLast());
        last = Math.max(last, x.getLast());
      }
      XYSeries series =
          chart.addSeries(line.getKey(), x, new ArrayList<>(line.getValue().values()));
      series.setLineStyle(
          line.getKey().equals(PLANNED) ? SeriesLines.DASH_DASH : SeriesLines.SOLID);
    }
    chart.getStyler().setXAxisMin(Math.floor(first)).setXAxisMax(Math.ceil(last));
    chart.getStyler().setXAxisMaxLabelCount((int) (Math.ceil(last) - Math.floor(first)) + 1);
    chart.setCustomXAxisTickLabelsFormatter(
        x -> x == Math.rint(x) ? Numbers.tokens(Math.round(Math.pow(2, x))) : "");
    return save(chart, folder, name);
  }

  private static void style(AxesChartStyler styler) {
    styler.setSeriesColors(COLOURS);
    styler.setChartBackgroundColor(Color.WHITE);
    styler.setPlotBackgroundColor(Color.WHITE);
    styler.setPlotGridLinesColor(new Color(0xDDDDDD));
    styler.setPlotBorderVisible(false);
    styler.setLegendPosition(LegendPosition.OutsideE);
    styler.setLegendBorderColor(Color.WHITE);
    styler.setChartTitleFont(new Font(Font.SANS_SERIF, Font.BOLD, 18));
    styler.setAxisTitleFont(new Font(Font.SANS_SERIF, Font.PLAIN, 14));
    styler.setAxisTickLabelsFont(new Font(Font.SANS_SERIF, Font.PLAIN, 13));
    styler.setLegendFont(new Font(Font.SANS_SERIF, Font.PLAIN, 13));
  }

  private static Path save(Chart<?, ?> chart, Path folder, String name) throws IOException {
    Path file = folder.resolve(name + ".png");
    ImageIO.write(BitmapEncoder.getBufferedImage(chart), "png", file.toFile());
    return file;
  }
}
