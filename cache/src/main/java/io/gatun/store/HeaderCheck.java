package io.gatun.store;

import static java.nio.charset.StandardCharsets.US_ASCII;

import java.nio.ByteBuffer;
import java.nio.file.Path;
import java.util.Arrays;

/** What every header of the store's files has to satisfy, and what is said if it does not. */
final class HeaderCheck {
  private HeaderCheck() {}

  /** Checks magic, version, size and checksum of a header page. */
  static void check(
      Path file,
      String what,
      ByteBuffer page,
      byte[] magic,
      int version,
      int bytes,
      int crcAt,
      int crc) {
    byte[] found = new byte[magic.length];
    page.get(0, found);
    if (!Arrays.equals(found, magic)) {
      throw new DamageException(
          "%s is not %s: it does not begin with %s"
              .formatted(file, what, new String(magic, US_ASCII)));
    }
    int foundVersion = page.getInt(8);
    boolean sound = page.getInt(crcAt) == crc;
    if (sound && foundVersion > version) {
      throw new NewerFormatException(
          "%s has format version %d, this version of Gatun reads up to %d: use a newer Gatun"
              .formatted(file, foundVersion, version));
    }
    if (!sound || foundVersion < 1 || page.getInt(12) != bytes) {
      throw new DamageException(
          "%s: the header is damaged (checksum %08x, computed %08x; version %d; %d header bytes)"
              .formatted(file, page.getInt(crcAt), crc, foundVersion, page.getInt(12)));
    }
  }
}
