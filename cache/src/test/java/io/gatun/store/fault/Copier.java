package io.gatun.store.fault;

import java.io.IOException;
import java.io.RandomAccessFile;
import java.nio.file.Files;
import java.nio.file.LinkOption;
import java.nio.file.NoSuchFileException;
import java.nio.file.NotDirectoryException;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.attribute.FileTime;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Collections;
import java.util.Comparator;
import java.util.Deque;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.stream.Stream;

/**
 * A program that knows nothing of stores and copies a folder, such as {@code cp -r}, {@code rsync}
 * or {@code tar}: as a sequence of small steps, between which anything may happen. A step lists a
 * folder, opens a file, or reads a part of it. How it goes about it is drawn from a seed.
 */
final class Copier implements AutoCloseable {
  private final Path from;
  private final Path to;
  private final Random random;

  /** How many bytes a step reads. */
  private final int chunk;

  /** Lists all folders before it reads the first file, as rsync does. */
  private final boolean listsFirst;

  /** Gives copies the time of change that the file had when it was opened, as -a and -p do. */
  private final boolean keepsTime;

  /** Leaves a file alone whose copy has its size and time, as rsync does. */
  private final boolean skipsAlike;

  /** Writes over a file that is there, and does not put a new one in its place. */
  private final boolean inPlace;

  private final Order order;
  private final Deque<Path> todo = new ArrayDeque<>();
  private final Deque<Path> files = new ArrayDeque<>();
  private Path file;
  private RandomAccessFile in;
  private RandomAccessFile out;
  private long left;
  private FileTime time;

  /** Which of a folder's entries come first. */
  private enum Order {
    BLOCKS_FIRST,
    JOURNALS_FIRST,
    ANY
  }

  Copier(Path from, Path to, Random random) {
    this.from = from;
    this.to = to;
    this.random = random;
    this.chunk = new int[] {4096, 8192, 1 << 20}[random.nextInt(3)];
    this.listsFirst = random.nextBoolean();
    this.keepsTime = random.nextBoolean();
    this.skipsAlike = keepsTime && random.nextBoolean();
    this.inPlace = random.nextBoolean();
    this.order = Order.values()[random.nextInt(3)];
    todo.add(from);
  }

  /** Does a bit of the work; returns whether there is more. */
  boolean step() throws IOException {
    if (file != null) {
      read();
    } else if (!todo.isEmpty() && (listsFirst || files.isEmpty())) {
      look(todo.poll());
    } else if (!files.isEmpty()) {
      open(files.poll());
    }
    return file != null || !todo.isEmpty() || !files.isEmpty();
  }

  private void look(Path folder) throws IOException {
    Path copy = to.resolve(from.relativize(folder));
    List<Path> entries;
    try (Stream<Path> found = Files.list(folder)) {
      entries = new ArrayList<>(found.toList());
    } catch (NoSuchFileException | NotDirectoryException e) {
      return;
    }
    // Owners have random names: a seed repeats a run if they come in the order of their making.
    Map<Path, Long> made = new HashMap<>();
    for (Path entry : entries) {
      made.put(entry, folder.equals(from) ? 0 : madeAs(entry));
    }
    entries.sort(
        Comparator.comparing((Path entry) -> made.get(entry)).thenComparing(entry -> entry));
    Files.createDirectories(
        copy, PosixFilePermissions.asFileAttribute(PosixFilePermissions.fromString("rwx------")));
    switch (order) {
      case BLOCKS_FIRST -> {}
      case JOURNALS_FIRST -> Collections.reverse(entries);
      case ANY -> Collections.shuffle(entries, random);
    }
    List<Path> folders = new ArrayList<>();
    for (Path entry : entries) {
      if (Files.isDirectory(entry, LinkOption.NOFOLLOW_LINKS)) {
        folders.add(entry);
      } else {
        files.add(entry);
      }
    }
    // Depth first, in the order of the entries.
    Collections.reverse(folders);
    folders.forEach(todo::addFirst);
  }

  /** A number that grows with every file that is made, in memory; others do not matter. */
  private static long madeAs(Path entry) throws IOException {
    try {
      return ((Number) Files.getAttribute(entry, "unix:ino", LinkOption.NOFOLLOW_LINKS))
          .longValue();
    } catch (NoSuchFileException e) {
      return Long.MAX_VALUE;
    }
  }

  private Path copy(Path original) {
    return to.resolve(from.relativize(original));
  }

  private void open(Path next) throws IOException {
    Path copy = copy(next);
    try {
      time = Files.getLastModifiedTime(next);
      left = Files.size(next);
      if (skipsAlike
          && Files.exists(copy)
          && Files.size(copy) == left
          && Files.getLastModifiedTime(copy).equals(time)) {
        return;
      }
      in = new RandomAccessFile(next.toFile(), "r");
    } catch (IOException e) {
      // It is gone, or its folder is: every copier goes on with the next.
      return;
    }
    Files.createDirectories(copy.getParent());
    out = new RandomAccessFile(part(copy).toFile(), "rw");
    out.setLength(0);
    file = next;
  }

  private Path part(Path copy) {
    return inPlace ? copy : copy.resolveSibling(copy.getFileName() + ".part");
  }

  private void read() throws IOException {
    byte[] bytes = new byte[(int) Math.min(chunk, left)];
    int read = Math.max(0, in.read(bytes));
    out.write(bytes, 0, read);
    left -= read;
    if (left > 0 && read > 0) {
      return;
    }
    // A file that was cut meanwhile ends early; one that grew is cut where it ended.
    close();
    Path copy = copy(file);
    if (!inPlace) {
      Files.move(part(copy), copy, StandardCopyOption.REPLACE_EXISTING);
    }
    if (keepsTime) {
      Files.setLastModifiedTime(copy, time);
    }
    file = null;
  }

  @Override
  public void close() throws IOException {
    if (in != null) {
      in.close();
      out.close();
      in = null;
    }
  }

  @Override
  public String toString() {
    return "chunks of %,d, %s, %s, %s, %s, %s"
        .formatted(
            chunk,
            order,
            listsFirst ? "lists first" : "lists on the way",
            keepsTime ? "keeps times" : "new times",
            skipsAlike ? "skips what looks alike" : "copies all",
            inPlace ? "in place" : "by renaming");
  }
}
