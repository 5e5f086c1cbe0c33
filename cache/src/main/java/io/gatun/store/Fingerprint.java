package io.gatun.store;

import io.gatun.cache.KvLayout;
import io.gatun.cache.KvShape;
import java.nio.charset.StandardCharsets;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.HexFormat;

/**
 * A digest over everything that makes K/V rows mean something: computed from another model, another
 * configuration or in another form, the same bytes are noise.
 *
 * <p>The caller digests weights and configuration ({@link #of}); the store adds the form that the
 * rows have on disk ({@link #with}). A conversation is only opened with an equal fingerprint.
 *
 * @param hex 64 lower-case hexadecimal digits
 */
public record Fingerprint(String hex) {
  /** Bytes of a fingerprint. */
  public static final int BYTES = 32;

  /** Raised when the meaning of stored rows changes, whatever the version of the files is. */
  private static final int ROW_FORM = 1;

  /** Checks the digits. */
  public Fingerprint {
    if (!hex.matches("[0-9a-f]{64}")) {
      throw new IllegalArgumentException(
          "a fingerprint is 64 lower-case hexadecimal digits, not '%s'".formatted(hex));
    }
  }

  /**
   * The fingerprint over texts, for instance a configuration and digests of weight files. Their
   * borders count: ("ab", "c") and ("a", "bc") differ.
   */
  public static Fingerprint of(String... parts) {
    MessageDigest digest = sha256();
    for (String part : parts) {
      byte[] bytes = part.getBytes(StandardCharsets.UTF_8);
      digest.update((bytes.length + ":").getBytes(StandardCharsets.UTF_8));
      digest.update(bytes);
    }
    return of(digest.digest());
  }

  /** The fingerprint that is this digest, of 32 bytes. */
  public static Fingerprint of(byte[] digest) {
    return new Fingerprint(HexFormat.of().formatHex(digest));
  }

  /** This fingerprint together with element types, shape and the form of stored rows. */
  public Fingerprint with(KvLayout layout) {
    KvShape shape = layout.shape();
    return of(
        "gatun rows " + ROW_FORM,
        hex,
        "keys " + layout.keyType().label() + ", values " + layout.valueType().label(),
        "layers " + shape.layers() + ", KV heads " + shape.kvHeads(),
        "key dims " + shape.keyDim() + ", value dims " + shape.valueDim(),
        "values in keys " + shape.valuesInKeys());
  }

  /** The digest. */
  public byte[] bytes() {
    return HexFormat.of().parseHex(hex);
  }

  /** The first 12 digits, for tables. */
  public String brief() {
    return hex.substring(0, 12);
  }

  @Override
  public String toString() {
    return hex;
  }

  static MessageDigest sha256() {
    try {
      return MessageDigest.getInstance("SHA-256");
    } catch (NoSuchAlgorithmException e) {
      throw new IllegalStateException("every Java platform has SHA-256", e);
    }
  }
}
