package io.gatun.store;

import io.gatun.cache.BlockMemory;
import io.gatun.cache.BlockSource;
import io.gatun.cache.GatunException;
import io.gatun.cache.KvBlock;
import io.gatun.cache.KvLayout;
import java.io.IOException;
import java.nio.file.Files;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import java.util.function.LongPredicate;

/**
 * The blocks of one open conversation, as mapped files. A block that the conversation may write to
 * is mapped for writing, any other for reading only, so that no fault can change shared rows.
 *
 * <p>Three ways lead to a block: {@link #allocate} makes one, {@link #open} maps and checks one at
 * once, {@link #late} does both when its memory is first asked for, so that opening a conversation
 * takes the same time whatever its length. Any thread.
 */
final class StoreBlocks implements BlockSource {
  private final BlockFolder folder;
  private final int owner;
  private final KvLayout layout;
  private final Fingerprint fingerprint;
  private final Health health;
  private final Guard guard;

  /** What to do about a block that turns out damaged on first use. */
  private final String remedy;

  private final Map<KvBlock, BlockFile> mappings = new ConcurrentHashMap<>();
  private int nextNumber;
  private volatile boolean damaged;

  /** Asked before a block file is made; throws to refuse it. */
  @FunctionalInterface
  interface Guard {
    void beforeAllocating(long bytes);
  }

  /**
   * The blocks of a conversation.
   *
   * @param nextNumber number of the next file; no file of the owner has it or a higher one, and no
   *     journal ever named it
   * @param remedy what to do about a block that turns out damaged on first use, a sentence
   */
  StoreBlocks(
      BlockFolder folder,
      int owner,
      int nextNumber,
      KvLayout layout,
      Fingerprint fingerprint,
      Health health,
      Guard guard,
      String remedy) {
    this.folder = folder;
    this.owner = owner;
    this.nextNumber = nextNumber;
    this.layout = layout;
    this.fingerprint = fingerprint;
    this.health = health;
    this.guard = guard;
    this.remedy = remedy;
  }

  /** Blocks that are only read. */
  static StoreBlocks forReading(
      BlockFolder folder, KvLayout layout, Fingerprint fingerprint, String remedy) {
    Guard refuse =
        bytes -> {
          throw new IllegalStateException("a reader makes no blocks");
        };
    return new StoreBlocks(
        folder, 0, 0, layout, fingerprint, new Health("a reader"), refuse, remedy);
  }

  @Override
  public KvLayout layout() {
    return layout;
  }

  /** Bytes of a block's file. */
  static long fileBytes(KvLayout layout) {
    return Math.addExact(BlockHeader.BYTES, layout.blockBytes());
  }

  private BlockFile blockFile(long id, boolean writable, boolean journaled) {
    return new BlockFile(
        folder.file(id),
        new BlockHeader(id, layout, fingerprint),
        writable,
        journaled,
        this::foundDamaged);
  }

  private GatunException foundDamaged(GatunException damage) {
    if (damage instanceof NewerFormatException) {
      return damage;
    }
    damaged = true;
    return new GatunException(
        "%s. This was found when the block was first used; nothing of it was read. %s"
            .formatted(damage.getMessage(), remedy),
        damage);
  }

  /** Whether a block turned out damaged when it was first used. */
  boolean damaged() {
    return damaged;
  }

