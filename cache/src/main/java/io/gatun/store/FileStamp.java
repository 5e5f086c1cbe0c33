package io.gatun.store;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.LinkOption;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.nio.file.attribute.FileTime;
import java.util.Map;

/**
 * What a file looks like from outside: its inode and the time of its last change, as one number.
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
    FileLook.requireFile(file);
    try {
      if (!file.getFileSystem().supportedFileAttributeViews().contains("unix")) {
        return UNKNOWN;
      }
      Map<String, Object> found =
          Files.readAttributes(file, "unix:ino,lastModifiedTime,size", LinkOption.NOFOLLOW_LINKS);
      FileTime changed = (FileTime) found.get("lastModifiedTime");
      long hash = mix(0x6761_7475_6e00_0003L, ((Number) found.get("ino")).longValue());
      hash = mix(hash, changed.toInstant().getEpochSecond());
      hash = mix(hash, changed.toInstant().getNano());
      hash = mix(hash, ((Number) found.get("size")).longValue());
      return hash == UNKNOWN ? 1 : hash;
    } catch (NoSuchFileException e) {
      throw new DamageException("%s has vanished".formatted(file), e);
    }
  }

  /** The inode of a file; 0 where the system has none. */
  static long inode(Path file) throws IOException {
    if (!file.getFileSystem().supportedFileAttributeViews().contains("unix")) {
      return 0;
    }
    return ((Number) Files.getAttribute(file, "unix:ino", LinkOption.NOFOLLOW_LINKS)).longValue();
  }

  /** Names that a file has; 1 where the system does not tell. */
  static int names(Path file) throws IOException {
    if (!file.getFileSystem().supportedFileAttributeViews().contains("unix")) {
      return 1;
    }
    return ((Number) Files.getAttribute(file, "unix:nlink", LinkOption.NOFOLLOW_LINKS)).intValue();
  }

  private static long mix(long hash, long value) {
    long mixed = (hash ^ value) * 0x9E37_79B9_7F4A_7C15L;
    return mixed ^ mixed >>> 32;
  }
}
