package io.gatun.tools.report;

import java.awt.BasicStroke;
import java.awt.Color;
import java.awt.Font;
import java.awt.Graphics2D;
import java.awt.RenderingHints;
import java.awt.image.BufferedImage;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.function.Consumer;
import java.util.function.Function;
import org.knowm.xchart.CategoryChart;
import org.knowm.xchart.CategoryChartBuilder;
import org.knowm.xchart.HeatMapChart;
import org.knowm.xchart.HeatMapChartBuilder;
import org.knowm.xchart.XYChart;
import org.knowm.xchart.XYChartBuilder;
import org.knowm.xchart.XYSeries;
import org.knowm.xchart.internal.chartpart.IChart;
import org.knowm.xchart.style.AxesChartStyler;
import org.knowm.xchart.style.Styler.LegendLayout;
import org.knowm.xchart.style.Styler.LegendPosition;
import org.knowm.xchart.style.markers.SeriesMarkers;

/** Draws charts; all with the same fonts, sizes and theme. */
final class Charts {
  static final int WIDTH = 860;
  static final int HEIGHT = 480;

  /** Room for a legend with the cells' large squares. */
  private static final int MAP_HEIGHT = 600;

  /** Pixels of the picture for one of the chart, so that it is sharp on dense screens. */
  private static final double SCALE = 1.6;

  static {
    System.setProperty("java.awt.headless", "true");
  }

  private Charts() {}

  /**
   * Groups of bars.
   *
   * @param series heights by the series' name, one for each category
   * @param stacked whether the series of a category stand on each other
   */
  static BufferedImage bars(
      Theme theme,
      String yTitle,
      List<String> categories,
      Map<String, double[]> series,
      boolean stacked,
      boolean logarithmic) {
    CategoryChart chart =
        new CategoryChartBuilder().width(WIDTH).height(HEIGHT).yAxisTitle(yTitle).build();
    style(theme, chart.getStyler());
    chart
        .getStyler()
        .setStacked(stacked)
        .setAvailableSpaceFill(0.8)
        .setYAxisLogarithmic(logarithmic);
    if (logarithmic) {
      // Bars begin at 0 unless told otherwise, which a logarithmic axis does not have.
      double least = series.values().stream().flatMapToDouble(Arrays::stream).min().orElseThrow();
      chart.getStyler().setYAxisMin(Math.pow(10, Math.floor(Math.log10(least))));
    }
    int longest = categories.stream().mapToInt(String::length).max().orElse(0);
    chart.getStyler().setXAxisLabelRotation(longest * categories.size() > 100 ? 60 : 0);
    chart.getStyler().setXAxisMaxLabelCount(categories.size());
    // The default leaves out every other of many categories.
    chart.getStyler().setXAxisTickMarkSpacingHint(20);
    chart.getStyler().setPlotGridVerticalLinesVisible(false);
    series.forEach((name, heights) ->
        chart.addSeries(name, categories, Arrays.stream(heights).boxed().toList()));
    return image(chart, WIDTH, HEIGHT);
  }

  /**
   * A line of an XY chart.
   *
   * @param look how it is drawn
   */
  record Line(String name, double[] x, double[] y, Look look) {}

  /** How a line is drawn. */
  enum Look {
    /** With markers at its points. */
    POINTS,
    /** Without them. */
    PLAIN,
    /** Dashed, without them. */
    DASHED,
    /** Squares without a line: the cells of a map. */
    CELLS
  }

  /** Lines over powers of two; the vertical axis is logarithmic, or begins at 0. */
  static BufferedImage lines(
      Theme theme, String xTitle, String yTitle, List<Line> lines, boolean logarithmic) {
    XYChart chart = xy(theme, xTitle, yTitle);
    chart.getStyler().setYAxisLogarithmic(logarithmic);
    if (!logarithmic) {
      chart.getStyler().setYAxisMin(0.0);
    }
    if (lines.size() > 4) {
      legendBeside(chart.getStyler());
    }
    powers(chart.getStyler()::setXAxisTickLabelsFormattingFunction);
    for (Line line : lines) {
      double[] x = Arrays.stream(line.x()).map(v -> Math.log(v) / Math.log(2)).toArray();
      add(chart, theme, new Line(line.name(), x, line.y(), line.look()), null);
    }
    return image(chart, WIDTH, HEIGHT);
  }

