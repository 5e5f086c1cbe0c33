package io.gatun.store;

import io.gatun.cache.BlockMemory;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.file.FileAlreadyExistsException;
import java.nio.file.FileSystemException;
import java.nio.file.Files;
import java.nio.file.LinkOption;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.StandardOpenOption;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Set;

/**
 * Brings block files into a backup: a second name of the store's file, or a copy. A file is compared
 * with the checksums of the rows that are needed of it before it gets its name there.
 *
 * <p>Design note: a second name is given only to a file that never changes again, neither its rows
 * nor the word in its header. All of a file is copied, not the committed rows alone: a fork may have
 * been promised more of them than the conversation that is copied now.
 *
 * <p>One thread.
 */
final class BackupBlocks {
  private static final int CHUNK = 1 << 20;

  private final BlockFolder source;
  private final BlockFolder backup;

  /** What the name of a file begins with that is not known to be right, or not needed yet. */
  private final Path part;

  /** Files that are to replace others once all that their conversation needs is there, by block. */
  private final Map<Long, Path> staged = new LinkedHashMap<>();

  /** Whether the two folders are of one file system that knows second names. */
  private boolean links;

  private final boolean wantLinks;
  private final Set<Integer> newNames = new HashSet<>();

  /** The blocks of the conversation under way that got a second name now. */
  private final Set<Long> newLinks = new HashSet<>();

  private int linked;
  private int copied;
  private int kept;
  private long copiedBytes;

  BackupBlocks(BlockFolder source, BlockFolder backup, Path part, boolean links) {
    this.source = source;
    this.backup = backup;
    this.part = part;
    this.links = links;
    this.wantLinks = links;
  }

  /**
   * Sees to it that the backup has a block with the rows of a run. One that is there with others
   * stays until {@link #settle}: what the backup had before is not given up for what may be damaged.
   *
   * @param owner of the conversation that needs it
   * @param sealed whether the file is known never to change again
   * @return stamp of its file, from before the rows were compared
   * @throws DamageException if the store's file is missing or its rows do not check
   */
  long bring(BlockHeader expected, RunState run, int owner, boolean sealed) throws IOException {
    Path to = staged.getOrDefault(run.block(), backup.file(run.block()));
    boolean there = FileLook.exists(to);
    if (there && (wantLinks || FileStamp.names(to) == 1)) {
      Checked found = check(to, expected, run, owner);
      if (found.rows == run.tokens()) {
        kept++;
        return found.stamp;
      }
    }
    Path from = source.file(run.block());
    FileLook.requireFile(from);
    Folders.create(backup.folder(BlockFolder.owner(run.block())));
    Files.deleteIfExists(part);
    try {
      boolean isLink = sealed && links && !there && link(from);
      if (!isLink) {
        copy(from, StoreBlocks.fileBytes(expected.layout()), sealed);
      }
      Checked brought = check(part, expected, run, owner);
      if (brought.rows < run.tokens()) {
        throw unsound(from, expected, run, brought.rows);
      }
      Path place = there ? part.resolveSibling(part.getFileName() + "-" + run.block()) : to;
      Files.move(part, place, StandardCopyOption.ATOMIC_MOVE, StandardCopyOption.REPLACE_EXISTING);
      if (there) {
        staged.put(run.block(), place);
      }
      newNames.add(BlockFolder.owner(run.block()));
      if (isLink) {
        newLinks.add(run.block());
      }
      linked += isLink ? 1 : 0;
      copied += isLink ? 0 : 1;
      copiedBytes += isLink ? 0 : StoreBlocks.fileBytes(expected.layout());
      return brought.stamp;
    } finally {
      Files.deleteIfExists(part);
    }
  }

  /** The rows of a file that check, and its stamp from before they were read. */
  private record Checked(long stamp, int rows) {}

  /**
   * Compares rows of a file in the backup with their checksums. Before, notes in it that they were
   * promised to a conversation that does not write them: the one that does may be in the backup,
   * too, with fewer of them.
   */
  private static Checked check(Path file, BlockHeader expected, RunState run, int owner)
      throws IOException {
    try {
      if (BlockFolder.owner(run.block()) != owner && FileStamp.names(file) == 1) {
        BlockCheck.header(file, expected);
        BlockFolder.share(file, run.coveredRows(), expected.layout().blockTokens());
      }
      long stamp = FileStamp.of(file);
      return new Checked(stamp, BlockCheck.soundRows(file, expected, run));
    } catch (DamageException e) {
      return new Checked(FileStamp.UNKNOWN, 0);
    }
  }

