package io.gatun.store;

import io.gatun.cache.GatunException;
import java.io.IOException;
import java.nio.channels.FileChannel;
import java.nio.file.FileAlreadyExistsException;
import java.nio.file.Files;
import java.nio.file.LinkOption;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.nio.file.attribute.FileAttribute;
import java.nio.file.attribute.PosixFilePermission;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.Set;

/** Folders as the store keeps them: for the owner only, real ones, durable when it matters. */
final class Folders {
  private static final FileAttribute<?> OWNER_ONLY =
      PosixFilePermissions.asFileAttribute(PosixFilePermissions.fromString("rwx------"));
  private static final FileAttribute<?> FILE_OWNER_ONLY =
      PosixFilePermissions.asFileAttribute(PosixFilePermissions.fromString("rw-------"));

  private Folders() {}

  /** Creates a folder, 0700, if there is none. */
  static void create(Path folder) throws IOException {
    // Not left to the attempt: where nothing can be made, it need not say that there is one.
    if (FileLook.exists(folder)) {
      FileLook.requireFolder(folder);
      return;
    }
    try {
      if (posix(folder)) {
        Files.createDirectory(folder, OWNER_ONLY);
      } else {
        Files.createDirectory(folder);
      }
    } catch (FileAlreadyExistsException e) {
      FileLook.requireFolder(folder);
    }
  }

  /** Creates a folder and those above it that are missing, 0700; follows links, as mkdir does. */
  static void createAll(Path folder) throws IOException {
    if (posix(folder)) {
      Files.createDirectories(folder, OWNER_ONLY);
    } else {
      Files.createDirectories(folder);
    }
  }

  /** Creates an empty file, 0600, if there is none. */
  static void createFile(Path file) throws IOException {
    if (FileLook.exists(file)) {
      FileLook.requireFile(file);
      return;
    }
    try {
      if (posix(file)) {
        Files.createFile(file, FILE_OWNER_ONLY);
      } else {
        Files.createFile(file);
      }
    } catch (FileAlreadyExistsException e) {
      FileLook.requireFile(file);
    }
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

  /** Removes a folder and what is in it, or a file. What vanishes meanwhile is no failure. */
  static void delete(Path folder) throws IOException {
    if (FileLook.isFolder(folder)) {
      for (String name : FileLook.namesIfThere(folder)) {
        delete(folder.resolve(name));
      }
    }
    Files.deleteIfExists(folder);
  }

  private static boolean posix(Path path) {
    return path.getFileSystem().supportedFileAttributeViews().contains("posix");
  }
}
