package io.gatun.store;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;
import java.nio.channels.FileChannel;
import java.nio.channels.FileChannel.MapMode;
import java.nio.file.Files;
import java.nio.file.LinkOption;
import java.nio.file.NoSuchFileException;
import java.nio.file.OpenOption;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.security.SecureRandom;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.HexFormat;
import java.util.List;
import java.util.Set;

/**
 * The folder with the block files of all conversations of a store.
 *
 * <pre>
 *   blocks/
 *     1f0c2d3e/            owner: the conversation that made the files in it
 *       00000000.kv        the owner's first block
 *       00000001.kv
 * </pre>
 *
 * <p>A block's id is {@code owner << 32 | number}. Any thread; who creates or removes files holds
 * the lock that the caller documents.
 */
final class BlockFolder {
  private static final ValueLayout.OfLong WORD =
      ValueLayout.JAVA_LONG.withOrder(ByteOrder.LITTLE_ENDIAN);
  private static final SecureRandom RANDOM = new SecureRandom();

  /** The owner number that no conversation has. */
  static final int NOBODY = 0;

  private final Path folder;

  BlockFolder(Path folder) {
    this.folder = folder;
  }

  /** The conversation that made a block. */
  static int owner(long block) {
    return (int) (block >>> 32);
  }

  static long id(int owner, int number) {
    return (long) owner << 32 | Integer.toUnsignedLong(number);
  }

  /** The folder itself. */
  Path path() {
    return folder;
  }

  Path folder(int owner) {
    return folder.resolve(HexFormat.of().toHexDigits(owner));
  }

  Path file(long block) {
    return folder(owner(block)).resolve(HexFormat.of().toHexDigits((int) block) + ".kv");
  }

  /** Takes an owner number that nobody has, and makes its folder. */
  int newOwner() throws IOException {
    while (true) {
      int owner = RANDOM.nextInt();
      if (owner != NOBODY && !FileLook.exists(folder(owner))) {
        // Its name is forced with the first block in it; until then nothing is lost without it.
        Folders.create(folder(owner));
        return owner;
      }
    }
  }

  /** The owners that have a folder. */
  List<Integer> owners() throws IOException {
    List<Integer> owners = new ArrayList<>();
    for (String name : FileLook.names(folder)) {
      if (name.matches("[0-9a-f]{8}")) {
        owners.add(HexFormat.fromHexDigits(name));
      }
    }
    return owners;
  }

  /** The blocks in an owner's folder. */
  List<Long> blocks(int owner) throws IOException {
    List<Long> blocks = new ArrayList<>();
    for (String name : FileLook.namesIfThere(folder(owner))) {
      if (name.matches("[0-9a-f]{8}\\.kv")) {
        blocks.add(id(owner, HexFormat.fromHexDigits(name, 0, 8)));
      }
    }
    return blocks;
  }

  /** Bytes of a block's file; 0 if there is none. */
  long size(long block) throws IOException {
    return FileLook.size(file(block));
  }

  boolean delete(long block) throws IOException {
    return Files.deleteIfExists(file(block));
  }

  /** Removes an owner's folder if it is empty. */
  void deleteOwnerIfEmpty(int owner) throws IOException {
    if (FileLook.exists(folder(owner)) && FileLook.names(folder(owner)).isEmpty()) {
      Files.deleteIfExists(folder(owner));
    }
  }

  /** The rows of a block that conversations other than its owner were promised. */
  int sharedRows(long block, int blockTokens) throws IOException {
    try (Arena arena = Arena.ofConfined()) {
      return BlockHeader.sharedRows(
          header(file(block), false, arena).get(WORD, BlockHeader.SHARED), blockTokens);
    } catch (InternalError e) {
      throw lost(file(block), e);
    }
  }

  /**
   * Notes that others were promised the first {@code rows} rows of a block, durably. Called with the
   * store's lock held.
   */
  void share(long block, int rows, int blockTokens) throws IOException {
    share(file(block), rows, blockTokens);
  }

  /** As {@link #share(long, int, int)}, for a block's file under whatever name. */
  static void share(Path file, int rows, int blockTokens) throws IOException {
    try (Arena arena = Arena.ofConfined()) {
      MemorySegment header = header(file, true, arena);
      int before = BlockHeader.sharedRows(header.get(WORD, BlockHeader.SHARED), blockTokens);
      if (rows > before) {
        header.set(WORD, BlockHeader.SHARED, BlockHeader.sharedWord(rows));
        header.force();
      }
    } catch (InternalError e) {
      throw lost(file, e);
    } catch (UncheckedIOException e) {
      throw e.getCause();
    }
  }

  /** Cut short since it was mapped, or an I/O error, which says nothing about the file. */
  private static IOException lost(Path file, InternalError e) {
    return new IOException(
        "the header of %s could not be read or written through its map".formatted(file), e);
  }

  private static MemorySegment header(Path file, boolean writable, Arena arena) throws IOException {
    StandardOpenOption[] access =
        writable
            ? new StandardOpenOption[] {StandardOpenOption.READ, StandardOpenOption.WRITE}
            : new StandardOpenOption[] {StandardOpenOption.READ};
    return Uninterrupted.call(() -> {
      try (FileChannel channel = open(file, access)) {
        if (channel.size() < BlockHeader.BYTES) {
          throw new DamageException(
              "%s has %,d bytes: its header is cut off".formatted(file, channel.size()));
        }
        MapMode mode = writable ? MapMode.READ_WRITE : MapMode.READ_ONLY;
        return channel.map(mode, 0, BlockHeader.BYTES, arena);
      }
    });
  }

  private static FileChannel open(Path file, StandardOpenOption... access) throws IOException {
    Set<OpenOption> options = new HashSet<>(List.of(access));
    options.add(LinkOption.NOFOLLOW_LINKS);
    FileLook.requireFile(file);
    try {
      return FileChannel.open(file, options);
    } catch (NoSuchFileException e) {
      throw new DamageException("%s is missing".formatted(file), e);
    }
  }
}
