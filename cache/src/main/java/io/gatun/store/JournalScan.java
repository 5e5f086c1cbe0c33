package io.gatun.store;

import java.io.IOException;
import java.io.RandomAccessFile;
import java.util.zip.CRC32C;

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

  /** Most journals are short: what is read at once grows with the records. */
  private static final int FIRST_BUFFER = 1 << 13;

  private static final int LATER_BUFFER = 1 << 16;

  /** No payload is larger. */
  static final int LARGEST = 16 << 20;

  private final RandomAccessFile file;
  private long limit;
  private long end;
  private int crc;
  private String stopped;

  /** The bytes of the file at {@code [bufferStart, bufferStart + buffered)}. */
  private byte[] buffer;

  private final PayloadReader in = new PayloadReader();

  /** What most records are: one object for all of them. */
  private final JournalRecord.Ids ids = new JournalRecord.Ids(JournalRecord.Ids.PLAIN);

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
    this.buffer = new byte[FIRST_BUFFER];
    this.end = from;
    this.crc = crcBefore;
  }

  /** Whether a record may stand behind the limit. */
  boolean more() throws IOException {
    return stopped == null
        && file.length() - end > FRAME
        && limit <= end + FRAME
        && fill(end, FRAME)
        && getInt(end) != 0;
  }

  /** Takes what follows in too, up to the end of the file. */
  void goOn() throws IOException {
    limit = file.length();
    stopped = null;
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
    ids.countOnly = !state.keepsIds();
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
      state.apply(decode(state, at, length));
    } catch (HeapTooSmallException e) {
      throw e;
    } catch (RuntimeException e) {
      // Also what Chronicle throws on numbers that do not end. The checksum fits, so this was
      // written so: by a fault, or by somebody else. Either way the journal ends before it.
      stopped = "the record makes no sense: " + e.getMessage();
      return;
    }
    crc = computed;
    end += FRAME + length;
  }

  private JournalRecord decode(JournalState state, int at, int length) {
    in.take(buffer, at, length);
    int code = in.readByte();
    JournalRecord record = code == ids.code ? ids : JournalRecord.ofCode(code);
    record.read(in, state.tokens().count(), state.blockTokens());
    if (in.remaining() != 0) {
      throw new IllegalStateException(in.remaining() + " bytes are left over");
    }
    return record;
  }

  /** Checksum of a record behind one with the checksum {@code before}. */
  static int crc(int before, byte[] payload, int at, int length) {
    CRC32C crc = new CRC32C();
    crc.update(
        new byte[] {
          (byte) before,
          (byte) (before >>> 8),
          (byte) (before >>> 16),
          (byte) (before >>> 24),
          (byte) length,
          (byte) (length >>> 8),
          (byte) (length >>> 16),
          (byte) (length >>> 24)
        });
    crc.update(payload, at, length);
    return (int) crc.getValue();
  }

  private int getInt(long position) {
    in.take(buffer, (int) (position - bufferStart), Integer.BYTES);
    return in.readInt();
  }

  /** Sees to it that these bytes, and those of the frame before them, are in the buffer. */
  private boolean fill(long position, int bytes) throws IOException {
    if (position >= bufferStart && position + bytes <= bufferStart + buffered) {
      return true;
    }
    if (buffer.length < bytes) {
      buffer = new byte[Math.max(bytes, Math.min(2 * buffer.length, LARGEST))];
    } else if (bufferStart > 0 && buffer.length < LATER_BUFFER) {
      buffer = new byte[LATER_BUFFER];
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
