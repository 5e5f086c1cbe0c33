package io.gatun.tools.jinja;

/** The escapes in a quoted text, as Python's unicode-escape codec reads them. */
final class Escapes {
  private Escapes() {}

  static String decode(String written) {
    if (written.indexOf('\\') < 0) {
      return written;
    }
    StringBuilder text = new StringBuilder();
    for (int i = 0; i < written.length(); i++) {
      char c = written.charAt(i);
      if (c != '\\') {
        text.append(c);
        continue;
      }
      char kind = written.charAt(++i);
      switch (kind) {
        case '\n' -> {
          // A line break behind a backslash is none.
        }
        case '\\', '\'', '"' -> text.append(kind);
        case 'n' -> text.append('\n');
        case 't' -> text.append('\t');
        case 'r' -> text.append('\r');
        case 'a' -> text.append('\u0007');
        case 'b' -> text.append('\b');
        case 'f' -> text.append('\f');
        case 'v' -> text.append('\u000b');
        case 'x' -> i = hex(written, i, 2, text);
        case 'u' -> i = hex(written, i, 4, text);
        case 'U' -> i = hex(written, i, 8, text);
        case 'N' -> throw JinjaException.unsupported("characters by name, \\N{...}");
        case '0', '1', '2', '3', '4', '5', '6', '7' -> {
          int value = 0;
          int end = Math.min(written.length(), i + 3);
          while (i < end && written.charAt(i) >= '0' && written.charAt(i) <= '7') {
            value = 8 * value + written.charAt(i++) - '0';
          }
          i--;
          text.append((char) value);
        }
        default -> text.append('\\').append(kind);
      }
    }
    return text.toString();
  }

  /** Reads the digits behind {@code at}; the place of the last of them. */
  private static int hex(String written, int at, int digits, StringBuilder text) {
    int end = at + 1 + digits;
    try {
      if (end > written.length()) {
        throw new NumberFormatException();
      }
      text.appendCodePoint(Integer.parseUnsignedInt(written.substring(at + 1, end), 16));
    } catch (IllegalArgumentException e) {
      throw new JinjaException(
          "'\\%c' in a text needs %d hexadecimal digits behind it"
              .formatted(written.charAt(at), digits));
    }
    return end - 1;
  }
}
