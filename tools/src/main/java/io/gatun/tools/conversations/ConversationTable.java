package io.gatun.tools.conversations;

import io.gatun.store.ConversationInfo;
import io.gatun.tools.cli.Sizes;
import java.io.PrintWriter;
import java.util.List;

/** Conversations as a table that fits a terminal: long names give way. */
final class ConversationTable {
  private static final String ROW = "%s  %9s  %9s  %10s  %-5s  %-16s  %s";
  private static final int FIXED = 2 + 9 + 2 + 9 + 2 + 10 + 2 + 5 + 2 + 16 + 2 + 7;

  private ConversationTable() {}

  static void print(List<ConversationInfo> infos, PrintWriter out, int width) {
    int longest = infos.stream().mapToInt(info -> info.id().length()).max().orElse(2);
    int room = Math.clamp(longest, 2, Math.max(8, width - FIXED));
    out.println(
        ROW.formatted(pad("ID", room), "TOKENS", "WITH K/V", "SIZE", "TYPE", "USED", "STATE")
            .strip());
    for (ConversationInfo info : infos) {
      String row =
          ROW.formatted(
              pad(info.id(), room),
              "%,d".formatted(info.tokens()),
              "%,d".formatted(info.committedTokens()),
              Sizes.human(info.bytes()),
              info.layout() == null ? "?" : Facts.type(info.layout()),
              Facts.time(info.lastUsed()),
              state(info));
      out.println(row.stripTrailing());
    }
  }

  private static String state(ConversationInfo info) {
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

  private static String pad(String id, int room) {
    String shown = id.length() <= room ? id : id.substring(0, room - 1) + "…";
    return shown + " ".repeat(room - shown.length());
  }
}
