package io.gatun.store;

import io.gatun.cache.KvLayout;
import java.io.IOException;
import java.io.RandomAccessFile;
import java.nio.file.Path;

/**
 * Overwrites what was cut or deleted with zeros, in place and forced, before its space is given back.
 *
 * <p>What lies below the file may still keep it: a journaling or copy-on-write file system, snapshots
 * and backups, and an SSD, which writes elsewhere than where it is told to.
 */
final class Erasure {
  private static final int CHUNK = 1 << 20;

  private Erasure() {}

  /** Whether a file has another name, in a backup with hard links: that one keeps its rows. */
  static boolean hasOtherNames(Path file) throws IOException {
    return FileLook.isFile(file) && FileStamp.names(file) > 1;
  }

  /** Overwrites a whole file, if there is one, and it has no other name. */
  static void overwrite(Path file) throws IOException {
    if (!FileLook.isFile(file)) {
      return;
    }
    if (hasOtherNames(file)) {
      System.getLogger("io.gatun.store")
          .log(
              System.Logger.Level.WARNING,
              "%s has another name, as in a backup with hard links, and was not overwritten: erase it there, too"
                  .formatted(file));
      return;
    }
    try (RandomAccessFile bytes = new RandomAccessFile(file.toFile(), "rw")) {
      overwrite(bytes);
    }
  }

  /** Overwrites a whole file that is open. */
  static void overwrite(RandomAccessFile bytes) throws IOException {
    bytes.seek(0);
    zeros(bytes, bytes.length());
    bytes.getFD().sync();
  }

  /** Overwrites the files in a folder, and in the folders in it. */
  static void overwriteAll(Path folder) throws IOException {
    for (String name : FileLook.namesIfThere(folder)) {
      Path path = folder.resolve(name);
      if (FileLook.isFolder(path)) {
        overwriteAll(path);
      } else {
        overwrite(path);
      }
    }
  }

  /** Overwrites the rows of a block from {@code fromRow} on. */
  static void rows(Path file, KvLayout layout, int fromRow) throws IOException {
    FileLook.requireFile(file);
    try (RandomAccessFile block = new RandomAccessFile(file.toFile(), "rw")) {
      IOException[] failure = new IOException[1];
      layout.forEachPiece(
          fromRow,
          layout.blockTokens(),
          (inKeys, offset, bytes) -> {
            try {
              if (failure[0] == null) {
                block.seek(BlockHeader.BYTES + (inKeys ? 0 : layout.keysBytes()) + offset);
                zeros(block, bytes);
              }
            } catch (IOException e) {
              failure[0] = e;
            }
          });
      if (failure[0] != null) {
        throw failure[0];
      }
      block.getFD().sync();
    }
  }

  private static void zeros(RandomAccessFile file, long bytes) throws IOException {
    byte[] chunk = new byte[(int) Math.min(CHUNK, bytes)];
    for (long left = bytes; left > 0; left -= chunk.length) {
      file.write(chunk, 0, (int) Math.min(chunk.length, left));
    }
  }
}
