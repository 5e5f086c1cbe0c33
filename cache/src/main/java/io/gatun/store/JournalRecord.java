package io.gatun.store;

import io.gatun.cache.GatunException;
import java.util.ArrayList;
import java.util.List;
import net.openhft.chronicle.bytes.Bytes;
import net.openhft.chronicle.bytes.BytesIn;
import net.openhft.chronicle.bytes.BytesMarshallable;
import net.openhft.chronicle.bytes.BytesOut;

/**
 * What a journal records. Numbers are stop-bit encoded (seven bits a byte, lowest first, the high
 * bit set on all but the last byte) unless said otherwise; see cache/FORMAT.md.
 *
 * <p>Design note: reading checks ranges but trusts nothing further; {@link JournalState} decides
 * whether a record makes sense where it stands.
 */
sealed interface JournalRecord extends BytesMarshallable {
  /** The byte that a record's payload begins with. */
  int code();

  /** An empty record of this code, to be read into. */
  static JournalRecord ofCode(int code) {
    return switch (code) {
      case Ids.CODE -> new Ids();
      case Rows.CODE -> new Rows();
      case Mark.OPENED -> new Mark(Mark.OPENED);
      case Mark.CLOSED -> new Mark(Mark.CLOSED);
      default -> throw new GatunException("record type %d is not known".formatted(code));
    };
  }

  /** The payload of a record: its type, then its fields; {@code buffer} is overwritten. */
  static byte[] payload(JournalRecord record, Bytes<byte[]> buffer) {
    buffer.clear();
    buffer.writeUnsignedByte(record.code());
    record.writeMarshallable(buffer);
    byte[] payload = buffer.toByteArray();
    if (payload.length > JournalScan.LARGEST) {
      throw new IllegalStateException(
          "a record of %,d bytes; %,d is the largest"
              .formatted(payload.length, JournalScan.LARGEST));
    }
    return payload;
  }

  /**
   * Token ids: the sequence is cut at {@code from} and goes on with these.
   *
   * <pre>
   *   from | count | id * count
   * </pre>
   */
  final class Ids implements JournalRecord {
    static final int CODE = 1;

    /** More ids than this go into several records, so that no record is large. */
    static final int MOST = 16_384;

    /** The most bytes that a record takes beside its ids: type, position and count. */
    static final int MOST_BESIDE_IDS = 11;

    int from;
    int[] ids = {};
    int at;
    int count;

    Ids() {}

    Ids(int from, int[] ids, int at, int count) {
      this.from = from;
      this.ids = ids;
      this.at = at;
      this.count = count;
    }

    @Override
    public int code() {
      return CODE;
    }

    @Override
    public void writeMarshallable(BytesOut<?> out) {
      out.writeStopBit(from);
      out.writeStopBit(count);
      byte[] bytes = new byte[5 * count];
      out.write(bytes, 0, StopBits.encode(ids, at, count, bytes));
    }

    @Override
    public void readMarshallable(BytesIn<?> in) {
      from = readCount(in, "position", Integer.MAX_VALUE - 8);
      count = readCount(in, "number of token ids", MOST);
      at = 0;
      byte[] bytes = new byte[(int) in.readRemaining()];
      in.read(bytes);
      ids = StopBits.decode(bytes, count);
    }
  }

  /**
   * A commit: which blocks hold the K/V rows. The first {@code keptRuns} runs stay as they are, the
   * rest are given anew. A run that stays in its block and place keeps the first {@code keptPieces}
   * of its checksums.
   *
   * <pre>
   *   time | keptRuns | openTail | runs | run * runs
   *   run:   block (8 bytes, little-endian) | tokens | keptPieces | pieces | piece * pieces
   *   piece: rows | CRC32C (4 bytes, little-endian)
   * </pre>
   */
  final class Rows implements JournalRecord {
    static final int CODE = 2;

    long time;
    int keptRuns;
    boolean openTail;
    final List<RunChange> runs = new ArrayList<>();

    /** The most bytes that this record's payload can take. */
    long mostBytes() {
      long bytes = 1 + 10 + 3 * 10;
      for (RunChange run : runs) {
        bytes += 8 + 3 * 5 + 9L * run.pieceRows().length;
      }
      return bytes;
    }

