package io.gatun.store;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.LinkOption;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.nio.file.attribute.FileTime;
import java.util.Map;

/**
 * What a file looks like from outside: its inode, the times of its birth and of its last change, and
 * its size, as one number.
 *
 * <p>A stamp in a journal vouches for a block: as long as the file looks so, its rows are those that
 * the journal promises. A copy of the file has another inode; a file that was written to since, or
 * that an older copy was put over, has another time. Either is no damage: the rows are then compared
 * with their checksums, one by one.
 *
 * <p>Design note: stamps cost one look at a file's name, and nothing of the file is read. Stamps in
 * the files themselves would not do: a copier that reads a file while it changes takes the stamp from
 * one state and rows from another.
 */
final class FileStamp {
  /** Nothing is known. No file has this stamp. */
  static final long UNKNOWN = 0;

  private FileStamp() {}

  /**
   * The stamp of a file; {@link #UNKNOWN} where the system has no inodes.
   *
   * @throws DamageException if there is proved to be no such file
   */
  static long of(Path file) throws IOException {
    Map<String, Object> found = attributes(file, "ino,creationTime,lastModifiedTime,size");
    if (found.isEmpty()) {
      return UNKNOWN;
    }
    long hash = mix(identity(found), (FileTime) found.get("lastModifiedTime"));
    return known(mix(hash, ((Number) found.get("size")).longValue()));
  }

  /**
   * Which file this is, whatever is written to it; {@link #UNKNOWN} where the system has no inodes.
   *
   * <p>Design note: a tree that is copied to a fresh file system gets the inodes of the original, and
   * a copier may set the time of change. Nobody can set the time of birth. Where a file system keeps
   * none, Java gives the time of the last change: then an original is taken for a copy, not a copy
   * for an original.
   *
   * @throws DamageException if there is proved to be no such file
   */
  static long identity(Path file) throws IOException {
    Map<String, Object> found = attributes(file, "ino,creationTime");
    return found.isEmpty() ? UNKNOWN : known(identity(found));
  }

  private static long identity(Map<String, Object> found) {
    long hash = mix(0x6761_7475_6e00_0003L, ((Number) found.get("ino")).longValue());
    return mix(hash, (FileTime) found.get("creationTime"));
  }

  /**
   * Names that a file has; 1 where the system does not tell.
   *
   * @throws DamageException if there is proved to be no such file
   */
  static int names(Path file) throws IOException {
    Map<String, Object> found = attributes(file, "nlink");
    return found.isEmpty() ? 1 : ((Number) found.get("nlink")).intValue();
  }

  /** Attributes of a file that is there; none where the system has no such attributes. */
  private static Map<String, Object> attributes(Path file, String names) throws IOException {
    FileLook.requireFile(file);
    try {
      return file.getFileSystem().supportedFileAttributeViews().contains("unix")
          ? Files.readAttributes(file, "unix:" + names, LinkOption.NOFOLLOW_LINKS)
          : Map.of();
    } catch (NoSuchFileException e) {
      throw new DamageException("%s has vanished".formatted(file), e);
    }
  }

  private static long known(long hash) {
    return hash == UNKNOWN ? 1 : hash;
  }

  private static long mix(long hash, FileTime time) {
    return mix(mix(hash, time.toInstant().getEpochSecond()), time.toInstant().getNano());
  }

  private static long mix(long hash, long value) {
    long mixed = (hash ^ value) * 0x9E37_79B9_7F4A_7C15L;
    return mixed ^ mixed >>> 32;
  }
}
