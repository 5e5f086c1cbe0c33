package io.gatun.cache;

/** Where a cache gets its blocks from: anonymous memory, scratch files, a store's files. */
public interface BlockSource extends AutoCloseable {
  /** The layout of every block of this source. */
  KvLayout layout();

  /**
   * A fresh block, all bytes of it backed, so that no later write can fail for want of space.
   *
   * @throws DiskFullException if it lies in a file and the disk has no room for it
   * @throws GatunException if the memory is not to be had
   */
  KvBlock allocate();

  /** Takes back a block that nobody refers to any more. Called by {@link KvBlock#release}. */
  void release(KvBlock block);

  /** Frees what the source itself holds. Blocks still referred to stay valid until released. */
  @Override
  void close();
}
