package io.gatun.store;

import io.gatun.cache.GatunException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import net.openhft.chronicle.bytes.Bytes;
import net.openhft.chronicle.bytes.BytesOut;

/**
 * What a journal records. Numbers are stop-bit encoded (seven bits a byte, lowest first, the high
 * bit set on all but the last byte) unless said otherwise; see cache/FORMAT.md.
 *
 * <p>Design note: reading checks ranges but trusts nothing further; {@link JournalState} decides
 * whether a record makes sense where it stands.
 */
sealed interface JournalRecord {
  /** Whether the machine's byte order is that of the format. */
  boolean LITTLE_ENDIAN = ByteOrder.nativeOrder() == ByteOrder.LITTLE_ENDIAN;

  /** The byte that a record's payload begins with. */
  int code();

  /** Writes the fields. */
  void write(BytesOut<?> out);

  /**
   * Reads the fields.
   *
   * @param known token ids known before this record: no record names more rows than there are ids
   * @param blockTokens rows of a block: no run has more checksums
   * @throws GatunException if they make no sense by themselves
   */
  void read(PayloadReader in, int known, int blockTokens);

  /** An empty record of this code, to be read into. */
  static JournalRecord ofCode(int code) {
    return switch (code) {
      case Ids.STOP_BIT, Ids.PLAIN -> new Ids(code);
      case Rows.CODE -> new Rows();
      case Mark.OPENED -> new Mark(Mark.OPENED);
      case Mark.CLOSED -> new Mark(Mark.CLOSED);
      case Stamps.CODE -> new Stamps();
      case NextNumber.CODE -> new NextNumber();
      default -> throw new GatunException("record type %d is not known".formatted(code));
    };
  }

  /**
   * Writes the payload of a record, its type and its fields, over what {@code buffer} holds.
   *
   * @return its bytes, which stand at the front of {@link #array}
   */
  static int payload(JournalRecord record, Bytes<byte[]> buffer) {
    buffer.clear();
    buffer.writeUnsignedByte(record.code());
    record.write(buffer);
    long bytes = buffer.readRemaining();
    if (bytes > JournalScan.LARGEST) {
      throw new IllegalStateException(
          "a record of %,d bytes; %,d is the largest".formatted(bytes, JournalScan.LARGEST));
    }
    return (int) bytes;
  }

  /** The array behind a buffer, until it grows. */
  static byte[] array(Bytes<byte[]> buffer) {
    return buffer.bytesStore().underlyingObject();
  }

  /**
   * Token ids: the sequence is cut at {@code from} and goes on with these.
   *
   * <pre>
   *   from | count | id * count       stop-bit ids, in journals of version 1
   *   from | count | id * count       ids of 4 bytes, little-endian, from version 2 on
   * </pre>
   *
   * <p>Design note: a conversation is opened by a process that has just started. Stop-bit ids are
   * decoded one by one, interpreted at first: 131,072 of them took longer than everything else there
   * is to do. Ids of 4 bytes are copied.
   */
  final class Ids implements JournalRecord {
    static final int STOP_BIT = 1;
    static final int PLAIN = 5;

    /** More ids than this go into several records, so that no record is large. */
    static final int MOST = 16_384;

    /** The most bytes that a record takes beside its ids: type, position and count. */
    static final int MOST_BESIDE_IDS = 11;

    /** The most bytes of an id, in either form. */
    static final int MOST_OF_AN_ID = 5;

    final int code;
    int from;
    int[] ids = {};
    int at;
    int count;

    /** Whether reading leaves the ids out and takes their count. */
    boolean countOnly;

    Ids(int code) {
      this.code = code;
    }

    /** To be made by {@link JournalHeader#ids}, which knows the journal's form. */
    Ids(int code, int from, int[] ids, int at, int count) {
      this.code = code;
      this.from = from;
      this.ids = ids;
      this.at = at;
      this.count = count;
    }

    @Override
    public int code() {
      return code;
    }

    @Override
    public void write(BytesOut<?> out) {
      out.writeStopBit(from);
      out.writeStopBit(count);
      if (code == PLAIN) {
        byte[] bytes = new byte[Integer.BYTES * count];
        ByteBuffer.wrap(bytes).order(ByteOrder.LITTLE_ENDIAN).asIntBuffer().put(ids, at, count);
        out.write(bytes);
      } else {
        byte[] bytes = new byte[MOST_OF_AN_ID * count];
        out.write(bytes, 0, StopBits.encode(ids, at, count, bytes));
      }
    }

