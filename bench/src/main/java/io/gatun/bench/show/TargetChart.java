package io.gatun.bench.show;

import io.gatun.bench.measure.Summary;
import java.awt.BasicStroke;
import java.awt.Color;
import java.awt.Font;
import java.awt.Graphics2D;
import java.awt.RenderingHints;
import java.awt.image.BufferedImage;
import java.io.IOException;
import java.nio.file.Path;
import java.util.List;
import javax.imageio.ImageIO;

/**
 * Shares beside their targets, one line each: a bar to the median, a thin line over the spread, a
 * stroke at the target, a dashed one at the aim. Whether a target is met shows in the colour, and
 * in words at the right.
 */
public final class TargetChart {
  /**
   * One line.
   *
   * @param part heading that it stands under
   * @param label what was measured
   * @param unit what it is a share of
   * @param measured the share
   * @param target null if there is none
   * @param aim null if there is none
   * @param met whether the target is met
   * @param verdict that in words
   */
  public record Bar(
      String part,
      String label,
      String unit,
      Summary measured,
      Double target,
      Double aim,
      boolean met,
      String verdict) {}

  private static final int WIDTH = 1100;
  private static final int LINE = 22;
  private static final int LEFT = 380;
  private static final int RIGHT = 210;
  private static final int TOP = 84;
  private static final int BOTTOM = 58;

  /** Blue and orange: told apart also by those who see red and green alike. */
  private static final Color MET = new Color(0x56B4E9);

  private static final Color SHORT = new Color(0xE69F00);
  private static final Color FREE = new Color(0xB0B0B0);
  private static final Color GRID = new Color(0xDDDDDD);
  private static final Color TEXT = new Color(0x222222);

  private static final BasicStroke THIN = new BasicStroke(1.4f);
  private static final BasicStroke THICK = new BasicStroke(2.6f);
  private static final BasicStroke DASHED =
      new BasicStroke(2f, BasicStroke.CAP_BUTT, BasicStroke.JOIN_MITER, 10, new float[] {3, 2}, 0);

  static {
    System.setProperty("java.awt.headless", "true");
  }

  private final Graphics2D g;
  private final double most;

  private TargetChart(Graphics2D g, double most) {
    this.g = g;
    this.most = most;
  }

  /** Draws the lines in their order; the file. */
  public static Path draw(List<Bar> bars, Path folder, String name) throws IOException {
    long parts = bars.stream().map(Bar::part).distinct().count();
    int bottom = TOP + (int) (bars.size() + parts) * LINE;
    BufferedImage image = new BufferedImage(WIDTH, bottom + BOTTOM, BufferedImage.TYPE_INT_RGB);
    double high =
        bars.stream().mapToDouble(bar -> Math.min(1.5, bar.measured().high())).max().orElse(1);
    Graphics2D g = image.createGraphics();
    g.setRenderingHint(RenderingHints.KEY_ANTIALIASING, RenderingHints.VALUE_ANTIALIAS_ON);
    g.setRenderingHint(
        RenderingHints.KEY_TEXT_ANTIALIASING, RenderingHints.VALUE_TEXT_ANTIALIAS_ON);
    g.setColor(Color.WHITE);
    g.fillRect(0, 0, image.getWidth(), image.getHeight());
    TargetChart chart = new TargetChart(g, Math.max(1, Math.ceil(high * 4) / 4));
    chart.head();
    chart.axis(bottom);
    chart.lines(bars);
    g.dispose();
    Path file = folder.resolve(name + ".png");
    ImageIO.write(image, "png", file.toFile());
    return file;
  }

  private int x(double share) {
    return LEFT + (int) Math.round((WIDTH - LEFT - RIGHT) * Math.min(share, most) / most);
  }

  private void head() {
    g.setColor(TEXT);
    font(Font.BOLD, 18);
    g.drawString("What was measured beside its targets", 16, 30);
    int x = legend(16, "met", () -> swatch(MET));
    x = legend(x, "short", () -> swatch(SHORT));
    x = legend(x, "no target", () -> swatch(FREE));
    x = legend(x, "target", () -> stroke(THICK));
    x = legend(x, "aim", () -> stroke(DASHED));
    legend(
        x,
        "10 % to 90 % of the rounds",
        () -> {
          g.setStroke(THIN);
          g.drawLine(0, 8, 18, 8);
        });
  }

  /** One key of the legend, drawn by {@code mark} in a square of 18; where the next one begins. */
  private int legend(int x, String text, Runnable mark) {
    g.translate(x, 46);
    g.setColor(TEXT);
    mark.run();
    g.translate(-x, -46);
    g.setColor(TEXT);
    font(Font.PLAIN, 13);
    g.drawString(text, x + 24, 59);
    return x + 24 + g.getFontMetrics().stringWidth(text) + 22;
  }

  private void swatch(Color colour) {
    g.setColor(colour);
    g.fillRect(0, 2, 18, 13);
  }

  private void stroke(BasicStroke stroke) {
    g.setStroke(stroke);
    g.drawLine(9, 0, 9, 17);
  }

  private void axis(int bottom) {
    font(Font.PLAIN, 13);
    for (int quarter = 0; quarter <= Math.round(most * 4); quarter++) {
      double share = quarter / 4.0;
      g.setColor(GRID);
      g.setStroke(THIN);
      g.drawLine(x(share), TOP, x(share), bottom + 4);
      g.setColor(TEXT);
      String text = Numbers.share(share);
      g.drawString(text, x(share) - g.getFontMetrics().stringWidth(text) / 2, bottom + 20);
    }
    String title = "share of what each line names";
    int middle = (x(0) + x(most)) / 2;
    g.drawString(title, middle - g.getFontMetrics().stringWidth(title) / 2, bottom + 42);
  }

  private void lines(List<Bar> bars) {
    int y = TOP;
    String part = null;
    for (Bar bar : bars) {
      if (!bar.part().equals(part)) {
        part = bar.part();
        g.setColor(TEXT);
        font(Font.BOLD, 13);
        g.drawString(part, 16, y + 16);
        y += LINE;
      }
      line(bar, y);
      y += LINE;
    }
  }

  private void line(Bar bar, int y) {
    g.setColor(bar.target() == null ? FREE : bar.met() ? MET : SHORT);
    g.fillRect(LEFT, y + 4, x(bar.measured().median()) - LEFT, LINE - 8);
    g.setColor(TEXT);
    g.setStroke(THIN);
    g.drawLine(x(bar.measured().low()), y + LINE / 2, x(bar.measured().high()), y + LINE / 2);
    if (bar.target() != null) {
      g.setStroke(THICK);
      g.drawLine(x(bar.target()), y + 2, x(bar.target()), y + LINE - 2);
    }
    if (bar.aim() != null) {
      g.setStroke(DASHED);
      g.drawLine(x(bar.aim()), y + 2, x(bar.aim()), y + LINE - 2);
    }
    font(Font.PLAIN, 13);
    String label = bar.label() + ", " + bar.unit();
    g.drawString(label, LEFT - 10 - g.getFontMetrics().stringWidth(label), y + 16);
    g.drawString(
        Numbers.share(bar.measured().median()) + "  " + bar.verdict(), WIDTH - RIGHT + 14, y + 16);
  }

  private void font(int style, int size) {
    g.setFont(new Font(Font.SANS_SERIF, style, size));
  }
}
