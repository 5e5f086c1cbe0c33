package io.gatun.cache;

import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Map;
import java.util.UUID;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.atomic.AtomicLong;

/**
 * Blocks in mapped files without a name: for caches larger than RAM that nobody needs to find
 * again. Each file is preallocated and, once mapped, removed from its folder, so that the disk is
 * free again when the block is released or the process ends, however it ends. Any thread.
 */
public final class ScratchFileBlocks implements BlockSource {
  private final KvLayout layout;
  private final Path folder;
  private final AtomicLong nextId = new AtomicLong();
  private final Map<KvBlock, Arena> arenas = new ConcurrentHashMap<>();

  /** The memory of the newest block, or null: the one that rows are appended to. */
  private MemorySegment growing;

  /** A source of blocks of this layout, with its files in {@code folder}, which must exist. */
  public ScratchFileBlocks(KvLayout layout, Path folder) {
    if (!Files.isDirectory(folder)) {
      throw new GatunException("%s is not a folder; scratch files need one".formatted(folder));
    }
    this.layout = layout;
    this.folder = folder;
  }

  @Override
  public KvLayout layout() {
    return layout;
  }

  @Override
  public KvBlock allocate() {
    Path file = folder.resolve("gatun-" + UUID.randomUUID() + ".scratch");
    Arena arena = Arena.ofShared();
    try {
      BlockMemory.createPreallocated(file, layout.blockBytes());
      try {
        MemorySegment memory = BlockMemory.map(file, layout.blockBytes(), true, arena);
        BlockMemory.inLargePages(memory);
        KvBlock block = BlockMemory.block(nextId.getAndIncrement(), layout, memory, 0, this);
        arenas.put(block, arena);
        grows(memory);
        return block;
      } finally {
        Files.deleteIfExists(file);
      }
    } catch (IOException e) {
      arena.close();
      throw new GatunException(
          "cannot make a scratch file of %,d bytes in %s: %s"
              .formatted(layout.blockBytes(), folder, e.getMessage()),
          e);
    } catch (RuntimeException | Error e) {
      arena.close();
      throw e;
    }
  }

  /** Has the newest block not read ahead of where rows are written, the one before, now full, again. */
  private synchronized void grows(MemorySegment memory) {
    BlockMemory.writtenSparsely(memory, true);
    if (growing != null) {
      BlockMemory.writtenSparsely(growing, false);
    }
    growing = memory;
  }

  @Override
  public synchronized void release(KvBlock block) {
    if (growing != null && (block.keys().address() == growing.address())) {
      growing = null;
    }
    arenas.remove(block).close();
  }

  @Override
  public void close() {}
}
