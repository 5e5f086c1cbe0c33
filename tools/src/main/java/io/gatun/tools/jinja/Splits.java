package io.gatun.tools.jinja;

import java.util.ArrayList;
import java.util.Collections;
import java.util.List;

/** Ways to cut a text. */
final class Splits {
  private Splits() {}

  /**
   * Parts of a text.
   *
   * @param separator null for any blanks
   * @param most cuts at most; negative for all
   */
  static List<Object> split(String text, String separator, long most, boolean fromEnd) {
    if (separator == null) {
      return fromEnd && most >= 0 ? wordsFromEnd(text, most) : words(text, most);
    }
    if (separator.isEmpty()) {
      throw new JinjaException("a text cannot be split at an empty text");
    }
    List<Object> parts = new ArrayList<>();
    if (fromEnd) {
      int to = text.length();
      for (long done = 0; most < 0 || done < most; done++) {
        int at = text.lastIndexOf(separator, to - separator.length());
        if (at < 0 || to < separator.length()) {
          break;
        }
        parts.add(text.substring(at + separator.length(), to));
        to = at;
      }
      parts.add(text.substring(0, to));
      Collections.reverse(parts);
      return parts;
    }
    int from = 0;
    for (long done = 0; most < 0 || done < most; done++) {
      int at = text.indexOf(separator, from);
      if (at < 0) {
        break;
      }
      parts.add(text.substring(from, at));
      from = at + separator.length();
    }
    parts.add(text.substring(from));
    return parts;
  }

  private static List<Object> words(String text, long most) {
    List<Object> words = new ArrayList<>();
    String rest = PyText.lstrip(text, null);
    while (!rest.isEmpty()) {
      if (most >= 0 && words.size() == most) {
        words.add(rest);
        return words;
      }
      int end = 0;
      while (end < rest.length() && !PyText.isSpace(rest.charAt(end))) {
        end++;
      }
      words.add(rest.substring(0, end));
      rest = PyText.lstrip(rest.substring(end), null);
    }
    return words;
  }

  private static List<Object> wordsFromEnd(String text, long most) {
    List<Object> words = new ArrayList<>();
    String rest = PyText.rstrip(text, null);
    while (!rest.isEmpty()) {
      if (words.size() == most) {
        words.add(rest);
        break;
      }
      int from = rest.length();
      while (from > 0 && !PyText.isSpace(rest.charAt(from - 1))) {
        from--;
      }
      words.add(rest.substring(from));
      rest = PyText.rstrip(rest.substring(0, from), null);
    }
    Collections.reverse(words);
    return words;
  }

  static List<Object> lines(String text, boolean keepEnds) {
    List<Object> lines = new ArrayList<>();
    int from = 0;
    for (int i = 0; i < text.length(); i++) {
      char c = text.charAt(i);
      boolean ends =
          c >= '\n' && c <= '\r'
              || c >= 0x1c && c <= 0x1e
              || c == 0x85
              || c == 0x2028
              || c == 0x2029;
      if (!ends) {
        continue;
      }
      int end = i + 1;
      if (c == '\r' && end < text.length() && text.charAt(end) == '\n') {
        end++;
      }
      lines.add(text.substring(from, keepEnds ? end : i));
      from = end;
      i = end - 1;
    }
    if (from < text.length()) {
      lines.add(text.substring(from));
    }
    return lines;
  }

  static Tuple partition(String text, String separator) {
    List<Object> parts = split(text, separator, 1, false);
    return parts.size() == 1
        ? Tuples.of(text, "", "")
        : Tuples.of(parts.getFirst(), separator, parts.getLast());
  }

  static Tuple rpartition(String text, String separator) {
    List<Object> parts = split(text, separator, 1, true);
    return parts.size() == 1
        ? Tuples.of("", "", text)
        : Tuples.of(parts.getFirst(), separator, parts.getLast());
  }
}
