package io.gatun.bench.show;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;

/** A table for a terminal: a head, a rule, rows; numbers to the right, words to the left. */
public final class TextTable {
  private final String[] head;
  private final List<String[]> rows = new ArrayList<>();

  /** A table with these columns. */
  public TextTable(String... head) {
    this.head = head.clone();
  }

  /** Adds a row, with a cell for each column. */
  public TextTable row(String... cells) {
    if (cells.length != head.length) {
      throw new IllegalArgumentException(
          "%d cells for %d columns: %s"
              .formatted(cells.length, head.length, Arrays.toString(cells)));
    }
    rows.add(cells.clone());
    return this;
  }

  /** Whether no row was added. */
  public boolean isEmpty() {
    return rows.isEmpty();
  }

  /** The table as text, each line ended. */
  public String text() {
    int[] widths = new int[head.length];
    boolean[] words = new boolean[head.length];
    for (int column = 0; column < head.length; column++) {
      widths[column] = head[column].length();
      for (String[] row : rows) {
        widths[column] = Math.max(widths[column], row[column].length());
        words[column] |= isWord(row[column]);
      }
    }
    StringBuilder text = new StringBuilder();
    line(text, head, widths, words);
    for (int column = 0; column < head.length; column++) {
      text.append(column == 0 ? "" : "  ").append("-".repeat(widths[column]));
    }
    text.append('\n');
    for (String[] row : rows) {
      line(text, row, widths, words);
    }
    return text.toString();
  }

  private static boolean isWord(String cell) {
    return !cell.isEmpty() && Character.isLetter(cell.charAt(0));
  }

  private static void line(StringBuilder text, String[] cells, int[] widths, boolean[] words) {
    int start = text.length();
    for (int column = 0; column < cells.length; column++) {
      String pad = " ".repeat(widths[column] - cells[column].length());
      text.append(column == 0 ? "" : "  ");
      text.append(words[column] ? cells[column] + pad : pad + cells[column]);
    }
    while (text.length() > start && text.charAt(text.length() - 1) == ' ') {
      text.setLength(text.length() - 1);
    }
    text.append('\n');
  }
}