  @Override
  public synchronized KvBlock allocate() {
    health.check();
    long bytes = fileBytes(layout);
    guard.beforeAllocating(bytes);
    long id = BlockFolder.id(owner, nextNumber);
    // A file that a failure leaves behind must not stand in the way of the next one.
    nextNumber++;
    BlockFile file = blockFile(id, true, false);
    BlockAllocationEvent event = new BlockAllocationEvent();
    event.begin();
    try {
      Uninterrupted.call(() -> {
        BlockMemory.createPreallocated(file.path(), bytes);
        return null;
      });
      try {
        file.map();
        file.writtenSparsely();
        file.writeHeader();
        event.file = file.path().toString();
        event.bytes = bytes;
        event.commit();
        return block(id, file);
      } catch (IOException | RuntimeException | Error e) {
        file.release();
        Files.deleteIfExists(file.path());
        if (e instanceof InternalError) {
          throw new IOException("its map could not be written to", e);
        }
        throw e;
      }
    } catch (IOException e) {
      throw new GatunException(
          "cannot make the block file %s of %,d bytes: %s"
              .formatted(file.path(), bytes, IoFailure.reason(e)),
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
   * Maps and checks a block that a journal names.
   *
   * @param rows rows that will be read, if it may also be written to
   * @throws GatunException if the file is missing, cut off, or another block than it should be
   */
  KvBlock open(long id, int rows, boolean writable) throws IOException {
    BlockFile file = blockFile(id, writable, true);
    FileLook.requireFile(file.path());
    BlockCheck.header(file.path(), new BlockHeader(id, layout, fingerprint));
    try {
      file.map();
      if (writable) {
        file.writtenSparsely();
        BlockMemory.readAhead(file.path(), ranges(rows));
      }
      return block(id, file);
    } catch (IOException | RuntimeException | Error e) {
      file.release();
      throw e;
    }
  }

  /** Gives back all blocks, where opening the conversation failed. */
  void abandon() {
    List.copyOf(mappings.keySet()).forEach(KvBlock::release);
  }

  /** A block whose file was mapped and checked, or written, just now. */
  private KvBlock block(long id, BlockFile file) {
    KvBlock.Memory memory = file.useUnchecked();
    KvBlock block = new KvBlock(id, memory.keys(), memory.values(), this);
    mappings.put(block, file);
    return block;
  }

  /**
   * A block that a journal names, read only. Its file is not looked at before its memory is asked
   * for: then what is wrong with it is thrown there.
   */
  KvBlock late(long id) {
    BlockFile file = blockFile(id, false, true);
    KvBlock block = new KvBlock(id, file::parts, this);
    mappings.put(block, file);
    return block;
  }

  /**
   * As {@link #late}, but mapped now, for rows that their writer may remove at any time: what is
   * left for the first use is the header.
   *
   * @throws GatunException if the file is missing, cut off, or not a file
   */
  KvBlock mapped(long id) throws IOException {
    KvBlock block = late(id);
    try {
      mappings.get(block).map();
      return block;
    } catch (IOException | RuntimeException | Error e) {
      block.release();
      throw e;
    }
  }

  /**
   * Maps those of the blocks that somebody still refers to, before their files may vanish: a view
   * keeps its rows whatever the writer does.
   */
  void mapBeforeRemoval(LongPredicate removed) {
    mappings.forEach((block, file) -> {
      if (removed.test(block.id())) {
        file.mapForLater();
      }
    });
  }

  /** Whether this conversation may write to a block at all. */
  boolean writable(KvBlock block) {
    return mappings.get(block).writable();
  }

  /** Forces everything written to a block; the first time also its name. */
  void force(KvBlock block) throws IOException {
    BlockFile file = mappings.get(block);
    file.memory().force();
    if (!file.journaled()) {
      Folders.force(folder.folder(owner));
      Folders.force(folder.folder(owner).getParent());
    }
  }

  /** Notes that a block gets no more rows; returns whether it was written to until now. */
  boolean sealed(KvBlock block) {
    return mappings.get(block).seal();
  }

  /** Whether a block of this number is mapped for writing. */
  boolean mayHaveWritten(long id) {
    return mappings.entrySet().stream()
        .anyMatch(entry -> entry.getKey().id() == id && entry.getValue().writable());
  }

  /** Notes that a journal names this block now. */
  void journaled(KvBlock block) {
    mappings.get(block).journal();
  }

  /** Bytes of the files that are mapped now. */
  long mappedBytes() {
    return mappings.values().stream().mapToLong(BlockFile::mappedBytes).sum();
  }

  /** Bytes of the mapped files that are in memory now; -1 where the system does not tell. */
  long residentBytes() {
    long resident = 0;
    for (BlockFile file : mappings.values()) {
      long bytes = file.residentBytes();
      if (bytes < 0) {
        return -1;
      }
      resident += bytes;
    }
    return resident;
  }

  @Override
  public void release(KvBlock block) {
    BlockFile file = mappings.remove(block);
    file.release();
    if (!file.journaled()) {
      remove(file);
    }
  }

  /**
   * Ends the making of blocks. Those that are left belong to views. Once the lock is gone anybody may
   * delete the conversation, or open it and make blocks of the same names: so they are mapped now,
   * and what no journal names is removed now, not when the view is closed.
   */
  @Override
  public void close() {
    mapBeforeRemoval(block -> true);
    for (BlockFile file : mappings.values()) {
      if (!file.journaled()) {
        remove(file);
        file.journal();
      }
    }
  }

  private static void remove(BlockFile file) {
    try {
      Files.deleteIfExists(file.path());
    } catch (IOException e) {
      // The next opening, or gc, removes what no journal names.
      System.getLogger("io.gatun.store")
          .log(
              System.Logger.Level.WARNING,
              "could not remove %s: %s".formatted(file.path(), IoFailure.reason(e)));
    }
  }
}