    @Override
    public int code() {
      return CODE;
    }

    @Override
    public void writeMarshallable(BytesOut<?> out) {
      out.writeStopBit(time);
      out.writeStopBit(keptRuns);
      out.writeStopBit(openTail ? 1 : 0);
      out.writeStopBit(runs.size());
      for (RunChange run : runs) {
        writeLong(out, run.block());
        out.writeStopBit(run.tokens());
        out.writeStopBit(run.keptPieces());
        out.writeStopBit(run.pieceRows().length);
        for (int i = 0; i < run.pieceRows().length; i++) {
          out.writeStopBit(run.pieceRows()[i]);
          writeInt(out, run.crcs()[i]);
        }
      }
    }

    @Override
    public void readMarshallable(BytesIn<?> in) {
      time = in.readStopBit();
      keptRuns = readCount(in, "number of kept runs", Integer.MAX_VALUE);
      openTail = readCount(in, "open tail", 1) == 1;
      int count = readCount(in, "number of runs", in.readRemaining());
      runs.clear();
      for (int i = 0; i < count; i++) {
        long block = readLong(in);
        int tokens = readCount(in, "tokens of a run", Integer.MAX_VALUE);
        int keptPieces = readCount(in, "number of kept checksums", Integer.MAX_VALUE);
        int pieces = readCount(in, "number of checksums", in.readRemaining());
        int[] rows = new int[pieces];
        int[] crcs = new int[pieces];
        for (int piece = 0; piece < pieces; piece++) {
          rows[piece] = readCount(in, "rows of a checksum", Integer.MAX_VALUE);
          crcs[piece] = readInt(in);
        }
        runs.add(new RunChange(block, tokens, keptPieces, rows, crcs));
      }
    }
  }

  /**
   * One run of a {@link Rows} record.
   *
   * @param pieceRows rows that each new checksum covers, behind the kept ones
   */
  record RunChange(long block, int tokens, int keptPieces, int[] pieceRows, int[] crcs) {}

  /**
   * A writer came or went. A journal that does not end with {@link #CLOSED} was not closed.
   *
   * <pre>
   *   time
   * </pre>
   */
  final class Mark implements JournalRecord {
    static final int OPENED = 3;
    static final int CLOSED = 4;

    final int code;
    long time;

    Mark(int code) {
      this.code = code;
    }

    Mark(int code, long time) {
      this.code = code;
      this.time = time;
    }

    @Override
    public int code() {
      return code;
    }

    @Override
    public void writeMarshallable(BytesOut<?> out) {
      out.writeStopBit(time);
    }

    @Override
    public void readMarshallable(BytesIn<?> in) {
      time = in.readStopBit();
    }
  }

  private static int readCount(BytesIn<?> in, String what, long most) {
    long value = in.readStopBit();
    if (value < 0 || value > most) {
      throw new GatunException("%s is %d, not in 0 to %d".formatted(what, value, most));
    }
    return (int) value;
  }

  // Chronicle writes numbers in the machine's order; the format is little-endian.

  private static void writeLong(BytesOut<?> out, long value) {
    for (int shift = 0; shift < 64; shift += 8) {
      out.writeUnsignedByte((int) (value >>> shift) & 0xff);
    }
  }

  private static long readLong(BytesIn<?> in) {
    long value = 0;
    for (int shift = 0; shift < 64; shift += 8) {
      value |= (long) readByte(in) << shift;
    }
    return value;
  }

  private static void writeInt(BytesOut<?> out, int value) {
    for (int shift = 0; shift < 32; shift += 8) {
      out.writeUnsignedByte((value >>> shift) & 0xff);
    }
  }

  private static int readInt(BytesIn<?> in) {
    int value = 0;
    for (int shift = 0; shift < 32; shift += 8) {
      value |= readByte(in) << shift;
    }
    return value;
  }

  private static int readByte(BytesIn<?> in) {
    if (in.readRemaining() < 1) {
      throw new GatunException("the record ends in the middle of a number");
    }
    return in.readUnsignedByte();
  }
}
