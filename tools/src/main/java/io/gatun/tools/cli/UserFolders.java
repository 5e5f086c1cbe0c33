package io.gatun.tools.cli;

import java.nio.file.Path;
import java.util.Locale;

/** Where Gatun keeps what it was not told a place for. */
public final class UserFolders {
  private UserFolders() {}

  /**
   * The user's data folder for Gatun: {@code $XDG_DATA_HOME/gatun}, else {@code
   * ~/.local/share/gatun}; on macOS {@code ~/Library/Application Support/gatun}.
   */
  public static Path data() {
    String xdg = System.getenv("XDG_DATA_HOME");
    if (xdg != null && !xdg.isBlank()) {
      return Path.of(xdg, "gatun");
    }
    Path home = Path.of(System.getProperty("user.home"));
    boolean mac = System.getProperty("os.name").toLowerCase(Locale.ROOT).startsWith("mac");
    return mac
        ? home.resolve("Library/Application Support/gatun")
        : home.resolve(".local/share/gatun");
  }
}