  /** Writes 2^n at n, and nothing between. */
  private static void powers(Consumer<Function<Double, String>> axis) {
    axis.accept(
        value -> Math.abs(value - Math.rint(value)) > 1e-9 ? " " : tokens(Math.pow(2, value)));
  }

  /**
   * A map over powers of two: lines and cells, with the powers written at the axes.
   *
   * @param colours of the lines, by their name; those without one get the theme's
   */
  static BufferedImage map(
      Theme theme,
      String xTitle,
      String yTitle,
      List<Line> lines,
      Map<String, Color> colours,
      double[] xRange,
      double[] yRange) {
    XYChart chart = xy(theme, xTitle, yTitle);
    AxesChartStyler styler = chart.getStyler();
    powers(styler::setXAxisTickLabelsFormattingFunction);
    powers(styler::setYAxisTickLabelsFormattingFunction);
    styler.setXAxisMin(xRange[0]).setXAxisMax(xRange[1]);
    styler.setYAxisMin(yRange[0]).setYAxisMax(yRange[1]);
    styler.setPlotGridLinesVisible(false);
    chart.getStyler().setMarkerSize(36);
    legendBeside(styler);
    lines.forEach(line -> add(chart, theme, line, colours.get(line.name())));
    return image(chart, WIDTH, MAP_HEIGHT);
  }

  /** For more entries than fit into a line below. */
  private static void legendBeside(AxesChartStyler styler) {
    styler.setLegendPosition(LegendPosition.OutsideE);
    styler.setLegendLayout(LegendLayout.Vertical);
  }

  private static XYChart xy(Theme theme, String xTitle, String yTitle) {
    XYChart chart =
        new XYChartBuilder()
            .width(WIDTH)
            .height(HEIGHT)
            .xAxisTitle(xTitle)
            .yAxisTitle(yTitle)
            .build();
    style(theme, chart.getStyler());
    chart.getStyler().setMarkerSize(8);
    return chart;
  }

  private static void add(XYChart chart, Theme theme, Line line, Color colour) {
    XYSeries series = chart.addSeries(line.name(), line.x(), line.y());
    if (colour != null) {
      series.setLineColor(colour);
      series.setMarkerColor(colour);
    }
    series.setLineWidth(2.2f);
    switch (line.look()) {
      case POINTS -> series.setMarker(SeriesMarkers.CIRCLE);
      case PLAIN -> series.setMarker(SeriesMarkers.NONE);
      case DASHED -> {
        series.setMarker(SeriesMarkers.NONE);
        series.setLineStyle(
            new BasicStroke(
                2.4f, BasicStroke.CAP_BUTT, BasicStroke.JOIN_ROUND, 1, new float[] {9, 6}, 0));
      }
      case CELLS -> {
        series.setXYSeriesRenderStyle(XYSeries.XYSeriesRenderStyle.Scatter);
        series.setMarker(SeriesMarkers.SQUARE);
      }
      default -> throw new IllegalArgumentException(String.valueOf(line.look()));
    }
  }

  /** 131,072 is 128k. */
  static String tokens(double value) {
    if (value >= 1 << 20) {
      return trimmed(value / (1 << 20)) + "M";
    }
    return value >= 1024 ? trimmed(value / 1024) + "k" : trimmed(value);
  }

  private static String trimmed(double value) {
    return value == Math.rint(value)
        ? String.valueOf((long) value)
        : String.format(java.util.Locale.ROOT, "%.1f", value);
  }

