package io.gatun.store;

import io.gatun.cache.BlockMemory;
import java.io.FileNotFoundException;
import java.io.IOException;
import java.io.RandomAccessFile;
import java.nio.file.AccessDeniedException;
import java.nio.file.AccessMode;
import java.nio.file.DirectoryIteratorException;
import java.nio.file.DirectoryStream;
import java.nio.file.FileSystemException;
import java.nio.file.Files;
import java.nio.file.LinkOption;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.nio.file.attribute.BasicFileAttributes;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Optional;

/**
 * Looks at the files of a store, with three outcomes: it is there; it is proved absent or foreign
 * ({@link DamageException}, an empty result); or the look failed (IOException), which says nothing
 * about the file.
 *
 * <p>Design note: {@code Files.exists}, {@code isRegularFile} and FileNotFoundException each take a
 * failed look for an absent file. The store has lost rows to that, so it uses none of them. Links
 * are not followed. Any thread.
 */
final class FileLook {
  private FileLook() {}

  /** What is at a path; empty if there is proved to be nothing. */
  static Optional<BasicFileAttributes> at(Path path) throws IOException {
    try {
      return Optional.of(
          Files.readAttributes(path, BasicFileAttributes.class, LinkOption.NOFOLLOW_LINKS));
    } catch (NoSuchFileException e) {
      return Optional.empty();
    } catch (AccessDeniedException e) {
      throw e;
    } catch (FileSystemException e) {
      // Where a file stands in the place of a folder above, there is nothing below it.
      Path parent = path.getParent();
      if (parent != null) {
        Optional<BasicFileAttributes> above = at(parent);
        if (above.isPresent() && !above.get().isDirectory() && !above.get().isSymbolicLink()) {
          return Optional.empty();
        }
      }
      throw e;
    }
  }

  /** Whether anything is at a path, a link too. */
  static boolean exists(Path path) throws IOException {
    return at(path).isPresent();
  }

  /** Whether a real folder is at a path. */
  static boolean isFolder(Path path) throws IOException {
    return at(path).filter(BasicFileAttributes::isDirectory).isPresent();
  }

  /** Whether a real file is at a path. */
  static boolean isFile(Path path) throws IOException {
    return at(path).filter(BasicFileAttributes::isRegularFile).isPresent();
  }

  /**
   * Refuses anything but a real folder.
   *
   * @throws DamageException if it is proved absent or something else
   */
  static void requireFolder(Path folder) throws IOException {
    Optional<BasicFileAttributes> found = at(folder);
    if (found.isEmpty() || !found.get().isDirectory()) {
      throw new DamageException(
          "%s is %s, not a folder; a store follows no links".formatted(folder, kind(found)));
    }
  }

  /**
   * Refuses anything but a real file: opening a pipe would wait for ever.
   *
   * @throws DamageException if it is proved absent or something else
   */
  static BasicFileAttributes requireFile(Path file) throws IOException {
    Optional<BasicFileAttributes> found = at(file);
    if (found.isEmpty() || !found.get().isRegularFile()) {
      throw new DamageException(
          "%s is %s, not a file; a store follows no links".formatted(file, kind(found)));
    }
    return found.get();
  }

  private static String kind(Optional<BasicFileAttributes> found) {
    if (found.isEmpty()) {
      return "missing";
    }
    BasicFileAttributes is = found.get();
    return is.isSymbolicLink()
        ? "a link"
        : is.isDirectory() ? "a folder" : is.isRegularFile() ? "a file" : "a pipe or a device";
  }

  /**
   * Opens a file of the store for plain reads.
   *
   * @throws DamageException if it is proved absent or no regular file
   * @throws IOException if it could not be opened, which says nothing about it
   */
  static RandomAccessFile open(Path file) throws IOException {
    requireFile(file);
    try {
      return new RandomAccessFile(file.toFile(), "r");
    } catch (FileNotFoundException e) {
      // Also what it throws for too many open files, no permission, an I/O error.
      requireFile(file);
      throw new IOException("cannot open " + e.getMessage(), e);
    }
  }

  /**
   * The names in a folder, sorted.
   *
   * @throws DamageException if there is proved to be no such folder
   */
  static List<String> names(Path folder) throws IOException {
    requireFolder(folder);
    List<String> names = new ArrayList<>();
    try (DirectoryStream<Path> entries = Files.newDirectoryStream(folder)) {
      for (Path entry : entries) {
        names.add(entry.getFileName().toString());
      }
    } catch (DirectoryIteratorException e) {
      throw e.getCause();
    } catch (NoSuchFileException e) {
      throw new DamageException("%s has vanished".formatted(folder), e);
    }
    Collections.sort(names);
    return names;
  }

  /** The names in a folder, sorted; none if there is proved to be no such folder. */
  static List<String> namesIfThere(Path folder) throws IOException {
    if (!exists(folder)) {
      return List.of();
    }
    try {
      return names(folder);
    } catch (DamageException e) {
      if (!exists(folder)) {
        return List.of();
      }
      throw e;
    }
  }

  /**
   * Why what is at a path cannot be written to, for the end of a sentence; empty if it can be. Only a
   * missing permission and a read-only file system are reasons.
   *
   * @throws IOException if there is nothing, or if the look failed, which says nothing about it
   */
  static Optional<String> whyNotWritable(Path path) throws IOException {
    try {
      path.getFileSystem().provider().checkAccess(path, AccessMode.WRITE);
      return Optional.empty();
    } catch (NoSuchFileException e) {
      throw e;
    } catch (AccessDeniedException e) {
      return Optional.of("no permission to write to " + path);
    } catch (FileSystemException e) {
      if (e.getReason() != null && BlockMemory.meansReadOnly(e.getReason())) {
        return Optional.of("%s: %s".formatted(path, IoFailure.reason(e)));
      }
      throw e;
    }
  }

  /** Bytes of a file; 0 if there is proved to be none. */
  static long size(Path file) throws IOException {
    return at(file).map(BasicFileAttributes::size).orElse(0L);
  }
}
