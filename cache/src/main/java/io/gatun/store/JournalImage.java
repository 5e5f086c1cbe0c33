package io.gatun.store;

import io.gatun.cache.BlockMemory;
import io.gatun.cache.DiskFullException;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.channels.FileChannel;
import java.nio.file.LinkOption;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import net.openhft.chronicle.bytes.Bytes;

/**
 * A whole journal put together on the heap, for a conversation that is being made: one write and
 * one force, however many records. The bytes are those that a {@link Journal} would have written.
 * One thread.
 */
final class JournalImage {
  private final Bytes<byte[]> payload = Bytes.allocateElasticOnHeap(1 << 10);
  private final byte[] header;
  private ByteBuffer records;
  private int crc;
  private final boolean hasWords;

  /** An image without records. */
  JournalImage(JournalHeader header) {
    this(header, 1 << 12);
  }

  /**
   * An image without records.
   *
   * @param expected bytes that they will take, about
   */
  JournalImage(JournalHeader header, int expected) {
    this.header = header.encode();
    this.crc = JournalHeader.crc(this.header);
    this.hasWords = header.hasStamps();
    this.records = ByteBuffer.allocate(expected).order(ByteOrder.LITTLE_ENDIAN);
  }

  /** Says that others may name blocks of this conversation. */
  void forked(boolean forked) {
    if (hasWords) {
      JournalHeader.word(header, JournalHeader.FORKED, forked ? 1 : 0);
    }
  }

  /** Adds a record behind the others. */
  void append(JournalRecord record) {
    int length = JournalRecord.payload(record, payload);
    byte[] bytes = JournalRecord.array(payload);
    crc = JournalScan.crc(crc, bytes, 0, length);
    if (records.remaining() < JournalScan.FRAME + length) {
      int needed = Math.addExact(records.position(), JournalScan.FRAME + length);
      ByteBuffer larger =
          ByteBuffer.allocate((int) Math.min(Integer.MAX_VALUE - 8, 2L * needed))
              .order(ByteOrder.LITTLE_ENDIAN);
      records = larger.put(records.flip());
    }
    records.putInt(length).putInt(crc).put(bytes, 0, length);
  }

  /**
   * Makes the file, preallocated as a journal is, writes everything, and forces it. Its name is the
   * caller's to force.
   *
   * @throws DiskFullException if the disk has no room; nothing is left
   */
  void write(Path file) throws IOException {
    long end = JournalHeader.BYTES + (long) records.position();
    JournalHeader.publish(header, end);
    Uninterrupted.call(() -> {
      BlockMemory.createPreallocated(file, Journal.sizeFor(Journal.SMALLEST, end));
      return null;
    });
    if (hasWords) {
      JournalHeader.word(header, JournalHeader.HOME, FileStamp.identity(file));
    }
    ByteBuffer[] parts = {ByteBuffer.wrap(header), records.duplicate().flip()};
    Uninterrupted.call(() -> {
      try (FileChannel channel =
          FileChannel.open(file, LinkOption.NOFOLLOW_LINKS, StandardOpenOption.WRITE)) {
        long at = 0;
        for (ByteBuffer part : parts) {
          part.rewind();
          while (part.hasRemaining()) {
            at += channel.write(part, at);
          }
        }
        channel.force(true);
      }
      return null;
    });
  }
}
