package io.gatun.store;

import io.gatun.cache.BlockMemory;
import io.gatun.cache.BlockSource;
import io.gatun.cache.GatunException;
import io.gatun.cache.KvBlock;
import io.gatun.cache.KvLayout;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;

/**
 * The blocks of one open conversation, as mapped files. A block that the conversation may write to
 * is mapped for writing, any other for reading only, so that no fault can change shared rows.
 *
 * <p>One arena per file; it closes when the last cache or view lets go of the block. Any thread.
 */
final class StoreBlocks implements BlockSource {
  private final BlockFolder folder;
  private final int owner;
  private final KvLayout layout;
  private final Fingerprint fingerprint;
  private final Health health;
  private final Guard guard;
  private final Map<KvBlock, Mapping> mappings = new ConcurrentHashMap<>();
  private int nextNumber;

  /** Asked before a block file is made; throws to refuse it. */
  @FunctionalInterface
  interface Guard {
    void beforeAllocating(long bytes);
  }

  /** A mapped file. {@code journaled} once a journal names it: then it is not ours to delete. */
  private static final class Mapping {
    final Path file;
    final Arena arena;
    final MemorySegment memory;
    final boolean writable;
    volatile boolean journaled;

    /** Whether the block has all the rows that it will ever have. */
    boolean sealed;

    Mapping(Path file, Arena arena, MemorySegment memory, boolean writable, boolean journaled) {
      this.file = file;
      this.arena = arena;
      this.memory = memory;
      this.writable = writable;
      this.journaled = journaled;
    }
  }

  /**
   * The blocks of a conversation.
   *
   * @param nextNumber number of the next file; no file of the owner has it or a higher one
   */
  StoreBlocks(
      BlockFolder folder,
      int owner,
      int nextNumber,
      KvLayout layout,
      Fingerprint fingerprint,
      Health health,
      Guard guard) {
    this.folder = folder;
    this.owner = owner;
    this.nextNumber = nextNumber;
    this.layout = layout;
    this.fingerprint = fingerprint;
    this.health = health;
    this.guard = guard;
  }

  /** Blocks that are only read. */
  static StoreBlocks forReading(BlockFolder folder, KvLayout layout, Fingerprint fingerprint) {
    Guard refuse =
        bytes -> {
          throw new IllegalStateException("a reader makes no blocks");
        };
    return new StoreBlocks(folder, 0, 0, layout, fingerprint, new Health("a reader"), refuse);
  }

  @Override
  public KvLayout layout() {
    return layout;
  }

  /** Bytes of a block's file. */
  static long fileBytes(KvLayout layout) {
    return Math.addExact(BlockHeader.BYTES, layout.blockBytes());
  }

  @Override
  public synchronized KvBlock allocate() {
    health.check();
    long bytes = fileBytes(layout);
    guard.beforeAllocating(bytes);
    long id = BlockFolder.id(owner, nextNumber);
    Path file = folder.file(id);
    BlockAllocationEvent event = new BlockAllocationEvent();
    event.begin();
    try {
      Uninterrupted.call(() -> {
        BlockMemory.createPreallocated(file, bytes);
        return null;
      });
      nextNumber++;
      try {
        KvBlock block = map(id, file, true, false);
        BlockMemory.writtenSparsely(mappings.get(block).memory, true);
        byte[] page = new BlockHeader(id, layout, fingerprint).encode();
        MemorySegment.copy(
            page, 0, mappings.get(block).memory, ValueLayout.JAVA_BYTE, 0, page.length);
        event.file = file.toString();
        event.bytes = bytes;
        event.commit();
        return block;
      } catch (IOException | RuntimeException e) {
        Files.deleteIfExists(file);
        throw e;
      }
    } catch (IOException e) {
      throw new GatunException(
          "cannot make the block file %s of %,d bytes: %s".formatted(file, bytes, e.getMessage()),
          e);
    }
  }

  /** Where the first {@code rows} rows of a block lie in its file. */
  private List<long[]> ranges(int rows) {
    List<long[]> ranges = new ArrayList<>();
    layout.forEachPiece(
        0,
        rows,
        (inKeys, offset, bytes) ->
            ranges.add(
                new long[] {
                  BlockHeader.BYTES + (inKeys ? 0 : layout.keysBytes()) + offset, bytes
                }));
    return ranges;
  }

  /**
   * Maps a block that a journal names.
   *
   * @param rows rows that will be read, if it may also be written to
   * @throws GatunException if the file is missing, cut off, or another block than it should be
   */
  KvBlock open(long id, int rows, boolean writable) throws IOException {
    Path file = folder.file(id);
    Folders.requireFile(file);
    BlockCheck.header(file, new BlockHeader(id, layout, fingerprint));
    try {
      KvBlock block = map(id, file, writable, true);
      if (writable) {
        BlockMemory.writtenSparsely(mappings.get(block).memory, true);
        BlockMemory.readAhead(file, ranges(rows));
      }
      return block;
    } catch (NoSuchFileException e) {
      throw new GatunException("%s has vanished".formatted(file), e);
    }
  }

  private KvBlock map(long id, Path file, boolean writable, boolean journaled) throws IOException {
    Arena arena = Arena.ofShared();
    try {
      MemorySegment memory =
          Uninterrupted.call(() -> BlockMemory.map(file, fileBytes(layout), writable, arena));
      KvBlock block = BlockMemory.block(id, layout, memory, BlockHeader.BYTES, this);
      mappings.put(block, new Mapping(file, arena, memory, writable, journaled));
      return block;
    } catch (IOException | RuntimeException e) {
      arena.close();
      throw e;
    }
  }

  /** Whether this conversation may write to a block at all. */
  boolean writable(KvBlock block) {
    return mappings.get(block).writable;
  }

  /** Forces everything written to a block; the first time also its name. */
  void force(KvBlock block) throws IOException {
    Mapping mapping = mappings.get(block);
    mapping.memory.force();
    if (!mapping.journaled) {
      Folders.force(folder.folder(owner));
      Folders.force(folder.folder(owner).getParent());
    }
  }

  /** Notes that a block gets no more rows: from now on it is streamed, as those of others are. */
  synchronized void sealed(KvBlock block) {
    Mapping mapping = mappings.get(block);
    if (mapping.writable && !mapping.sealed) {
      mapping.sealed = true;
      BlockMemory.writtenSparsely(mapping.memory, false);
    }
  }

  /** Notes that a journal names this block now. */
  void journaled(KvBlock block) {
    mappings.get(block).journaled = true;
  }

  /** Bytes of the files that are mapped now. */
  long mappedBytes() {
    return mappings.values().stream().mapToLong(mapping -> mapping.memory.byteSize()).sum();
  }

  /** Bytes of the mapped files that are in memory now; -1 where the system does not tell. */
  long residentBytes() {
    long resident = 0;
    for (Mapping mapping : mappings.values()) {
      long bytes = BlockMemory.residentBytes(mapping.memory);
      if (bytes < 0) {
        return -1;
      }
      resident += bytes;
    }
    return resident;
  }

  @Override
  public void release(KvBlock block) {
    Mapping mapping = mappings.remove(block);
    mapping.arena.close();
    if (!mapping.journaled) {
      try {
        Files.deleteIfExists(mapping.file);
      } catch (IOException e) {
        // The next opening, or gc, removes what no journal names.
        System.getLogger("io.gatun.store")
            .log(System.Logger.Level.WARNING, "could not remove " + mapping.file, e);
      }
    }
  }

  @Override
  public void close() {}
}
