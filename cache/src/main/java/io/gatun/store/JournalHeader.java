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
 *      8  4  version, 1 to 3
 *     12  4  bytes of this header, 4096
 *     16  4  owner: the number under which this conversation's blocks lie
 *     20  4  flags, from version 3 on: 1 imported
 *     24  8  created, milliseconds since 1970
 *     32 28  layout of the blocks, see LayoutCodec
 *     60 32  fingerprint, with the layout
 *     92 32  zero
 *    124  4  CRC32C of bytes 0 to 123
 *    128     zero
 *   2048  8  published: end of the records that were committed; changes, outside the checksum
 *   2056  8  home: identity of this file; changes, outside the checksum; 0 for unknown
 *   2064  8  forked: not 0 once others may name this conversation's blocks; outside the checksum
 *   2072     zero, to 4096
 * </pre>
 *
 * <p>Version 3 also has records that older Gatuns do not know: stamps of files, and the next number.
 *
 * @param version of the journal; it stays the one that the journal was made with
 * @param owner the number under which this conversation's blocks lie, not 0
 * @param flags what is special about it, {@link #IMPORTED}
 * @param created milliseconds since 1970
 * @param fingerprint with the layout
 */
record JournalHeader(
    int version, int owner, int flags, long created, KvLayout layout, Fingerprint fingerprint) {
  /** Bytes of the header, and where records begin. */
  static final int BYTES = 4096;

  /** Where the published end stands. */
  static final int PUBLISHED = 2048;

  /** Where the identity of the file stands that this journal was written as, see FileStamp. */
  static final int HOME = 2056;

  /** Where it stands whether others may name this conversation's blocks. */
  static final int FORKED = 2064;

  /** The version of the journals that are made today. */
  static final int VERSION = 3;

  /** The rows came from outside and are not handed to other conversations. */
  static final int IMPORTED = 1;

  private static final int KNOWN_FLAGS = IMPORTED;

  /** The first version with flags, stamps of files and next numbers. */
  private static final int STAMPS = 3;

  /** The first version with token ids of 4 bytes. */
  private static final int PLAIN_IDS = 2;

  private static final byte[] MAGIC = "GATUNJNL".getBytes(US_ASCII);
  private static final int CRC = 124;

  /** The header of a journal that is made today. */
  JournalHeader(int owner, long created, KvLayout layout, Fingerprint fingerprint) {
    this(VERSION, owner, 0, created, layout, fingerprint);
  }

  /** The same with other flags. */
  JournalHeader withFlags(int newFlags) {
    return new JournalHeader(version, owner, newFlags, created, layout, fingerprint);
  }

  /** The same in the version that is made today. */
  JournalHeader today() {
    return new JournalHeader(VERSION, owner, flags, created, layout, fingerprint);
  }

  /** Whether the rows came from outside and are not handed to other conversations. */
  boolean imported() {
    return (flags & IMPORTED) != 0;
  }

  /** Whether the journal can hold stamps of files and next numbers. */
  boolean hasStamps() {
    return version >= STAMPS;
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
    page.put(0, MAGIC).putInt(8, version).putInt(12, BYTES).putInt(16, owner);
    page.putInt(20, flags).putLong(24, created);
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
    int flags = page.getInt(8) >= STAMPS ? page.getInt(20) : 0;
    if ((flags & ~KNOWN_FLAGS) != 0) {
      throw new NewerFormatException(
          "%s has flags 0x%x, this version of Gatun knows 0x%x: use a newer Gatun"
              .formatted(file, flags, KNOWN_FLAGS));
    }
    byte[] digest = new byte[Fingerprint.BYTES];
    page.get(60, digest);
    return new JournalHeader(
        page.getInt(8),
        page.getInt(16),
        flags,
        page.getLong(24),
        LayoutCodec.decode(page, 32, file),
        Fingerprint.of(digest));
  }

  /** Writes the published end into a page. */
  static void publish(byte[] page, long end) {
    word(page, PUBLISHED, end);
  }

  /** Writes a word that stands outside the checksum into a page. */
  static void word(byte[] page, int at, long value) {
    ByteBuffer.wrap(page).order(ByteOrder.LITTLE_ENDIAN).putLong(at, value);
  }

  /** A word of a page that stands outside the checksum. */
  static long word(byte[] bytes, int at) {
    return ByteBuffer.wrap(bytes).order(ByteOrder.LITTLE_ENDIAN).getLong(at);
  }

  /** The published end in a page; not checked, since records are. */
  static long published(byte[] bytes) {
    return word(bytes, PUBLISHED);
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
