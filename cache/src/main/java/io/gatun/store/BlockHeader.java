package io.gatun.store;

import static java.nio.charset.StandardCharsets.US_ASCII;

import io.gatun.cache.KvLayout;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.file.Path;
import java.util.zip.CRC32C;

/**
 * The first page of a block file; the keys begin at 4096, the values behind them. Little-endian.
 *
 * <pre>
 *      0  8  magic "GATUNBLK"
 *      8  4  version, 1
 *     12  4  bytes of this header, 4096
 *     16  8  id: owner number in the upper 32 bits, number of the file in the lower
 *     24  8  zero
 *     32 28  layout, see LayoutCodec
 *     60 32  fingerprint, with the layout
 *     92 32  zero
 *    124  4  CRC32C of bytes 0 to 123
 *    128     zero
 *   2048  8  shared rows, and their complement in the upper 32 bits; changes, outside the checksum
 *   2056     zero, to 4096
 * </pre>
 */
record BlockHeader(long id, KvLayout layout, Fingerprint fingerprint) {
  /** Bytes of the header, and where the keys begin. */
  static final int BYTES = 4096;

  /** Where the shared rows stand. */
  static final int SHARED = 2048;

  static final int VERSION = 1;

  private static final byte[] MAGIC = "GATUNBLK".getBytes(US_ASCII);
  private static final int CRC = 124;

  /** The page, with nothing shared. */
  byte[] encode() {
    ByteBuffer page = ByteBuffer.allocate(BYTES).order(ByteOrder.LITTLE_ENDIAN);
    page.put(0, MAGIC).putInt(8, VERSION).putInt(12, BYTES).putLong(16, id);
    LayoutCodec.encode(layout, page, 32);
    page.put(60, fingerprint.bytes());
    page.putInt(CRC, crc(page.array()));
    page.putLong(SHARED, sharedWord(0));
    return page.array();
  }

  /** Reads a page, checking everything in it but the shared rows. */
  static BlockHeader decode(byte[] bytes, Path file) {
    ByteBuffer page = ByteBuffer.wrap(bytes).order(ByteOrder.LITTLE_ENDIAN);
    HeaderCheck.check(file, "a block file", page, MAGIC, VERSION, BYTES, CRC, crc(bytes));
    byte[] digest = new byte[Fingerprint.BYTES];
    page.get(60, digest);
    return new BlockHeader(
        page.getLong(16), LayoutCodec.decode(page, 32, file), Fingerprint.of(digest));
  }

  /** Refuses a block that is not the one that a journal means. */
  void require(BlockHeader expected, Path file) {
    if (!equals(expected)) {
      throw new DamageException(
          "%s holds block %016x, %s, fingerprint %s; expected was block %016x, %s, fingerprint %s"
              .formatted(
                  file,
                  id,
                  layout,
                  fingerprint,
                  expected.id,
                  expected.layout,
                  expected.fingerprint));
    }
  }

  /** How the rows that other conversations were promised are written down. */
  static long sharedWord(int rows) {
    return (long) ~rows << 32 | rows;
  }

  /** The rows that others were promised; all of them if the word is damaged. */
  static int sharedRows(long word, int blockTokens) {
    int rows = (int) word;
    boolean sound = (int) (word >>> 32) == ~rows && rows >= 0 && rows <= blockTokens;
    return sound ? rows : blockTokens;
  }

  private static int crc(byte[] page) {
    CRC32C crc = new CRC32C();
    crc.update(page, 0, CRC);
    return (int) crc.getValue();
  }
}
