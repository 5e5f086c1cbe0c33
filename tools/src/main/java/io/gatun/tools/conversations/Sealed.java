package io.gatun.tools.conversations;

import static java.nio.charset.StandardCharsets.US_ASCII;

import io.gatun.cache.GatunException;
import java.io.FilterOutputStream;
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.security.GeneralSecurityException;
import java.security.SecureRandom;
import java.util.Arrays;
import javax.crypto.AEADBadTagException;
import javax.crypto.Cipher;
import javax.crypto.SecretKeyFactory;
import javax.crypto.spec.GCMParameterSpec;
import javax.crypto.spec.PBEKeySpec;
import javax.crypto.spec.SecretKeySpec;

/**
 * A file sealed with a passphrase: AES-256-GCM over chunks, so that nothing unchecked is ever used
 * and memory stays bounded; the key from PBKDF2-HMAC-SHA-256 (RFC 8018). Little-endian.
 *
 * <pre>
 *    0  8  magic "GATUNSLD"
 *    8  4  version, 1
 *   12  4  iterations of PBKDF2
 *   16 16  salt
 *   32  7  first bytes of every nonce
 *   39  1  zero
 *   40  4  bytes of a chunk before sealing, 1,048,576; the last one may have fewer
 *   44 20  zero
 *   64     chunks, each followed by its tag of 16 bytes
 * </pre>
 *
 * The nonce of chunk i is the 7 bytes, i (4 bytes, big-endian), and 1 for the last chunk, else 0: a
 * chunk can be neither moved nor left out nor cut off (the STREAM construction of Hoang, Reyhanitabar,
 * Rogaway and Vizár, 2015). The header is authenticated with every chunk.
 */
final class Sealed {
  static final byte[] MAGIC = "GATUNSLD".getBytes(US_ASCII);
  static final int HEADER = 64;

  private static final int CHUNK = 1 << 20;
  private static final int TAG = 16;

  /** As OWASP advises for PBKDF2-HMAC-SHA-256. */
  private static final int ITERATIONS = 600_000;

  /** More than this only keeps a reader busy. */
  private static final int MOST_ITERATIONS = 20_000_000;

  private Sealed() {}

  /** Whether a file that begins with these bytes is sealed. */
  static boolean is(byte[] beginning) {
    return beginning.length >= MAGIC.length
        && Arrays.equals(beginning, 0, MAGIC.length, MAGIC, 0, MAGIC.length);
  }

  /** A stream that seals what is written to it; only closing it makes the file whole. */
  static OutputStream sealing(OutputStream out, char[] passphrase) throws IOException {
    SecureRandom random = new SecureRandom();
    byte[] header = new byte[HEADER];
    byte[] salt = new byte[16];
    byte[] nonce = new byte[7];
    random.nextBytes(salt);
    random.nextBytes(nonce);
    ByteBuffer.wrap(header)
        .order(ByteOrder.LITTLE_ENDIAN)
        .put(0, MAGIC)
        .putInt(8, 1)
        .putInt(12, ITERATIONS)
        .put(16, salt)
        .put(32, nonce)
        .putInt(40, CHUNK);
    out.write(header);
    Chunks chunks = new Chunks(header, passphrase);
    return new FilterOutputStream(out) {
      private final byte[] plain = new byte[CHUNK];
      private int filled;
      private boolean closed;

      @Override
      public void write(int value) throws IOException {
        write(new byte[] {(byte) value}, 0, 1);
      }

      @Override
      public void write(byte[] bytes, int from, int count) throws IOException {
        for (int done = 0; done < count; ) {
          if (filled == CHUNK) {
            out.write(chunks.next(Cipher.ENCRYPT_MODE, plain, CHUNK, false));
            filled = 0;
          }
          int step = Math.min(CHUNK - filled, count - done);
          System.arraycopy(bytes, from + done, plain, filled, step);
          filled += step;
          done += step;
        }
      }

      @Override
      public void close() throws IOException {
        if (!closed) {
          closed = true;
          out.write(chunks.next(Cipher.ENCRYPT_MODE, plain, filled, true));
          super.close();
        }
      }
    };
  }

  /**
   * Writes the opened contents of a sealed file.
   *
   * @throws GatunException if the passphrase is wrong or the file is damaged
   */
  static void open(InputStream in, OutputStream out, char[] passphrase) throws IOException {
    byte[] header = in.readNBytes(HEADER);
    if (header.length < HEADER || !is(header)) {
      throw new GatunException("the file is not sealed, or its header is cut off");
    }
    ByteBuffer fields = ByteBuffer.wrap(header).order(ByteOrder.LITTLE_ENDIAN);
    int iterations = fields.getInt(12);
    if (fields.getInt(8) != 1
        || fields.getInt(40) != CHUNK
        || iterations < 1
        || iterations > MOST_ITERATIONS) {
      throw new GatunException(
          "the sealed file has version %d, %d iterations and chunks of %d bytes; this Gatun opens version 1, up to %d iterations and chunks of %d"
              .formatted(fields.getInt(8), iterations, fields.getInt(40), MOST_ITERATIONS, CHUNK));
    }
    Chunks chunks = new Chunks(header, passphrase);
    byte[] chunk = in.readNBytes(CHUNK + TAG);
    while (true) {
      byte[] following = chunk.length == CHUNK + TAG ? in.readNBytes(CHUNK + TAG) : new byte[0];
      boolean last = following.length == 0;
      out.write(chunks.next(Cipher.DECRYPT_MODE, chunk, chunk.length, last));
      if (last) {
        return;
      }
      chunk = following;
    }
  }

  /** Seals or opens chunk after chunk. */
  private static final class Chunks {
    private final byte[] header;
    private final SecretKeySpec key;
    private int index;

    Chunks(byte[] header, char[] passphrase) {
      this.header = header;
      ByteBuffer fields = ByteBuffer.wrap(header).order(ByteOrder.LITTLE_ENDIAN);
      byte[] salt = Arrays.copyOfRange(header, 16, 32);
      try {
        PBEKeySpec spec = new PBEKeySpec(passphrase, salt, fields.getInt(12), 256);
        byte[] bytes =
            SecretKeyFactory.getInstance("PBKDF2WithHmacSHA256").generateSecret(spec).getEncoded();
        spec.clearPassword();
        this.key = new SecretKeySpec(bytes, "AES");
        Arrays.fill(bytes, (byte) 0);
      } catch (GeneralSecurityException e) {
        throw new IllegalStateException("this Java platform has no PBKDF2WithHmacSHA256", e);
      }
    }

    byte[] next(int mode, byte[] bytes, int count, boolean last) {
      byte[] nonce = new byte[12];
      System.arraycopy(header, 32, nonce, 0, 7);
      ByteBuffer.wrap(nonce).putInt(7, index).put(11, (byte) (last ? 1 : 0));
      index = Math.incrementExact(index);
      try {
        Cipher cipher = Cipher.getInstance("AES/GCM/NoPadding");
        cipher.init(mode, key, new GCMParameterSpec(8 * TAG, nonce));
        cipher.updateAAD(header);
        return cipher.doFinal(bytes, 0, count);
      } catch (AEADBadTagException e) {
        throw new GatunException("the passphrase is wrong, or the sealed file is damaged", e);
      } catch (GeneralSecurityException e) {
        throw new GatunException("the sealed file cannot be opened: " + e.getMessage(), e);
      }
    }
  }
}
