package io.gatun.cache;

import java.lang.foreign.MemorySegment;
import java.util.concurrent.atomic.AtomicInteger;

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
  private final MemorySegment keys;
  private final MemorySegment values;
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
    this.source = source;
  }

  /** What its source calls it, for instance the number in a file's name. */
  public long id() {
    return id;
  }

  /** The keys, {@code [layer][kvHead][token][keyDim]}. */
  public MemorySegment keys() {
    return keys;
  }

  /** The values, {@code [layer][kvHead][token][valueDim]}. */
  public MemorySegment values() {
    return values;
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
