package io.gatun.store;

import io.gatun.cache.BlockMemory;
import io.gatun.cache.GatunException;
import io.gatun.cache.KvBlock;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;

/**
 * One block file and its map, made at once or when the block's memory is first asked for. Either
 * way nothing of it can be read before its kind, size and header were checked.
 *
 * <p>What is wrong with a file is found once; from then on every use throws the same. One arena per
 * file. Any thread.
 */
final class BlockFile {
  private final Path file;
  private final BlockHeader expected;
  private final boolean writable;

  /** Told what is wrong with the file, once; returns what to say of it. */
  private final Damaged damaged;

  private Arena arena;
  private MemorySegment memory;
  private KvBlock.Memory parts;
  private GatunException refusal;
  private boolean released;

  /** Once a journal names it: then it is not ours to delete. */
  private volatile boolean journaled;

  /** Whether the block has all the rows that it will ever have. */
  private boolean sealed;

  /** Takes what is wrong with a file that was mapped on first use. */
  @FunctionalInterface
  interface Damaged {
    GatunException found(GatunException damage);
  }

  BlockFile(Path file, BlockHeader expected, boolean writable, boolean journaled, Damaged damaged) {
    this.file = file;
    this.expected = expected;
    this.writable = writable;
    this.journaled = journaled;
    this.damaged = damaged;
  }

  Path path() {
    return file;
  }

  boolean writable() {
    return writable;
  }

  boolean journaled() {
    return journaled;
  }

  /** Notes that a journal names it now. */
  void journal() {
    journaled = true;
  }

  /** The whole map, header included; null as long as there is none. */
  synchronized MemorySegment memory() {
    return memory;
  }

  /**
   * Maps the file, if that was not done; its header is checked by the first {@link #parts}. As long
   * as this is held, the rows stay, even if somebody removes the file.
   *
   * @throws GatunException if the file is missing, cut off, or not a file
   */
  synchronized void map() throws IOException {
    if (memory != null) {
      return;
    }
    if (released) {
      throw new IllegalStateException("%s was already given back".formatted(file));
    }
    requireSize();
    Arena mapping = Arena.ofShared();
    try {
      long bytes = StoreBlocks.fileBytes(expected.layout());
      memory = Uninterrupted.call(() -> BlockMemory.map(file, bytes, writable, mapping));
      arena = mapping;
    } catch (NoSuchFileException e) {
      mapping.close();
      throw new DamageException("%s has vanished".formatted(file), e);
    } catch (IOException | RuntimeException | Error e) {
      mapping.close();
      throw e;
    }
  }

  /**
   * The rows, mapped and checked now if they were not.
   *
   * @throws GatunException if the file is missing, cut off, or another block than it should be; then
   *     at every later call, too
   */
  synchronized KvBlock.Memory parts() {
    if (parts != null) {
      return parts;
    }
    if (refusal != null) {
      throw new GatunException(refusal.getMessage(), refusal);
    }
    try {
      map();
      checkHeader();
    } catch (DamageException | NewerFormatException e) {
      refusal = damaged.found(e);
      throw refusal;
    } catch (IOException e) {
      // No sign of damage: too many open files, no permission. The next use tries again.
      throw IoFailure.of("cannot map a block", file, e);
    }
    return useUnchecked();
  }

  /**
   * Maps the file for a use that may come after it was removed. What is wrong with it is thrown by
   * that use.
   */
  synchronized void mapForLater() {
    if (memory != null || refusal != null || released) {
      return;
    }
    try {
      map();
    } catch (DamageException | NewerFormatException e) {
      refusal = damaged.found(e);
    } catch (IOException e) {
      refusal = IoFailure.of("could not map a block before it was removed", file, e);
    }
  }

  /** The rows of a file that was mapped, and whose header was checked or written by the caller. */
  synchronized KvBlock.Memory useUnchecked() {
    parts = BlockMemory.parts(expected.layout(), memory, BlockHeader.BYTES);
    return parts;
  }

  private void requireSize() throws IOException {
    long bytes = StoreBlocks.fileBytes(expected.layout());
    long found = FileLook.requireFile(file).size();
    if (found != bytes) {
      throw new DamageException(
          "%s has %,d bytes, not %,d: it was cut off or is not what it is taken for"
              .formatted(file, found, bytes));
    }
  }

  /** Checks the header as it was mapped: the file's name may mean another file by now. */
  private void checkHeader() throws IOException {
    byte[] page = new byte[BlockHeader.BYTES];
    try {
      MemorySegment.copy(memory, ValueLayout.JAVA_BYTE, 0, page, 0, page.length);
    } catch (InternalError e) {
      // Cut off since it was mapped, or an I/O error, which says nothing about the file.
      requireSize();
      throw new IOException("the header of %s cannot be read".formatted(file), e);
    }
    BlockHeader.decode(page, file).require(expected, file);
  }

  /** Writes the header of a new file. */
  void writeHeader() {
    byte[] page = expected.encode();
    MemorySegment.copy(page, 0, memory, ValueLayout.JAVA_BYTE, 0, page.length);
  }

  /** Bytes that are mapped now. */
  synchronized long mappedBytes() {
    return memory == null || released ? 0 : memory.byteSize();
  }

  /**
   * Bytes of the map that are in memory now; -1 where the system does not tell. Whoever asks does
   * not stand in the way of {@link #release}: that waits, where it would fail while the system looks
   * at the map.
   */
  synchronized long residentBytes() {
    return memory == null || released ? 0 : BlockMemory.residentBytes(memory);
  }

  /** Says that rows are written here and there, so that the system keeps its pages apart. */
  synchronized void writtenSparsely() {
    BlockMemory.writtenSparsely(memory, true);
  }

  /**
   * Notes that the block gets no more rows: from now on it is streamed, as those of others are.
   *
   * @return whether it might have got some until now
   */
  synchronized boolean seal() {
    if (!writable || sealed) {
      return false;
    }
    sealed = true;
    BlockMemory.writtenSparsely(memory, false);
    return true;
  }

  /** Lets go of the map. */
  synchronized void release() {
    released = true;
    if (arena != null) {
      arena.close();
    }
  }
}
