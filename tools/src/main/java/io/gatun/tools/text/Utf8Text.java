package io.gatun.tools.text;

/**
 * Decodes UTF-8 byte by byte. Each longest beginning of a character that is no character becomes one
 * U+FFFD, as Unicode recommends and as the tokenizers library and Python do it. The JDK's decoder
 * gives another number of them for encoded surrogates, and that depends on where the bytes are cut.
 */
final class Utf8Text {
  private static final char BROKEN = '\uFFFD';

  private int code;
  private int missing;

  /** What the next byte of the character may be. */
  private int lowest;

  private int highest;

  /** Adds the text that these bytes complete. */
  void decode(byte[] bytes, StringBuilder text) {
    for (byte each : bytes) {
      int value = each & 0xff;
      if (missing > 0) {
        if (value >= lowest && value <= highest) {
          code = code << 6 | value & 0x3f;
          lowest = 0x80;
          highest = 0xbf;
          if (--missing == 0) {
            text.appendCodePoint(code);
          }
          continue;
        }
        missing = 0;
        text.append(BROKEN);
      }
      begin(value, text);
    }
  }

  private void begin(int value, StringBuilder text) {
    lowest = 0x80;
    highest = 0xbf;
    if (value < 0x80) {
      text.append((char) value);
    } else if (value >= 0xc2 && value <= 0xdf) {
      code = value & 0x1f;
      missing = 1;
    } else if (value >= 0xe0 && value <= 0xef) {
      code = value & 0x0f;
      missing = 2;
      lowest = value == 0xe0 ? 0xa0 : 0x80;
      highest = value == 0xed ? 0x9f : 0xbf;
    } else if (value >= 0xf0 && value <= 0xf4) {
      code = value & 0x07;
      missing = 3;
      lowest = value == 0xf0 ? 0x90 : 0x80;
      highest = value == 0xf4 ? 0x8f : 0xbf;
    } else {
      text.append(BROKEN);
    }
  }

  /** Adds what stands for a character that nothing completes any more. */
  void end(StringBuilder text) {
    if (missing > 0) {
      missing = 0;
      text.append(BROKEN);
    }
  }
}
