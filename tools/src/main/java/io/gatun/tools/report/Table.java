package io.gatun.tools.report;

import java.util.ArrayList;
import java.util.List;
import java.util.regex.Pattern;
import java.util.stream.Collectors;

/**
 * A table of a figure: in the page, and as a CSV file.
 *
 * @param name of the CSV file, without its ending
 * @param caption what it shows
 */
record Table(String name, String caption, List<String> header, List<List<String>> rows) {
  private static final Pattern NUMBER =
      Pattern.compile("[-+]?[0-9][0-9,]*(\\.[0-9]+)?(e-?[0-9]+)?");

  /** An empty table. */
  static Table of(String name, String caption, String... header) {
    return new Table(name, caption, List.of(header), new ArrayList<>());
  }

  /** Adds a row; its cells as they are to be read. */
  Table row(Object... cells) {
    if (cells.length != header.size()) {
      throw new IllegalArgumentException(
          "%s: %d cells for %d columns".formatted(name, cells.length, header.size()));
    }
    List<String> row = new ArrayList<>();
    for (Object cell : cells) {
      row.add(String.valueOf(cell));
    }
    rows.add(row);
    return this;
  }

  /** RFC 4180, thousands not apart so that programs read the numbers. */
  String toCsv() {
    StringBuilder csv = new StringBuilder();
    csv.append(line(header));
    rows.forEach(row -> csv.append(line(row)));
    return csv.toString();
  }

  private static String line(List<String> cells) {
    return cells.stream().map(Table::csvCell).collect(Collectors.joining(",")) + "\r\n";
  }

  private static String csvCell(String cell) {
    String plain = isNumber(cell) ? cell.replace(",", "") : cell;
    boolean quoted = plain.matches("(?s).*[\",\r\n].*");
    return quoted ? '"' + plain.replace("\"", "\"\"") + '"' : plain;
  }

  /** Whether a cell is a number alone, which stands to the right. */
  static boolean isNumber(String cell) {
    return NUMBER.matcher(cell).matches();
  }
}
