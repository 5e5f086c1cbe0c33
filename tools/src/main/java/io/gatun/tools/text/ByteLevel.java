package io.gatun.tools.text;

import java.nio.charset.StandardCharsets;
import java.util.Arrays;

/**
 * GPT-2's spelling of bytes as printable characters: itself if it is a visible Latin-1 character,
 * else one from 256 on.
 */
final class ByteLevel {
  private static final char[] CHARACTERS = new char[256];

  /** The byte that a character stands for; -1 if none. */
  private static final short[] BYTES = new short[512];

  static {
    Arrays.fill(BYTES, (short) -1);
    int others = 0;
    for (int value = 0; value < 256; value++) {
      CHARACTERS[value] = isVisible(value) ? (char) value : (char) (256 + others++);
      BYTES[CHARACTERS[value]] = (short) value;
    }
  }

  private ByteLevel() {}

  private static boolean isVisible(int value) {
    return (value >= '!' && value <= '~')
        || (value >= 0xa1 && value <= 0xac)
        || (value >= 0xae && value <= 0xff);
  }

  static char character(int value) {
    return CHARACTERS[value];
  }

  /** The bytes that a token spells; one that spells none stands for itself. */
  static byte[] bytes(String token) {
    byte[] bytes = new byte[token.length()];
    for (int i = 0; i < bytes.length; i++) {
      char c = token.charAt(i);
      short value = c < BYTES.length ? BYTES[c] : -1;
      if (value < 0) {
        return token.getBytes(StandardCharsets.UTF_8);
      }
      bytes[i] = (byte) value;
    }
    return bytes;
  }
}
