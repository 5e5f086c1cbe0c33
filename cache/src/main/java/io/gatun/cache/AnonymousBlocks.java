package io.gatun.cache;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.atomic.AtomicLong;

/** Blocks in anonymous memory: no file, gone with the process. Any thread. */
public final class AnonymousBlocks implements BlockSource {
  private final KvLayout layout;
  private final AtomicLong nextId = new AtomicLong();
  private final Map<KvBlock, Arena> arenas = new ConcurrentHashMap<>();

  /** A source of blocks of this layout. */
  public AnonymousBlocks(KvLayout layout) {
    this.layout = layout;
  }

  @Override
  public KvLayout layout() {
    return layout;
  }

  @Override
  public KvBlock allocate() {
    Arena arena = Arena.ofShared();
    try {
      MemorySegment memory = BlockMemory.reserve(layout.blockBytes(), arena);
      KvBlock block = BlockMemory.block(nextId.getAndIncrement(), layout, memory, 0, this);
      arenas.put(block, arena);
      return block;
    } catch (RuntimeException | Error e) {
      arena.close();
      throw e;
    }
  }

  @Override
  public void release(KvBlock block) {
    arenas.remove(block).close();
  }

  @Override
  public void close() {}
}