  private static DamageException unsound(Path from, BlockHeader expected, RunState run, int rows)
      throws IOException {
    int inStore = BlockCheck.soundRows(from, expected, run);
    if (inStore == run.tokens()) {
      return new DamageException(
          "the copy of %s differs from it from row %d on: the disk of the backup may be failing"
              .formatted(from, rows));
    }
    return new DamageException(
        "%s: rows from %d on do not check (checksum)".formatted(from, inStore));
  }

  /** Gives the file a second name, if the file system does that. */
  private boolean link(Path from) throws IOException {
    try {
      Files.createLink(part, from);
      return true;
    } catch (FileAlreadyExistsException e) {
      throw e;
    } catch (NoSuchFileException e) {
      throw new DamageException("%s has vanished".formatted(from), e);
    } catch (FileSystemException | UnsupportedOperationException e) {
      // Another file system, or one without second names, or too many of them.
      links = false;
      return false;
    }
  }

  /** Copies a file into one that is backed by disk from the start. */
  private void copy(Path from, long bytes, boolean sealed) throws IOException {
    Uninterrupted.call(() -> {
      Files.deleteIfExists(part);
      BlockMemory.createPreallocated(part, bytes);
      try (FileChannel in =
              FileChannel.open(from, LinkOption.NOFOLLOW_LINKS, StandardOpenOption.READ);
          FileChannel out =
              FileChannel.open(part, LinkOption.NOFOLLOW_LINKS, StandardOpenOption.WRITE)) {
        if (in.size() != bytes) {
          throw new DamageException(
              "%s has %,d bytes, not %,d: it was cut off or is not what it is taken for"
                  .formatted(from, in.size(), bytes));
        }
        if (sealed) {
          transfer(in, out, from, bytes);
        } else {
          readAndWrite(in, out, from, bytes);
        }
        out.force(true);
      } catch (NoSuchFileException e) {
        throw new DamageException("%s has vanished".formatted(from), e);
      }
      return null;
    });
  }

  /** The system's own copy: it shares the bytes where the file system can (reflinks). */
  private static void transfer(FileChannel in, FileChannel out, Path from, long bytes)
      throws IOException {
    for (long at = 0; at < bytes; ) {
      long more = in.transferTo(at, bytes - at, out);
      if (more <= 0) {
        throw new DamageException("%s was cut off while it was read".formatted(from));
      }
      at += more;
    }
  }

  /** A file that will be written to keeps the disk space that it was given: no shared bytes. */
  private static void readAndWrite(FileChannel in, FileChannel out, Path from, long bytes)
      throws IOException {
    ByteBuffer chunk = ByteBuffer.allocateDirect((int) Math.min(CHUNK, bytes));
    for (long at = 0; at < bytes; ) {
      chunk.clear().limit((int) Math.min(chunk.capacity(), bytes - at));
      if (in.read(chunk, at) < 0) {
        throw new DamageException("%s was cut off while it was read".formatted(from));
      }
      chunk.flip();
      while (chunk.hasRemaining()) {
        at += out.write(chunk, at);
      }
    }
  }

  /**
   * The blocks that got a second name since the last conversation was settled or given up. One that
   * the store still needs now is never overwritten, not to erase it either: that is refused for
   * files with two names.
   */
  Set<Long> newLinks() {
    return Set.copyOf(newLinks);
  }

  /**
   * Puts the files in place that replace others, and makes all names durable.
   *
   * @return the blocks of which the backup had other files until now
   */
  Set<Long> settle() throws IOException {
    for (Map.Entry<Long, Path> file : staged.entrySet()) {
      Files.move(
          file.getValue(),
          backup.file(file.getKey()),
          StandardCopyOption.ATOMIC_MOVE,
          StandardCopyOption.REPLACE_EXISTING);
    }
    Set<Long> replaced = Set.copyOf(staged.keySet());
    staged.clear();
    newLinks.clear();
    for (int owner : newNames) {
      Folders.force(backup.folder(owner));
      Folders.force(backup.folder(owner).getParent());
    }
    newNames.clear();
    return replaced;
  }

  /** Forgets the files that would have replaced others; takes second names back. */
  void giveUp() throws IOException {
    for (long block : newLinks) {
      Files.deleteIfExists(backup.file(block));
    }
    newLinks.clear();
    for (Path file : staged.values()) {
      Files.deleteIfExists(file);
    }
    staged.clear();
  }

  int linked() {
    return linked;
  }

  int copied() {
    return copied;
  }

  int kept() {
    return kept;
  }

  long copiedBytes() {
    return copiedBytes;
  }
}
