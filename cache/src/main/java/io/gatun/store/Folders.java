package io.gatun.store;

import io.gatun.cache.GatunException;
import java.io.IOException;
import java.nio.channels.FileChannel;
import java.nio.file.FileAlreadyExistsException;
import java.nio.file.Files;
import java.nio.file.LinkOption;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.nio.file.attribute.FileAttribute;
import java.nio.file.attribute.PosixFilePermission;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import java.util.stream.Stream;

/** Folders as the store keeps them: for the owner only, real ones, durable when it matters. */
final class Folders {
  private static final FileAttribute<?> OWNER_ONLY =
      PosixFilePermissions.asFileAttribute(PosixFilePermissions.fromString("rwx------"));
  private static final FileAttribute<?> FILE_OWNER_ONLY =
      PosixFilePermissions.asFileAttribute(PosixFilePermissions.fromString("rw-------"));

  private Folders() {}

  /** Creates a folder, 0700, if there is none. */
  static void create(Path folder) throws IOException {
    try {
      if (posix(folder)) {
        Files.createDirectory(folder, OWNER_ONLY);
      } else {
        Files.createDirectory(folder);
      }
    } catch (FileAlreadyExistsException e) {
      requireFolder(folder);
    }
  }

  /** Creates an empty file, 0600, if there is none. */
  static void createFile(Path file) throws IOException {
    try {
      if (posix(file)) {
        Files.createFile(file, FILE_OWNER_ONLY);
      } else {
        Files.createFile(file);
      }
    } catch (FileAlreadyExistsException e) {
      requireFile(file);
    }
  }

  /** Refuses anything but a real folder: links are not followed. */
  static void requireFolder(Path folder) {
    if (!Files.isDirectory(folder, LinkOption.NOFOLLOW_LINKS)) {
      throw new GatunException(
          "%s is %s, not a folder; a store follows no links".formatted(folder, kind(folder)));
    }
  }

  /** Refuses anything but a real file: links are not followed. */
  static void requireFile(Path file) {
    if (!Files.isRegularFile(file, LinkOption.NOFOLLOW_LINKS)) {
      throw new GatunException(
          "%s is %s, not a file; a store follows no links".formatted(file, kind(file)));
    }
  }

  private static String kind(Path path) {
    if (Files.isSymbolicLink(path)) {
      return "a link";
    }
    return Files.exists(path, LinkOption.NOFOLLOW_LINKS) ? "something else" : "missing";
  }

  /** Refuses a folder that other users could write to: they could swap files under us. */
  static void requirePrivate(Path folder) throws IOException {
    if (!posix(folder)) {
      return;
    }
    Set<PosixFilePermission> permissions =
        Files.getPosixFilePermissions(folder, LinkOption.NOFOLLOW_LINKS);
    if (permissions.contains(PosixFilePermission.GROUP_WRITE)
        || permissions.contains(PosixFilePermission.OTHERS_WRITE)) {
      throw new GatunException(
          "%s can be written to by other users (%s), and a store holds conversations: chmod 700 %s"
              .formatted(folder, PosixFilePermissions.toString(permissions), folder));
    }
  }

  /** Makes the names in a folder durable. */
  static void force(Path folder) throws IOException {
    Uninterrupted.call(() -> {
      try (FileChannel channel = FileChannel.open(folder, StandardOpenOption.READ)) {
        channel.force(true);
      }
      return null;
    });
  }

  /** The names in a folder, sorted; none if there is no such folder. */
  static List<String> names(Path folder) throws IOException {
    if (!Files.isDirectory(folder, LinkOption.NOFOLLOW_LINKS)) {
      return List.of();
    }
    try (Stream<Path> entries = Files.list(folder)) {
      return entries.map(entry -> entry.getFileName().toString()).sorted().toList();
    }
  }

  /** Removes a folder and the files in it. What vanishes meanwhile is no failure. */
  static void delete(Path folder) throws IOException {
    List<Path> inside = new ArrayList<>();
    for (String name : names(folder)) {
      inside.add(folder.resolve(name));
    }
    for (Path path : inside) {
      if (Files.isDirectory(path, LinkOption.NOFOLLOW_LINKS)) {
        delete(path);
      } else {
        Files.deleteIfExists(path);
      }
    }
    Files.deleteIfExists(folder);
  }

  /** Size of a file, 0 if it has gone. */
  static long size(Path file) throws IOException {
    try {
      return Files.size(file);
    } catch (NoSuchFileException e) {
      return 0;
    }
  }

  private static boolean posix(Path path) {
    return path.getFileSystem().supportedFileAttributeViews().contains("posix");
  }
}
