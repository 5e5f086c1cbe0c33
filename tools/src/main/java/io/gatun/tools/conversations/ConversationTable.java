package io.gatun.tools.conversations;

import io.gatun.store.ConversationInfo;
import io.gatun.tools.cli.Sizes;
import java.io.PrintWriter;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.function.Function;
import java.util.stream.Collectors;

/**
 * Conversations as a table that fits a terminal: long names give way, then, where it is narrow, the
 * columns that matter least.
 */
final class ConversationTable {
  private static final int SHORTEST_ID = 8;
  private static final String GAP = "  ";

  private ConversationTable() {}

  /**
   * A column.
   *
   * @param left whether its texts begin at its left edge; numbers end at the right one
   * @param rank the higher, the sooner it is left out; 0 never is
   */
  private record Column(
      String title, boolean left, int rank, Function<ConversationInfo, String> text) {
    int width(List<ConversationInfo> infos) {
      return infos.stream()
          .mapToInt(info -> text.apply(info).length())
          .reduce(title.length(), Math::max);
    }

    String cell(String content, int width) {
      String shown = content.length() <= width ? content : content.substring(0, width - 1) + "…";
      String blank = " ".repeat(width - shown.length());
      return left ? shown + blank : blank + shown;
    }
  }

  private static final Column ID = new Column("ID", true, 0, ConversationInfo::id);

  private static final List<Column> COLUMNS =
      List.of(
          ID,
          new Column("TOKENS", false, 0, info -> "%,d".formatted(info.tokens())),
          new Column("WITH K/V", false, 3, info -> "%,d".formatted(info.committedTokens())),
          new Column("SIZE", false, 1, info -> Sizes.human(info.bytes())),
          new Column(
              "TYPE", true, 4, info -> info.layout() == null ? "?" : Facts.type(info.layout())),
          new Column("USED", true, 5, info -> Facts.time(info.lastUsed())),
          new Column("STATE", true, 2, ConversationTable::state));

  static void print(List<ConversationInfo> infos, PrintWriter out, int width) {
    List<Column> shown = new ArrayList<>(COLUMNS);
    while (width(shown, infos) > width && shown.stream().anyMatch(column -> column.rank > 0)) {
      shown.remove(shown.stream().max(Comparator.comparingInt(Column::rank)).orElseThrow());
    }
    int room = Math.max(SHORTEST_ID, width - (width(shown, infos) - idWidth(infos)));
    out.println(row(shown, infos, room, Column::title));
    for (ConversationInfo info : infos) {
      out.println(row(shown, infos, room, column -> column.text.apply(info)));
    }
  }

  /** Columns that the table takes with the names as short as they may get. */
  private static int width(List<Column> shown, List<ConversationInfo> infos) {
    int width = GAP.length() * (shown.size() - 1);
    for (Column column : shown) {
      width += column == ID ? idWidth(infos) : column.width(infos);
    }
    return width;
  }

  private static int idWidth(List<ConversationInfo> infos) {
    return Math.min(SHORTEST_ID, ID.width(infos));
  }

  private static String row(
      List<Column> shown,
      List<ConversationInfo> infos,
      int room,
      Function<Column, String> content) {
    return shown.stream()
        .map(column ->
            column.cell(
                content.apply(column),
                column == ID ? Math.min(room, ID.width(infos)) : column.width(infos)))
        .collect(Collectors.joining(GAP))
        .stripTrailing();
  }

  private static String state(ConversationInfo info) {
    String state = condition(info);
    if (!info.imported()) {
      return state;
    }
    return state.isEmpty() ? "imported" : state + ", imported";
  }

  private static String condition(ConversationInfo info) {
    if (info.damage() != null) {
      return "damaged";
    }
    if (info.openForWriting()) {
      return "open";
    }
    if (info.pinned()) {
      return "pinned";
    }
    return info.closed() ? "" : "unclean";
  }
}
