package io.gatun.tools.jinja;

import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Set;
import java.util.function.IntPredicate;

/** Methods of texts. */
final class StringMethods {
  private static final Set<String> UNSUPPORTED =
      Set.of(
          "casefold",
          "encode",
          "expandtabs",
          "format",
          "format_map",
          "isascii",
          "isdecimal",
          "isidentifier",
          "isnumeric",
          "isprintable",
          "istitle",
          "maketrans",
          "swapcase",
          "translate");

  private StringMethods() {}

  /** A method by name; null if texts have none. */
  static Callable get(String text, String name) {
    if (UNSUPPORTED.contains(name)) {
      throw JinjaException.unsupported("the method '%s' of a text".formatted(name));
    }
    return switch (name) {
      case "strip" -> a -> PyText.lstrip(PyText.rstrip(text, chars(a, name)), chars(a, name));
      case "lstrip" -> a -> PyText.lstrip(text, chars(a, name));
      case "rstrip" -> a -> PyText.rstrip(text, chars(a, name));
      case "upper" -> a -> none(a, name, text.toUpperCase(Locale.ROOT));
      case "lower" -> a -> none(a, name, text.toLowerCase(Locale.ROOT));
      case "capitalize" -> a -> none(a, name, capitalize(text));
      case "title" -> a -> none(a, name, title(text));
      case "startswith", "endswith" -> a -> affix(text, name, a);
      case "removeprefix" ->
          a -> {
            String prefix = string(a.positional(name, 1)[0], name);
            return text.startsWith(prefix) ? text.substring(prefix.length()) : text;
          };
      case "removesuffix" ->
          a -> {
            String suffix = string(a.positional(name, 1)[0], name);
            return text.endsWith(suffix)
                ? text.substring(0, text.length() - suffix.length())
                : text;
          };
      case "replace" ->
          a -> {
            Object[] given = a.positional(name, 2, -1L);
            return replace(
                text, string(given[0], name), string(given[1], name), PyOps.integer(given[2]));
          };
      case "split", "rsplit" ->
          a -> {
            Object[] given = a.bind(name, 0, new String[] {"sep", "maxsplit"}, null, -1L);
            String separator = given[0] == null ? null : string(given[0], name);
            return Splits.split(text, separator, PyOps.integer(given[1]), name.equals("rsplit"));
          };
      case "splitlines" ->
          a -> {
            Object[] given = a.bind(name, 0, new String[] {"keepends"}, false);
            return Splits.lines(text, PyOps.truth(given[0]));
          };
      case "partition" -> a -> Splits.partition(text, string(a.positional(name, 1)[0], name));
      case "rpartition" -> a -> Splits.rpartition(text, string(a.positional(name, 1)[0], name));
      case "join" -> a -> join(text, a.positional(name, 1)[0]);
      case "find", "rfind", "index", "rindex" -> a -> find(text, name, a);
      case "count" -> a -> count(text, string(a.positional(name, 1)[0], name));
      case "isdigit" -> a -> none(a, name, all(text, StringMethods::isDigit));
      case "isalpha" -> a -> none(a, name, all(text, Character::isLetter));
      case "isalnum" -> a -> none(a, name, all(text, Character::isLetterOrDigit));
      case "isspace" -> a -> none(a, name, all(text, PyText::isSpace));
      case "islower" -> a -> none(a, name, isCased(text, true));
      case "isupper" -> a -> none(a, name, isCased(text, false));
      case "center", "ljust", "rjust" -> a -> justify(text, name, a);
      case "zfill" -> a -> zfill(text, PyOps.integer(a.positional(name, 1)[0]));
      default -> null;
    };
  }

  private static Object none(Arguments arguments, String name, Object result) {
    arguments.positional(name, 0);
    return result;
  }

  private static String chars(Arguments arguments, String name) {
    Object chars = arguments.positional(name, 0, (Object) null)[0];
    return chars == null ? null : string(chars, name);
  }

  private static String string(Object value, String method) {
    if (value instanceof String text) {
      return text;
    }
    if (value instanceof Undefined undefined) {
      throw new JinjaException("%s needs a text: %s".formatted(method, undefined.message()));
    }
    throw new JinjaException("%s needs a text, not a %s".formatted(method, PyText.typeName(value)));
  }

  static String capitalize(String text) {
    if (text.isEmpty()) {
      return text;
    }
    int first = text.offsetByCodePoints(0, 1);
    return title(text.substring(0, first)) + text.substring(first).toLowerCase(Locale.ROOT);
  }

  private static String title(String text) {
    StringBuilder title = new StringBuilder();
    boolean behindLetter = false;
    for (Object character : PyOps.characters(text)) {
      String one = (String) character;
      int c = one.codePointAt(0);
      boolean cased =
          Character.isUpperCase(c) || Character.isLowerCase(c) || Character.isTitleCase(c);
      title.append(
          behindLetter
              ? one.toLowerCase(Locale.ROOT)
              : Character.toTitleCase(c) == c
                  ? one.toUpperCase(Locale.ROOT)
                  : Character.toString(Character.toTitleCase(c)));
      behindLetter = cased;
    }
    return title.toString();
  }

