package io.gatun.tools.report;

import io.gatun.cache.GatunException;
import io.gatun.tools.cli.PrivateFiles;
import java.awt.image.BufferedImage;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.InputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.Base64;
import java.util.List;
import javax.imageio.ImageIO;

/**
 * Writes figures: {@code index.html} with everything in it, and each chart as PNG and each table as
 * CSV beside it. The page asks no network, follows the reader's light or dark setting, and fits a
 * phone: what is wide scrolls by itself.
 */
final class Page {
  private final Path folder;
  private final StringBuilder body = new StringBuilder();

  /**
   * A page in this folder, which is made if it is not there.
   *
   * @throws GatunException if it cannot be made
   */
  Page(Path folder) {
    this.folder = folder;
    try {
      PrivateFiles.createFolders(folder);
    } catch (IOException e) {
      throw new GatunException("cannot make the folder %s: %s".formatted(folder, e), e);
    }
  }

  /** Adds a figure and writes its files. */
  void add(int number, Figure figure) {
    try {
      body.append(
          "<section id=\"figure-%d\">\n<h2>%d. %s</h2>\n"
              .formatted(number, number, escape(figure.title())));
      for (String paragraph : figure.paragraphs()) {
        body.append("<p>").append(paragraph).append("</p>\n");
      }
      for (Figure.Chart chart : figure.charts()) {
        addChart(chart);
      }
      for (Table table : figure.tables()) {
        addTable(table);
      }
      body.append("</section>\n");
    } catch (IOException e) {
      throw new GatunException("cannot write to %s: %s".formatted(folder, e), e);
    }
  }

  private void addChart(Figure.Chart chart) throws IOException {
    byte[] light = png(chart.image().apply(Theme.LIGHT));
    byte[] dark = png(chart.image().apply(Theme.DARK));
    PrivateFiles.write(folder.resolve(chart.name() + ".png"), light);
    body.append(
        """
        <figure><figcaption>%s</figcaption><div class="wide"><picture>
        <source media="(prefers-color-scheme: dark)" srcset="data:image/png;base64,%s">
        <img src="data:image/png;base64,%s" alt="%s">
        </picture></div></figure>
        """
            .formatted(escape(chart.title()), base64(dark), base64(light), escape(chart.alt())));
  }

  private static byte[] png(BufferedImage image) throws IOException {
    ByteArrayOutputStream out = new ByteArrayOutputStream();
    ImageIO.write(image, "png", out);
    return out.toByteArray();
  }

  private static String base64(byte[] bytes) {
    return Base64.getEncoder().encodeToString(bytes);
  }

  private void addTable(Table table) throws IOException {
    PrivateFiles.write(
        folder.resolve(table.name() + ".csv"), table.toCsv().getBytes(StandardCharsets.UTF_8));
    body.append(
        "<details%s><summary>%s <span>%d rows</span></summary>\n"
            .formatted(
                table.rows().size() <= 12 ? " open" : "",
                escape(table.caption()),
                table.rows().size()));
    body.append("<button type=\"button\" class=\"copy\">Copy table</button>\n");
    body.append("<div class=\"wide\"><table>\n<thead><tr>");
    for (String head : table.header()) {
      body.append("<th scope=\"col\">").append(escape(head.strip())).append("</th>");
    }
    body.append("</tr></thead>\n<tbody>\n");
    for (List<String> row : table.rows()) {
      body.append("<tr>");
      for (int i = 0; i < row.size(); i++) {
        String cell = row.get(i);
        boolean number = i > 0 && !cell.isEmpty() && Character.isDigit(cell.charAt(0));
        body.append(number ? "<td class=\"n\">" : "<td>").append(escape(cell)).append("</td>");
      }
      body.append("</tr>\n");
    }
    body.append("</tbody></table></div></details>\n");
  }

  /** Writes the page. */
  Path write(String introduction) {
    String html =
        resource("page.html")
            .replace("%STYLE%", resource("page.css"))
            .replace("%SCRIPT%", resource("page.js"))
            .replace("%INTRODUCTION%", introduction)
            .replace("%BODY%", body);
    Path file = folder.resolve("index.html");
    try {
      PrivateFiles.write(file, html.getBytes(StandardCharsets.UTF_8));
      return file;
    } catch (IOException e) {
      throw new GatunException("cannot write %s: %s".formatted(file, e), e);
    }
  }

  private static String resource(String name) {
    try (InputStream in = Page.class.getResourceAsStream(name)) {
      return new String(in.readAllBytes(), StandardCharsets.UTF_8);
    } catch (IOException e) {
      throw new IllegalStateException("the built-in " + name + " cannot be read", e);
    }
  }

  /** Text for HTML. */
  static String escape(String text) {
    return text.replace("&", "&amp;")
        .replace("<", "&lt;")
        .replace(">", "&gt;")
        .replace("\"", "&quot;");
  }
}
