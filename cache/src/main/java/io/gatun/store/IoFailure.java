package io.gatun.store;

import io.gatun.cache.GatunException;
import java.io.IOException;
import java.nio.file.AccessDeniedException;
import java.nio.file.FileSystemException;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;

/** What is said to the user when the file system refuses. */
final class IoFailure {
  private IoFailure() {}

  /** "cannot do it at this place: the reason". */
  static GatunException of(String what, Path where, IOException e) {
    return new GatunException("%s at %s: %s".formatted(what, where, reason(e)), e);
  }

  /** The reason of a failure, for the end of a sentence. */
  static String reason(Exception e) {
    return switch (e) {
      case AccessDeniedException denied -> "no permission for " + denied.getFile();
      case NoSuchFileException none -> "there is no " + none.getFile();
      case FileSystemException system when system.getReason() != null -> system.getReason();
      default -> e.getMessage() == null ? e.getClass().getSimpleName() : e.getMessage();
    };
  }
}