  private static boolean affix(String text, String name, Arguments arguments) {
    Object[] given = arguments.positional(name, 1, null, null);
    String part = text;
    if (given[1] != null || given[2] != null) {
      part = (String) Slices.slice(text, given[1], given[2], null);
    }
    List<Object> affixes = given[0] instanceof Tuple tuple ? tuple.items() : List.of(given[0]);
    for (Object affix : affixes) {
      String one = string(affix, name);
      if (name.equals("startswith") ? part.startsWith(one) : part.endsWith(one)) {
        return true;
      }
    }
    return false;
  }

  static String replace(String text, String old, String with, long times) {
    if (times < 0) {
      return old.isEmpty() ? betweenAll(text, with, Long.MAX_VALUE) : text.replace(old, with);
    }
    if (old.isEmpty()) {
      return betweenAll(text, with, times);
    }
    StringBuilder replaced = new StringBuilder();
    int from = 0;
    for (long done = 0; done < times; done++) {
      int at = text.indexOf(old, from);
      if (at < 0) {
        break;
      }
      replaced.append(text, from, at).append(with);
      from = at + old.length();
    }
    return replaced.append(text.substring(from)).toString();
  }

  private static String betweenAll(String text, String with, long times) {
    StringBuilder all = new StringBuilder();
    long done = 0;
    for (Object character : PyOps.characters(text)) {
      all.append(done++ < times ? with : "").append(character);
    }
    return all.append(done < times ? with : "").toString();
  }

  private static String join(String separator, Object items) {
    List<String> texts = new ArrayList<>();
    for (Object item : PyOps.list(items)) {
      texts.add(string(item, "join"));
    }
    return String.join(separator, texts);
  }

  private static Object find(String text, String name, Arguments arguments) {
    Object[] given = arguments.positional(name, 1, 0L);
    String wanted = string(given[0], name);
    long from = PyOps.integer(given[1]);
    if (from < 0 || name.startsWith("r") && from != 0) {
      throw JinjaException.unsupported("'%s' with this place to start".formatted(name));
    }
    int length = text.codePointCount(0, text.length());
    int at = -1;
    if (from <= length) {
      int start = text.offsetByCodePoints(0, (int) from);
      at = name.startsWith("r") ? text.lastIndexOf(wanted) : text.indexOf(wanted, start);
    }
    if (at < 0 && name.endsWith("index")) {
      throw new JinjaException("%s is not in the text".formatted(PyText.repr(wanted)));
    }
    return at < 0 ? -1L : (long) text.codePointCount(0, at);
  }

  private static long count(String text, String wanted) {
    if (wanted.isEmpty()) {
      return text.codePointCount(0, text.length()) + 1L;
    }
    long count = 0;
    for (int at = text.indexOf(wanted); at >= 0; at = text.indexOf(wanted, at + wanted.length())) {
      count++;
    }
    return count;
  }

  private static boolean all(String text, IntPredicate holds) {
    return !text.isEmpty() && text.codePoints().allMatch(holds);
  }

  private static boolean isDigit(int c) {
    return Character.isDigit(c) || "²³¹⁰⁴⁵⁶⁷⁸⁹₀₁₂₃₄₅₆₇₈₉".indexOf(c) >= 0;
  }

  static boolean isCased(String text, boolean lower) {
    boolean any = false;
    for (int c : text.codePoints().toArray()) {
      boolean isLower = Character.isLowerCase(c);
      boolean isUpper = Character.isUpperCase(c) || Character.isTitleCase(c);
      if (lower ? isUpper : isLower) {
        return false;
      }
      any |= lower ? isLower : isUpper;
    }
    return any;
  }

  private static String justify(String text, String name, Arguments arguments) {
    Object[] given = arguments.positional(name, 1, " ");
    return justified(text, name, PyOps.integer(given[0]), string(given[1], name));
  }

  static String justified(String text, String how, long width, String fill) {
    int missing = (int) Math.max(0, width - text.codePointCount(0, text.length()));
    int left =
        switch (how) {
          case "ljust" -> 0;
          case "rjust" -> missing;
          // Python puts the odd one left where the width is odd too.
          default -> missing / 2 + (int) (missing & width & 1);
        };
    return fill.repeat(left) + text + fill.repeat(missing - left);
  }

  private static String zfill(String text, long width) {
    boolean signed = text.startsWith("-") || text.startsWith("+");
    String sign = signed ? text.substring(0, 1) : "";
    String digits = text.substring(sign.length());
    return sign + justified(digits, "rjust", width - sign.length(), "0");
  }
}
