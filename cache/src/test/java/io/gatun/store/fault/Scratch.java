package io.gatun.store.fault;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.util.Comparator;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.stream.Stream;

/** Small stores that are copied, damaged and put back thousands of times; in memory if possible. */
final class Scratch implements AutoCloseable {
  private final Path folder;

  Scratch() throws IOException {
    Path memory = Path.of("/dev/shm");
    this.folder =
        Files.isWritable(memory)
            ? Files.createTempDirectory(memory, "gatun-fault-")
            : Files.createTempDirectory("gatun-fault-");
  }

  Path folder() {
    return folder;
  }

  /** All files of a folder with their bytes, by relative name; links are not followed. */
  static Map<String, byte[]> image(Path from) throws IOException {
    Map<String, byte[]> image = new TreeMap<>();
    for (Path file : files(from)) {
      image.put(from.relativize(file).toString(), Files.readAllBytes(file));
    }
    return image;
  }

  static List<Path> files(Path from) throws IOException {
    try (Stream<Path> paths = Files.walk(from)) {
      return paths.filter(Files::isRegularFile).sorted().toList();
    }
  }

  /** Makes a folder that holds exactly this image. */
  static void restore(Map<String, byte[]> image, Path to) throws IOException {
    delete(to);
    for (Map.Entry<String, byte[]> file : image.entrySet()) {
      Path path = to.resolve(file.getKey());
      Files.createDirectories(path.getParent());
      Files.write(path, file.getValue());
    }
    restrict(to);
  }

  /** As restored folders come from the umask, they are made private again. */
  static void restrict(Path to) throws IOException {
    try (Stream<Path> paths = Files.walk(to)) {
      for (Path path : paths.filter(Files::isDirectory).toList()) {
        Files.setPosixFilePermissions(
            path, java.nio.file.attribute.PosixFilePermissions.fromString("rwx------"));
      }
    }
  }

  static void move(Path from, Path to) throws IOException {
    Files.move(from, to, StandardCopyOption.REPLACE_EXISTING);
  }

  static void delete(Path folder) throws IOException {
    if (!Files.exists(folder, java.nio.file.LinkOption.NOFOLLOW_LINKS)) {
      return;
    }
    try (Stream<Path> paths = Files.walk(folder)) {
      for (Path path : paths.sorted(Comparator.reverseOrder()).toList()) {
        Files.delete(path);
      }
    }
  }

  @Override
  public void close() throws IOException {
    delete(folder);
  }
}
