package io.gatun.cache;

import java.lang.foreign.MemorySegment;
import java.util.Objects;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.function.Supplier;

/**
 * The memory of one block: a key segment and a value segment, laid out by {@link KvLayout}.
 *
 * <p>Caches and views that use a block hold a reference to it; when the last one lets go, the block
 * goes back to the {@link BlockSource} that it came from. Where values lie in the keys, {@link
 * #values} is the key segment.
 *
 * <p>Thread rules: the count may be changed from any thread; rows are written only by the cache
 * that owns the block, and only behind {@link #frozenTokens}.
 */
public final class KvBlock {
  private final long id;

  /**
   * Null until first used, if the memory is brought in late. Not volatile: segments are immutable,
   * so that the worst a race can show is the null of before, and asking again gives the same one.
   */
  private MemorySegment keys;

  private MemorySegment values;

  /** Null if the memory was there from the start. */
  private final Supplier<Memory> late;

  private final BlockSource source;
  private final AtomicInteger references = new AtomicInteger(1);
  private volatile int frozenTokens;

  /**
   * A block with one reference, held by the caller.
   *
   * @param id what the source calls it
   */
  public KvBlock(long id, MemorySegment keys, MemorySegment values, BlockSource source) {
    this.id = id;
    this.keys = keys;
    this.values = values;
    this.late = null;
    this.source = source;
  }

  /**
   * A block whose memory is brought in when it is first asked for, with one reference, held by the
   * caller.
   *
   * @param memory gives the block's memory, the same at every call; called from any thread. What it
   *     throws, {@link #keys} and {@link #values} throw
   */
  public KvBlock(long id, Supplier<Memory> memory, BlockSource source) {
    this.id = id;
    this.late = Objects.requireNonNull(memory, "memory");
    this.source = source;
  }

  /** The memory of a block: keys, and values, which are the key segment where they lie in it. */
  public record Memory(MemorySegment keys, MemorySegment values) {}

  /** What its source calls it, for instance the number in a file's name. */
  public long id() {
    return id;
  }

  /**
   * The keys, {@code [layer][kvHead][token][keyDim]}.
   *
   * @throws GatunException if the memory is brought in now, and its file is not what it should be
   */
  public MemorySegment keys() {
    MemorySegment mapped = keys;
    if (mapped == null) {
      mapped = late.get().keys();
      keys = mapped;
    }
    return mapped;
  }

  /**
   * The values, {@code [layer][kvHead][token][valueDim]}.
   *
   * @throws GatunException if the memory is brought in now, and its file is not what it should be
   */
  public MemorySegment values() {
    MemorySegment mapped = values;
    if (mapped == null) {
      mapped = late.get().values();
      values = mapped;
    }
    return mapped;
  }

  /** Rows {@code [0, frozenTokens)} of every run were promised to somebody and never change again. */
  public int frozenTokens() {
    return frozenTokens;
  }

  /** Promises that the first {@code tokens} rows of every run never change again. */
  public synchronized void freeze(int tokens) {
    frozenTokens = Math.max(frozenTokens, tokens);
  }

  /**
   * Takes back the promise beyond {@code tokens} rows, which only the sole holder can do: with a
   * second reference somebody may be reading them.
   *
   * @return whether rows from {@code tokens} on may be written again
   */
  public synchronized boolean thaw(int tokens) {
    if (references.get() != 1) {
      return false;
    }
    frozenTokens = Math.min(frozenTokens, tokens);
    return true;
  }

  /** Takes a reference. */
  public KvBlock retain() {
    if (references.getAndUpdate(n -> n == 0 ? 0 : n + 1) == 0) {
      throw new IllegalStateException("block %d was already given back".formatted(id));
    }
    return this;
  }

  /** Gives a reference back; the last one gives the block back to its source. */
  public void release() {
    int left = references.decrementAndGet();
    if (left == 0) {
      source.release(this);
    } else if (left < 0) {
      throw new IllegalStateException("block %d was given back twice".formatted(id));
    }
  }

  /** References held now. */
  public int references() {
    return references.get();
  }
}
