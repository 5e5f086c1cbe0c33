package io.gatun.store;

import static java.nio.charset.StandardCharsets.US_ASCII;

import io.gatun.cache.KvLayout;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.file.Path;
import java.util.zip.CRC32C;

/**
 * The first page of a journal. Little-endian.
 *
 * <pre>
 *      0  8  magic "GATUNJNL"
 *      8  4  version, 1 or 2
 *     12  4  bytes of this header, 4096
 *     16  4  owner: the number under which this conversation's blocks lie
 *     20  4  zero
 *     24  8  created, milliseconds since 1970
 *     32 28  layout of the blocks, see LayoutCodec
 *     60 32  fingerprint, with the layout
 *     92 32  zero
 *    124  4  CRC32C of bytes 0 to 123
 *    128     zero
 *   2048  8  published: end of the records that were committed; changes, outside the checksum
 *   2056     zero, to 4096
 * </pre>
 *
 * @param version of the journal; it stays the one that the journal was made with
 * @param owner the number under which this conversation's blocks lie, not 0
 * @param created milliseconds since 1970
 * @param fingerprint with the layout
 */
record JournalHeader(
    int version, int owner, long created, KvLayout layout, Fingerprint fingerprint) {
  /** Bytes of the header, and where records begin. */
  static final int BYTES = 4096;

  /** Where the published end stands. */
  static final int PUBLISHED = 2048;

  /** The version of the journals that are made today. */
  static final int VERSION = 2;

  /** The first version with token ids of 4 bytes. */
  private static final int PLAIN_IDS = 2;

  private static final byte[] MAGIC = "GATUNJNL".getBytes(US_ASCII);
  private static final int CRC = 124;

  /** The header of a journal that is made today. */
  JournalHeader(int owner, long created, KvLayout layout, Fingerprint fingerprint) {
    this(VERSION, owner, created, layout, fingerprint);
  }

  /**
   * A record of token ids in the form that this journal has them in: a Gatun that reads its version
   * has to know all that is in it.
   */
  JournalRecord.Ids ids(int from, int[] ids, int at, int count) {
    int code = version >= PLAIN_IDS ? JournalRecord.Ids.PLAIN : JournalRecord.Ids.STOP_BIT;
    return new JournalRecord.Ids(code, from, ids, at, count);
  }

  /** The page, with nothing published. */
  byte[] encode() {
    ByteBuffer page = ByteBuffer.allocate(BYTES).order(ByteOrder.LITTLE_ENDIAN);
    page.put(0, MAGIC).putInt(8, version).putInt(12, BYTES).putInt(16, owner).putLong(24, created);
    LayoutCodec.encode(layout, page, 32);
    page.put(60, fingerprint.bytes());
    page.putInt(CRC, crc(page.array()));
    page.putLong(PUBLISHED, BYTES);
    return page.array();
  }

  /**
   * Reads a page, checking everything in it but the published end.
   *
   * @param file for messages
   */
  static JournalHeader decode(byte[] bytes, Path file) {
    ByteBuffer page = ByteBuffer.wrap(bytes).order(ByteOrder.LITTLE_ENDIAN);
    HeaderCheck.check(file, "a journal", page, MAGIC, VERSION, BYTES, CRC, crc(bytes));
    if (page.getInt(16) == 0) {
      throw new DamageException("%s: the owner number is 0".formatted(file));
    }
    byte[] digest = new byte[Fingerprint.BYTES];
    page.get(60, digest);
    return new JournalHeader(
        page.getInt(8),
        page.getInt(16),
        page.getLong(24),
        LayoutCodec.decode(page, 32, file),
        Fingerprint.of(digest));
  }

  /** Writes the published end into a page. */
  static void publish(byte[] page, long end) {
    ByteBuffer.wrap(page).order(ByteOrder.LITTLE_ENDIAN).putLong(PUBLISHED, end);
  }

  /** The published end in a page; not checked, since records are. */
  static long published(byte[] bytes) {
    return ByteBuffer.wrap(bytes).order(ByteOrder.LITTLE_ENDIAN).getLong(PUBLISHED);
  }

  /** The checksum that a page claims to have. */
  static int storedCrc(byte[] bytes) {
    return ByteBuffer.wrap(bytes).order(ByteOrder.LITTLE_ENDIAN).getInt(CRC);
  }

  /** Checksum of a page; the records' checksums go on from it. */
  static int crc(byte[] page) {
    CRC32C crc = new CRC32C();
    crc.update(page, 0, CRC);
    return (int) crc.getValue();
  }
}
