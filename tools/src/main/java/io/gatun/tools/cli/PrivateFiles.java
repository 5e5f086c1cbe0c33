package io.gatun.tools.cli;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.OpenOption;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.nio.file.attribute.FileAttribute;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.Set;

/**
 * Files and folders that are made for their owner only, whatever the umask is: weights may be
 * someone's secret, and reports and digests tell what was run. What is there already keeps its
 * permissions: its owner chose them.
 */
public final class PrivateFiles {
  private static final FileAttribute<?>[] FOLDER = owner("rwx------");
  private static final FileAttribute<?>[] FILE = owner("rw-------");
  private static final FileAttribute<?>[] NOTHING = {};

  private PrivateFiles() {}

  private static FileAttribute<?>[] owner(String permissions) {
    return new FileAttribute<?>[] {
      PosixFilePermissions.asFileAttribute(PosixFilePermissions.fromString(permissions))
    };
  }

  private static boolean posix(Path path) {
    return path.getFileSystem().supportedFileAttributeViews().contains("posix");
  }

  /** Makes a folder, and those above it that are missing. */
  public static void createFolders(Path folder) throws IOException {
    Files.createDirectories(folder, posix(folder) ? FOLDER : NOTHING);
  }

  /** Makes a folder that must not be there. */
  public static void createFolder(Path folder) throws IOException {
    Files.createDirectory(folder, posix(folder) ? FOLDER : NOTHING);
  }

  /** Opens a file, which is private if this makes it; not a pipe, where it would wait. */
  public static FileChannel open(Path file, OpenOption... options) throws IOException {
    return FileChannel.open(UserFiles.require(file), Set.of(options), posix(file) ? FILE : NOTHING);
  }

  /** Puts bytes into a file, instead of what is there. */
  public static void write(Path file, byte[] bytes) throws IOException {
    try (FileChannel channel =
        open(
            file,
            StandardOpenOption.CREATE,
            StandardOpenOption.TRUNCATE_EXISTING,
            StandardOpenOption.WRITE)) {
      write(channel, bytes);
    }
  }

  /** Makes a file that must not be there, and forces it. */
  public static void writeNew(Path file, byte[] bytes) throws IOException {
    try (FileChannel channel =
        open(file, StandardOpenOption.CREATE_NEW, StandardOpenOption.WRITE)) {
      write(channel, bytes);
      channel.force(true);
    }
  }

  private static void write(FileChannel channel, byte[] bytes) throws IOException {
    ByteBuffer left = ByteBuffer.wrap(bytes);
    while (left.hasRemaining()) {
      channel.write(left);
    }
  }
}
