package io.gatun.tools.report;

import java.awt.Color;

/**
 * Colours of a chart on a light or a dark page.
 *
 * @param background of chart and page
 * @param text titles and labels
 * @param grid lines behind the data
 * @param series told apart also by those who see red and green alike (Okabe and Ito 2008)
 * @param heat from little to much
 */
record Theme(Color background, Color text, Color grid, Color[] series, Color[] heat) {
  static final Theme LIGHT =
      new Theme(
          new Color(0xFFFFFF),
          new Color(0x1B1F24),
          new Color(0xDDE1E6),
          colours(0x0072B2, 0xD55E00, 0x009E73, 0xCC79A7, 0xE69F00, 0x56B4E9, 0x7F7F7F, 0x332288),
          colours(0xF5F8FB, 0xBBD7EA, 0x5DA5D1, 0x0072B2, 0x003B5C));
  static final Theme DARK =
      new Theme(
          new Color(0x15181D),
          new Color(0xE6E9ED),
          new Color(0x353B44),
          colours(0x56B4E9, 0xFF9B5C, 0x3FD1A0, 0xE6A3C8, 0xF5C04A, 0x9AD3F5, 0xA9B1BA, 0xA79BFF),
          colours(0x1B2027, 0x17405C, 0x1D74A8, 0x62BDEB, 0xE8F6FF));

  private static Color[] colours(int... rgb) {
    Color[] colours = new Color[rgb.length];
    for (int i = 0; i < rgb.length; i++) {
      colours[i] = new Color(rgb[i]);
    }
    return colours;
  }
}
