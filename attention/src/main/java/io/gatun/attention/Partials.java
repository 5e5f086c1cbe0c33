package io.gatun.attention;

import io.gatun.cache.BlockMemory;
import io.gatun.cache.GatunException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;

/**
 * Native memory for the results of splits, until they are merged.
 *
 * <p>Design note: a decode step must not allocate, and how long a sequence will get is not known.
 * So the addresses for {@link #TOKENS} tokens are reserved at the start, of which the system backs
 * with memory what was touched: 4 bytes for each output value for each 512 tokens of context. Only
 * beyond that, or where the system has no such thing, does a step enlarge the store.
 */
final class Partials implements AutoCloseable {
  /** Tokens, of all sequences of a call together, that the first reservation is enough for. */
  static final long TOKENS = 1L << 24;

  /** What is allocated at first where nothing can be reserved. */
  private static final long LEAST_TOKENS = 1L << 14;

  private final long bytesPerSplit;
  private Arena arena;
  private MemorySegment memory;

  /**
   * Reserves.
   *
   * @param bytesPerSplit of all heads
   */
  Partials(long bytesPerSplit) {
    this.bytesPerSplit = bytesPerSplit;
    for (long tokens = TOKENS; memory == null; tokens /= 2) {
      try {
        make(BlockMemory.CAN_RESERVE ? tokens : LEAST_TOKENS);
      } catch (GatunException e) {
        // The process may have a limit on its addresses: a smaller reservation does as well.
        if (tokens <= LEAST_TOKENS) {
          throw e;
        }
      }
    }
  }

  private void make(long tokens) {
    long bytes = Math.multiplyExact(tokens / RowBlock.SPLIT, bytesPerSplit);
    Arena newArena = Arena.ofShared();
    try {
      memory = BlockMemory.reserve(bytes, newArena);
      arena = newArena;
    } catch (RuntimeException | Error e) {
      newArena.close();
      throw e;
    }
  }

  /** The memory, with room for so many splits of all heads. */
  MemorySegment of(long splits) {
    long bytes = Math.multiplyExact(splits, bytesPerSplit);
    if (bytes > memory.byteSize()) {
      Arena old = arena;
      make(Math.multiplyExact(2 * RowBlock.SPLIT, splits));
      old.close();
    }
    return memory;
  }

  @Override
  public void close() {
    arena.close();
  }
}
