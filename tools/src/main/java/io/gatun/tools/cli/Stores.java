package io.gatun.tools.cli;

import io.gatun.cache.GatunException;
import io.gatun.store.ConversationStore;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.nio.file.attribute.BasicFileAttributes;

/** Stores of conversations, as commands name them. */
public final class Stores {
  private Stores() {}

  /** Where a store lies: the folder given, or, for null, the one in the user's data folder. */
  public static Path place(Path given) {
    return given == null ? UserFolders.data().resolve("store") : given;
  }

  /**
   * Opens a store that is there: opening alone would make one of any folder.
   *
   * @throws GatunException if there is none
   */
  public static ConversationStore existing(Path place) {
    if (!isFolder(place)) {
      throw new GatunException("there is no store at %s".formatted(place));
    }
    if (!isFolder(place.resolve("conversations"))) {
      throw new GatunException(
          "%s is not a store: it has no folder 'conversations'".formatted(place));
    }
    return ConversationStore.open(place);
  }

  /** A look that failed says nothing about the folder, so it is an error of its own. */
  private static boolean isFolder(Path path) {
    try {
      return Files.readAttributes(path, BasicFileAttributes.class).isDirectory();
    } catch (NoSuchFileException e) {
      return false;
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }
}
