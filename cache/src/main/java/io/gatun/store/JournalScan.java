package io.gatun.store;

import java.io.IOException;
import java.io.RandomAccessFile;
import java.util.zip.CRC32C;
import net.openhft.chronicle.bytes.Bytes;

/**
 * Reads the records of a journal with plain reads, up to the first that does not check. Memory is
 * bounded by the largest record, whatever the file claims. One thread.
 *
 * <p>A record on disk, its checksum chained to the one before, so that no stale record behind a cut
 * can be taken for a new one:
 *
 * <pre>
 *   0  4  bytes of the payload, at least 1; 0 where the journal ends
 *   4  4  CRC32C of: checksum before (4), bytes of the payload (4), payload
 *   8     payload: record type (1), then its fields
 * </pre>
 */
final class JournalScan {
  /** Bytes of a record in front of its payload. */
  static final int FRAME = 8;

  /** No payload is larger. */
  static final int LARGEST = 16 << 20;

  private final RandomAccessFile file;
  private final long limit;
  private long end;
  private int crc;
  private String stopped;

  /** The bytes of the file at {@code [bufferStart, bufferStart + buffered)}. */
  private byte[] buffer = new byte[1 << 16];

  private long bufferStart;
  private int buffered;

  /**
   * A scan of the records in {@code [from, limit)}.
   *
   * @param crcBefore checksum of the record before {@code from}, or of the header
   */
  JournalScan(RandomAccessFile file, long from, int crcBefore, long limit) throws IOException {
    this.file = file;
    this.limit = Math.min(limit, file.length());
    this.end = from;
    this.crc = crcBefore;
  }

  /** Where the records that checked end. */
  long end() {
    return end;
  }

  /** Checksum of the last record that checked. */
  int crc() {
    return crc;
  }

  /** Why the record at {@link #end} was not taken; null if the journal ends there. */
  String stopped() {
    return stopped;
  }

  /** Applies every record that checks to the state. */
  void applyTo(JournalState state) throws IOException {
    while (stopped == null && limit - end > FRAME) {
      if (!fill(end, FRAME)) {
        return;
      }
      int length = getInt(end);
      if (length == 0) {
        return;
      }
      int expected = getInt(end + 4);
      if (length < 1 || length > LARGEST || length > limit - end - FRAME) {
        stopped = "a record of %d bytes cannot stand there".formatted(length);
      } else if (!fill(end + FRAME, length)) {
        stopped = "the file ended while it was read";
      } else {
        take(state, length, expected);
      }
    }
  }

  private void take(JournalState state, int length, int expected) {
    int at = (int) (end + FRAME - bufferStart);
    int computed = crc(crc, buffer, at, length);
    if (computed != expected) {
      stopped = "checksum %08x, computed %08x".formatted(expected, computed);
      return;
    }
    try {
      state.apply(decode(buffer, at, length));
    } catch (RuntimeException e) {
      // Also what Chronicle throws on numbers that do not end. The checksum fits, so this was
      // written so: by a fault, or by somebody else. Either way the journal ends before it.
      stopped = "the record makes no sense: " + e.getMessage();
      return;
    }
    crc = computed;
    end += FRAME + length;
  }

  private static JournalRecord decode(byte[] payload, int at, int length) {
    Bytes<byte[]> in = Bytes.wrapForRead(payload);
    in.readPositionRemaining(at, length);
    JournalRecord record = JournalRecord.ofCode(in.readUnsignedByte());
    record.readMarshallable(in);
    if (in.readRemaining() != 0) {
      throw new IllegalStateException(in.readRemaining() + " bytes are left over");
    }
    return record;
  }

  /** Checksum of a record behind one with the checksum {@code before}. */
  static int crc(int before, byte[] payload, int at, int length) {
    CRC32C crc = new CRC32C();
    crc.update(littleEndian(before));
    crc.update(littleEndian(length));
    crc.update(payload, at, length);
    return (int) crc.getValue();
  }

  private static byte[] littleEndian(int value) {
    return new byte[] {
      (byte) value, (byte) (value >>> 8), (byte) (value >>> 16), (byte) (value >>> 24)
    };
  }

  private int getInt(long position) {
    int at = (int) (position - bufferStart);
    return (buffer[at] & 0xff)
        | (buffer[at + 1] & 0xff) << 8
        | (buffer[at + 2] & 0xff) << 16
        | (buffer[at + 3] & 0xff) << 24;
  }

  /** Sees to it that these bytes, and those of the frame before them, are in the buffer. */
  private boolean fill(long position, int bytes) throws IOException {
    if (position >= bufferStart && position + bytes <= bufferStart + buffered) {
      return true;
    }
    if (buffer.length < bytes) {
      buffer = new byte[Math.max(bytes, Math.min(2 * buffer.length, LARGEST))];
    }
    bufferStart = position;
    buffered = 0;
    file.seek(position);
    while (buffered < buffer.length) {
      int read = file.read(buffer, buffered, buffer.length - buffered);
      if (read < 0) {
        break;
      }
      buffered += read;
    }
    return buffered >= bytes;
  }
}
