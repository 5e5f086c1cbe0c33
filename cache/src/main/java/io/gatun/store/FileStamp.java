package io.gatun.store;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.LinkOption;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.nio.file.attribute.BasicFileAttributes;
import java.nio.file.attribute.FileTime;

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

  private static final long NO_INODE = -1;

  private FileStamp() {}

  /**
   * The stamp of a file; {@link #UNKNOWN} where the system has no inodes.
   *
   * @throws DamageException if there is proved to be no such file
   */
  static long of(Path file) throws IOException {
    BasicFileAttributes found = FileLook.requireFile(file);
    long inode = inode(found);
    if (inode == NO_INODE) {
      return UNKNOWN;
    }
    return known(mix(mix(identity(inode, found), found.lastModifiedTime()), found.size()));
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
    BasicFileAttributes found = FileLook.requireFile(file);
    long inode = inode(found);
    return inode == NO_INODE ? UNKNOWN : known(identity(inode, found));
  }

  private static long identity(long inode, BasicFileAttributes found) {
    return mix(mix(0x6761_7475_6e00_0003L, inode), found.creationTime());
  }

  /**
   * The inode in a file's key, which Java writes as {@code (dev=fe00,ino=12345)}.
   *
   * <p>Design note: the view "unix" gives it by name, in ten times the time, and opening looks at
   * every block. The number of the device is left out: it may be another after the next boot.
   */
  private static long inode(BasicFileAttributes found) {
    String key = String.valueOf(found.fileKey());
    int at = key.indexOf("ino=");
    int end = key.length() - 1;
    if (at < 0 || at + 4 >= end || key.charAt(end) != ')') {
      return NO_INODE;
    }
    try {
      return Long.parseLong(key, at + 4, end, 10);
    } catch (NumberFormatException e) {
      return NO_INODE;
    }
  }

  /**
   * Names that a file has; 1 where the system does not tell.
   *
   * @throws DamageException if there is proved to be no such file
   */
  static int names(Path file) throws IOException {
    FileLook.requireFile(file);
    if (!file.getFileSystem().supportedFileAttributeViews().contains("unix")) {
      return 1;
    }
    try {
      Object names = Files.getAttribute(file, "unix:nlink", LinkOption.NOFOLLOW_LINKS);
      return ((Number) names).intValue();
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
