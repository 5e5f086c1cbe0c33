package io.gatun.tools.convert;

import io.gatun.cache.GatunException;
import io.gatun.tools.cli.PrivateFiles;
import java.io.IOException;
import java.nio.channels.FileChannel;
import java.nio.file.FileVisitResult;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.SimpleFileVisitor;
import java.nio.file.StandardCopyOption;
import java.nio.file.StandardOpenOption;
import java.nio.file.attribute.BasicFileAttributes;
import java.util.List;
import java.util.stream.Stream;

/**
 * A folder that appears under its name only when it is whole: it is filled as {@code
 * .NAME.gatun-PID} beside the target, and renamed. Whoever fills it writes {@code config.json}
 * last, so that what a killed process leaves does not load as a model either. Leavings of processes
 * that are gone are removed by the next one for the same target.
 */
final class StagedFolder implements AutoCloseable {
  private final Path target;
  private final Path staging;
  private boolean published;

  private StagedFolder(Path target, Path staging) {
    this.target = target;
    this.staging = staging;
  }

  /**
   * Starts a folder.
   *
   * @throws GatunException if the target exists, or its parent does not
   */
  static StagedFolder create(Path target) {
    Path absolute = target.toAbsolutePath().normalize();
    refuseExisting(absolute);
    Path parent = absolute.getParent();
    if (parent == null || !Files.isDirectory(parent)) {
      throw new GatunException("there is no folder %s to put %s in".formatted(parent, target));
    }
    String prefix = "." + absolute.getFileName() + ".gatun-";
    try {
      removeLeavings(parent, prefix);
      Path staging = parent.resolve(prefix + ProcessHandle.current().pid());
      PrivateFiles.createFolder(staging);
      return new StagedFolder(absolute, staging);
    } catch (IOException e) {
      throw new GatunException("cannot make a folder in %s: %s".formatted(parent, e), e);
    }
  }

  private static void refuseExisting(Path target) {
    if (Files.exists(target, java.nio.file.LinkOption.NOFOLLOW_LINKS)) {
      throw new GatunException(
          "%s exists already, and nothing is overwritten; give another folder or remove that one"
              .formatted(target));
    }
  }

  private static void removeLeavings(Path parent, String prefix) throws IOException {
    List<Path> found;
    try (Stream<Path> list = Files.list(parent)) {
      found = list.filter(p -> p.getFileName().toString().startsWith(prefix)).toList();
    }
    for (Path leaving : found) {
      String pid = leaving.getFileName().toString().substring(prefix.length());
      if (pid.matches("[0-9]{1,18}") && ProcessHandle.of(Long.parseLong(pid)).isEmpty()) {
        remove(leaving);
      }
    }
  }

  /** Where to put the files. */
  Path path() {
    return staging;
  }

  /** Gives the folder its name. Its files must have been forced to disk. */
  void publish() {
    refuseExisting(target);
    try {
      force(staging);
      Files.move(staging, target, StandardCopyOption.ATOMIC_MOVE);
      published = true;
      force(target.getParent());
    } catch (IOException e) {
      throw new GatunException("cannot rename %s to %s: %s".formatted(staging, target, e), e);
    }
  }

  /** Makes the names in a folder durable. */
  private static void force(Path folder) throws IOException {
    try (FileChannel channel = FileChannel.open(folder, StandardOpenOption.READ)) {
      channel.force(true);
    }
  }

  /** Removes the folder unless it was published. */
  @Override
  public void close() {
    if (!published) {
      try {
        remove(staging);
      } catch (IOException e) {
        throw new GatunException("cannot remove the unfinished %s: %s".formatted(staging, e), e);
      }
    }
  }

  private static void remove(Path folder) throws IOException {
    Files.walkFileTree(
        folder,
        new SimpleFileVisitor<>() {
          @Override
          public FileVisitResult visitFile(Path file, BasicFileAttributes attributes)
              throws IOException {
            Files.delete(file);
            return FileVisitResult.CONTINUE;
          }

          @Override
          public FileVisitResult postVisitDirectory(Path visited, IOException failure)
              throws IOException {
            if (failure != null) {
              throw failure;
            }
            Files.delete(visited);
            return FileVisitResult.CONTINUE;
          }
        });
  }
}
