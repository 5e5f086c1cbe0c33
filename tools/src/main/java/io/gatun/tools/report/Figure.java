package io.gatun.tools.report;

import java.awt.image.BufferedImage;
import java.util.List;
import java.util.function.Function;

/**
 * One figure of the report.
 *
 * @param title heading
 * @param paragraphs text above the charts
 * @param charts its pictures
 * @param tables the data behind them
 */
record Figure(String title, List<String> paragraphs, List<Chart> charts, List<Table> tables) {
  /**
   * A picture, drawn anew for each theme.
   *
   * @param name of the PNG file, without its ending
   * @param title what it shows, in a line
   * @param alt what one sees in it, for those who do not
   */
  record Chart(String name, String title, String alt, Function<Theme, BufferedImage> image) {}
}
