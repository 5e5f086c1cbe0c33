package io.gatun.store;

import io.gatun.cache.BlockMemory;
import io.gatun.cache.DiskFullException;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.lang.invoke.VarHandle;
import java.nio.ByteOrder;
import java.nio.file.Path;
import net.openhft.chronicle.bytes.Bytes;

/**
 * The writer's end of a journal: appends records to the mapped, preallocated file and forces them.
 * A record that was appended survives the death of the process; one that was forced, that of the
 * machine.
 *
 * <p>Design note: Chronicle Bytes encodes the records; the copy to the file, and the force, go
 * through a {@link MemorySegment}, which checks bounds and lifetime. The file is read only by plain
 * reads ({@link JournalScan}), never through this map.
 *
 * <p>Thread rules: any thread; appending never waits for a force.
 */
final class Journal implements AutoCloseable {
  /** A journal begins with this size, and doubles up to steps of {@link #LARGEST_STEP}. */
  static final long SMALLEST = 64 << 10;

  private static final long LARGEST_STEP = 4 << 20;

  private static final ValueLayout.OfInt INT =
      ValueLayout.JAVA_INT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);
  private static final ValueLayout.OfLong WORD =
      ValueLayout.JAVA_LONG.withOrder(ByteOrder.LITTLE_ENDIAN);
  private static final VarHandle PUBLISHED = WORD.varHandle();

  private final Path file;
  private final Health health;
  private final Bytes<byte[]> payload = Bytes.allocateElasticOnHeap(1 << 10);

  /** Held while a force runs, so that the map stays until it is done. Taken before {@code this}. */
  private final Object forcing = new Object();

  private Arena arena;
  private MemorySegment map;
  private long end;
  private int crc;
  private long forced;
  private long bytesWritten;

  private Journal(Path file, Health health, long end, int crc) {
    this.file = file;
    this.health = health;
    this.end = end;
    this.crc = crc;
    // What is there may stand in the page cache only, if the last writer was killed.
    this.forced = 0;
    // The commits of one thread and the group force of another both come here, one at a time.
    payload.singleThreadedCheckDisabled(true);
  }

  /**
   * Opens a journal behind the records that checked.
   *
   * @param end where they end
   * @param crc checksum of the last one
   */
  static Journal open(Path file, Health health, long end, int crc) throws IOException {
    Journal journal = new Journal(file, health, end, crc);
    journal.map(FileLook.requireFile(file).size());
    return journal;
  }

  private void map(long bytes) throws IOException {
    Arena newArena = Arena.ofShared();
    try {
      map = Uninterrupted.call(() -> BlockMemory.map(file, bytes, true, newArena));
    } catch (IOException | RuntimeException | Error e) {
      newArena.close();
      throw e;
    }
    if (arena != null) {
      arena.close();
    }
    arena = newArena;
  }

  /** Notes which file this is; a copy of it is another one. */
  synchronized void home(long identity) {
    try {
      if (map.get(WORD, JournalHeader.HOME) != identity) {
        map.set(WORD, JournalHeader.HOME, identity);
      }
    } catch (InternalError e) {
      throw health.fail("writing to " + file, e);
    }
  }

  /** Whether others may name blocks of this conversation; asked with the store's lock held. */
  synchronized boolean forked() {
    try {
      return map.get(WORD, JournalHeader.FORKED) != 0;
    } catch (InternalError e) {
      throw health.fail("reading " + file, e);
    }
  }

  /** Where the records end. */
  synchronized long end() {
    return end;
  }

  /** Bytes appended since it was opened. */
  synchronized long bytesWritten() {
    return bytesWritten;
  }

  /**
   * Makes room for records, so that appending them cannot fail for want of space.
   *
   * @throws DiskFullException if there is none; nothing has changed
   */
  void reserve(long bytes) {
    synchronized (forcing) {
      synchronized (this) {
        if (end + bytes > map.byteSize()) {
          grow(bytes);
        }
      }
    }
  }

  /**
   * Appends a record; it is not forced.
   *
   * @throws DiskFullException if the journal had to grow and could not; nothing was appended
   */
  void append(JournalRecord record) {
    // A force under way holds the map, so growing has to wait for it; appending does not.
    if (!appended(record)) {
      synchronized (forcing) {
        synchronized (this) {
          grow(JournalScan.FRAME + payload.readRemaining());
        }
      }
      if (!appended(record)) {
        throw new IllegalStateException("%s did not grow".formatted(file));
      }
    }
  }

  private synchronized boolean appended(JournalRecord record) {
    health.check();
    int length = JournalRecord.payload(record, payload);
    if (end + JournalScan.FRAME + length > map.byteSize()) {
      return false;
    }
    byte[] bytes = JournalRecord.array(payload);
    int newCrc = JournalScan.crc(crc, bytes, 0, length);
    try {
      MemorySegment.copy(bytes, 0, map, ValueLayout.JAVA_BYTE, end + JournalScan.FRAME, length);
      map.set(INT, end + 4, newCrc);
      map.set(INT, end, length);
    } catch (InternalError e) {
      throw health.fail("writing to " + file, e);
    }
    crc = newCrc;
    end += JournalScan.FRAME + length;
    bytesWritten += JournalScan.FRAME + length;
    return true;
  }

  /** The size to which a journal of {@code size} bytes grows to hold {@code needed} bytes. */
  static long sizeFor(long size, long needed) {
    long bigger = size;
    while (bigger < needed) {
      bigger += Math.min(bigger, LARGEST_STEP);
    }
    return bigger;
  }

  private void grow(long needed) {
    health.check();
    long target = sizeFor(map.byteSize(), end + needed);
    try {
      Uninterrupted.call(() -> {
        BlockMemory.extendPreallocated(file, target);
        return null;
      });
      map(target);
    } catch (IOException e) {
      throw health.fail("growing " + file, e);
    }
  }

  /** Forces every record appended before the call, then lets readers see them. */
  void force() {
    synchronized (forcing) {
      MemorySegment dirty;
      long upTo;
      synchronized (this) {
        health.check();
        if (map == null || forced >= end) {
          return;
        }
        upTo = end;
        dirty = map.asSlice(forced, upTo - forced);
      }
      try {
        dirty.force();
      } catch (RuntimeException | InternalError e) {
        throw health.fail("forcing " + file, e);
      }
      synchronized (this) {
        forced = upTo;
        publish();
      }
    }
  }

  /** Called with both locks held. */
  private void publish() {
    try {
      PUBLISHED.setRelease(map, (long) JournalHeader.PUBLISHED, forced);
    } catch (InternalError e) {
      throw health.fail("writing to " + file, e);
    }
  }

  /** Lets go of the file; what was not forced is left to the operating system. */
  @Override
  public void close() {
    synchronized (forcing) {
      synchronized (this) {
        if (map != null) {
          map = null;
          arena.close();
          payload.releaseLast();
        }
      }
    }
  }
}
