package io.gatun.tools.jinja;

import java.time.LocalDateTime;
import java.time.format.DateTimeFormatter;
import java.util.Locale;

/** Python's strftime in the C locale. */
final class Strftime {
  private Strftime() {}

  static String format(LocalDateTime time, String format) {
    StringBuilder text = new StringBuilder();
    for (int i = 0; i < format.length(); i++) {
      char c = format.charAt(i);
      if (c != '%' || i + 1 == format.length()) {
        text.append(c);
        continue;
      }
      char kind = format.charAt(++i);
      boolean plain = kind == '-' && i + 1 < format.length();
      if (plain) {
        kind = format.charAt(++i);
      }
      String part = kind == '%' ? "%" : time.format(pattern(kind));
      text.append(plain ? part.replaceFirst("^0+(?=\\d)", "") : part);
    }
    return text.toString();
  }

  private static DateTimeFormatter pattern(char kind) {
    String pattern =
        switch (kind) {
          case 'd' -> "dd";
          case 'm' -> "MM";
          case 'Y' -> "uuuu";
          case 'y' -> "uu";
          case 'B' -> "MMMM";
          case 'b', 'h' -> "MMM";
          case 'A' -> "EEEE";
          case 'a' -> "EEE";
          case 'H' -> "HH";
          case 'I' -> "hh";
          case 'M' -> "mm";
          case 'S' -> "ss";
          case 'p' -> "a";
          case 'j' -> "DDD";
          case 'F' -> "uuuu-MM-dd";
          case 'T' -> "HH:mm:ss";
          case 'D' -> "MM/dd/uu";
          case 'R' -> "HH:mm";
          default -> throw JinjaException.unsupported("the date format '%%%c'".formatted(kind));
        };
    return DateTimeFormatter.ofPattern(pattern, Locale.US);
  }
}