    @Override
    public void read(PayloadReader in, int known, int blockTokens) {
      from = in.readCount("position", Integer.MAX_VALUE - 8);
      count = in.readCount("number of token ids", MOST);
      at = 0;
      if (code == STOP_BIT) {
        ids = StopBits.decode(in.readRest(), count);
        return;
      }
      if (countOnly) {
        in.skipInts(count);
        return;
      }
      if (ids.length < count) {
        ids = new int[count];
      }
      in.readInts(ids, count);
      int all = 0;
      for (int i = 0; i < count; i++) {
        all |= ids[i];
      }
      if (all < 0) {
        throw new GatunException("one of %d token ids is negative".formatted(count));
      }
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

    /** The fewest bytes of a run: block, tokens, kept pieces, pieces. */
    private static final int LEAST_OF_A_RUN = 11;

    /** The fewest bytes of a piece: rows, checksum. */
    private static final int LEAST_OF_A_PIECE = 5;

    /** What a run takes on the heap while its record is applied, about. */
    private static final long HEAP_OF_A_RUN = 250;

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
    public void write(BytesOut<?> out) {
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
    public void read(PayloadReader in, int known, int blockTokens) {
      time = in.readStopBit();
      keptRuns = in.readCount("number of kept runs", Integer.MAX_VALUE);
      openTail = in.readCount("open tail", 1) == 1;
      int count = in.readCount("number of runs", Math.min(known, in.remaining() / LEAST_OF_A_RUN));
      HeapTooSmallException.check("a commit of %,d runs".formatted(count), HEAP_OF_A_RUN * count);
      runs.clear();
      for (int i = 0; i < count; i++) {
        long block = in.readLong();
        int tokens = in.readCount("tokens of a run", Integer.MAX_VALUE);
        int keptPieces = in.readCount("number of kept checksums", Integer.MAX_VALUE);
        int pieces =
            in.readCount(
                "number of checksums", Math.min(blockTokens, in.remaining() / LEAST_OF_A_PIECE));
        int[] rows = new int[pieces];
        int[] crcs = new int[pieces];
        for (int piece = 0; piece < pieces; piece++) {
          rows[piece] = in.readCount("rows of a checksum", Integer.MAX_VALUE);
          crcs[piece] = in.readInt();
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
    public void write(BytesOut<?> out) {
      out.writeStopBit(time);
    }

    @Override
    public void read(PayloadReader in, int known, int blockTokens) {
      time = in.readStopBit();
    }
  }

  /**
   * What the files of blocks looked like when their rows were known to be those of the journal, see
   * {@link FileStamp}. From version 3 on.
   *
   * <pre>
   *   count | (block (8 bytes) | stamp (8 bytes), little-endian) * count
   * </pre>
   */
  final class Stamps implements JournalRecord {
    static final int CODE = 6;

    /** More stamps than this go into several records. */
    static final int MOST = 4096;

    private static final int BYTES_OF_ONE = 2 * Long.BYTES;

    final Map<Long, Long> stamps;

    Stamps() {
      this(new LinkedHashMap<>());
    }

    Stamps(Map<Long, Long> stamps) {
      this.stamps = stamps;
    }

    /** The most bytes that this record's payload can take. */
    static long mostBytes(int count) {
      return 1 + 5 + (long) BYTES_OF_ONE * count;
    }

    @Override
    public int code() {
      return CODE;
    }

    @Override
    public void write(BytesOut<?> out) {
      out.writeStopBit(stamps.size());
      stamps.forEach((block, stamp) -> {
        writeLong(out, block);
        writeLong(out, stamp);
      });
    }

    @Override
    public void read(PayloadReader in, int known, int blockTokens) {
      int count = in.readCount("number of stamps", in.remaining() / BYTES_OF_ONE);
      for (int i = 0; i < count; i++) {
        stamps.put(in.readLong(), in.readLong());
      }
    }
  }

  /**
   * The conversation's next block gets this number or a higher one: it stands for names of blocks
   * that a rewritten journal no longer has. From version 3 on.
   *
   * <pre>
   *   number
   * </pre>
   */
  final class NextNumber implements JournalRecord {
    static final int CODE = 7;

    int number;

    NextNumber() {}

    NextNumber(int number) {
      this.number = number;
    }

    @Override
    public int code() {
      return CODE;
    }

    @Override
    public void write(BytesOut<?> out) {
      out.writeStopBit(number);
    }

    @Override
    public void read(PayloadReader in, int known, int blockTokens) {
      number = in.readCount("next number", Integer.MAX_VALUE);
    }
  }

  // Chronicle writes numbers in the machine's order; the format is little-endian.

  private static void writeLong(BytesOut<?> out, long value) {
    out.writeLong(LITTLE_ENDIAN ? value : Long.reverseBytes(value));
  }

  private static void writeInt(BytesOut<?> out, int value) {
    out.writeInt(LITTLE_ENDIAN ? value : Integer.reverseBytes(value));
  }
}