  /**
   * Square maps of weights in rows and columns, each with a title.
   *
   * @param maps {@code [rows][columns]}, row-major
   * @param weights of each map, {@code [tokens][tokens]}, from 0 to 1
   */
  static BufferedImage patterns(
      Theme theme, int columns, List<String> titles, List<float[]> weights, int tokens) {
    int side = columns > 4 ? 200 : columns > 2 ? 230 : 320;
    int rows = Math.ceilDiv(weights.size(), columns);
    return image(
        columns * side,
        rows * side,
        theme,
        g -> {
          for (int i = 0; i < weights.size(); i++) {
            HeatMapChart chart = pattern(theme, titles.get(i), weights.get(i), tokens, side);
            Graphics2D part =
                (Graphics2D) g.create(i % columns * side, i / columns * side, side, side);
            chart.paint(part, side, side);
            part.dispose();
          }
        });
  }

  private static HeatMapChart pattern(
      Theme theme, String title, float[] weights, int tokens, int side) {
    HeatMapChart chart = new HeatMapChartBuilder().width(side).height(side).title(title).build();
    style(theme, chart.getStyler());
    chart.getStyler().setLegendVisible(false);
    chart.getStyler().setAxisTicksVisible(false);
    chart.getStyler().setChartTitleVisible(true);
    chart.getStyler().setChartTitleFont(new Font(Font.SANS_SERIF, Font.PLAIN, 13));
    chart.getStyler().setPlotGridLinesVisible(false);
    chart.getStyler().setChartPadding(4);
    chart.getStyler().setPlotContentSize(1);
    chart.getStyler().setRangeColors(theme.heat());
    chart.getStyler().setMin(0);
    chart.getStyler().setMax(1000);
    int[] axis = new int[tokens];
    // XChart draws y upwards: the first query token comes last, so that it stands on top.
    int[][] data = new int[tokens][tokens]; // [x = key token][y]
    for (int t = 0; t < tokens; t++) {
      axis[t] = t;
      for (int j = 0; j < tokens; j++) {
        data[j][tokens - 1 - t] = (int) Math.round(1000 * Math.sqrt(weights[t * tokens + j]));
      }
    }
    chart.addSeries("weights", axis, axis, data);
    return chart;
  }

  private static void style(Theme theme, AxesChartStyler styler) {
    styler.setSeriesColors(theme.series());
    styler.setChartBackgroundColor(theme.background());
    styler.setPlotBackgroundColor(theme.background());
    styler.setChartFontColor(theme.text());
    styler.setAxisTickLabelsColor(theme.text());
    styler.setAxisTickMarksColor(theme.grid());
    styler.setXAxisTitleColor(theme.text());
    styler.setYAxisTitleColor(theme.text());
    styler.setPlotGridLinesColor(theme.grid());
    styler.setPlotGridLinesStroke(new BasicStroke(1));
    styler.setPlotBorderVisible(false);
    styler.setLegendPosition(LegendPosition.OutsideS);
    styler.setLegendLayout(LegendLayout.Horizontal);
    styler.setLegendBackgroundColor(theme.background());
    styler.setLegendBorderColor(theme.background());
    styler.setChartTitleVisible(false);
    styler.setChartTitleBoxVisible(false);
    styler.setAxisTitleFont(new Font(Font.SANS_SERIF, Font.PLAIN, 15));
    styler.setAxisTickLabelsFont(new Font(Font.SANS_SERIF, Font.PLAIN, 14));
    styler.setLegendFont(new Font(Font.SANS_SERIF, Font.PLAIN, 14));
  }

  private static BufferedImage image(IChart chart, int width, int height) {
    return image(width, height, null, g -> chart.paint(g, width, height));
  }

  private static BufferedImage image(
      int width, int height, Theme theme, Consumer<Graphics2D> paint) {
    BufferedImage image =
        new BufferedImage(
            (int) (width * SCALE), (int) (height * SCALE), BufferedImage.TYPE_INT_RGB);
    Graphics2D g = image.createGraphics();
    g.setRenderingHint(RenderingHints.KEY_ANTIALIASING, RenderingHints.VALUE_ANTIALIAS_ON);
    g.setRenderingHint(
        RenderingHints.KEY_TEXT_ANTIALIASING, RenderingHints.VALUE_TEXT_ANTIALIAS_ON);
    g.scale(SCALE, SCALE);
    if (theme != null) {
      g.setColor(theme.background());
      g.fillRect(0, 0, width, height);
    }
    paint.accept(g);
    g.dispose();
    return image;
  }
}
