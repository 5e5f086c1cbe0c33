package io.gatun.tools.jinja;

import java.math.BigDecimal;
import java.util.List;
import java.util.Map;

/** Texts of values, and blanks, as Python has them. */
final class PyText {
  private PyText() {}

  /** What {@code str()} gives, and what printing shows. */
  static String str(Object value) {
    return switch (value) {
      case String text -> text;
      case Undefined _ -> "";
      case Markup markup -> markup.text();
      case null, default -> repr(value);
    };
  }

  /** What {@code repr()} gives. */
  static String repr(Object value) {
    return switch (value) {
      case null -> "None";
      case Boolean flag -> flag ? "True" : "False";
      case Long number -> number.toString();
      case Double number -> number(number);
      case String text -> quoted(text);
      case Undefined _ -> "Undefined";
      case List<?> list -> "[" + joined(list) + "]";
      case Tuple tuple -> "(" + joined(tuple.items()) + (tuple.items().size() == 1 ? ",)" : ")");
      case Map<?, ?> map -> map(map);
      case DictView view -> view.kind() + "([" + joined(view.list()) + "])";
      case Range range ->
          range.step() == 1
              ? "range(%d, %d)".formatted(range.start(), range.stop())
              : "range(%d, %d, %d)".formatted(range.start(), range.stop(), range.step());
      case Namespace namespace -> "<Namespace " + map(namespace.attributes()) + ">";
      default -> throw JinjaException.unsupported("printing a %s".formatted(typeName(value)));
    };
  }

  private static String joined(List<?> items) {
    return String.join(", ", items.stream().map(PyText::repr).toList());
  }

  private static String map(Map<?, ?> map) {
    StringBuilder text = new StringBuilder("{");
    map.forEach((key, value) -> {
      text.append(text.length() > 1 ? ", " : "");
      text.append(repr(key)).append(": ").append(repr(value));
    });
    return text.append('}').toString();
  }

  private static String quoted(String text) {
    char quote = text.indexOf('\'') >= 0 && text.indexOf('"') < 0 ? '"' : '\'';
    StringBuilder quoted = new StringBuilder().append(quote);
    text.codePoints()
        .forEach(c -> {
          switch (c) {
            case '\\' -> quoted.append("\\\\");
            case '\n' -> quoted.append("\\n");
            case '\r' -> quoted.append("\\r");
            case '\t' -> quoted.append("\\t");
            default -> {
              if (c == quote) {
                quoted.append('\\').append(quote);
              } else if (isPrintable(c)) {
                quoted.appendCodePoint(c);
              } else {
                String form = c < 0x100 ? "\\x%02x" : c < 0x10000 ? "\\u%04x" : "\\U%08x";
                quoted.append(form.formatted(c));
              }
            }
          }
        });
    return quoted.append(quote).toString();
  }

  private static boolean isPrintable(int c) {
    if (c < 0x7f) {
      return c >= ' ';
    }
    return switch (Character.getType(c)) {
      case Character.CONTROL,
          Character.FORMAT,
          Character.SURROGATE,
          Character.PRIVATE_USE,
          Character.UNASSIGNED,
          Character.LINE_SEPARATOR,
          Character.PARAGRAPH_SEPARATOR,
          Character.SPACE_SEPARATOR ->
          false;
      default -> true;
    };
  }

  /** The shortest decimal number that is this double. */
  static String number(double value) {
    if (Double.isNaN(value)) {
      return "nan";
    }
    if (Double.isInfinite(value)) {
      return value > 0 ? "inf" : "-inf";
    }
    if (value == 0) {
      return 1 / value < 0 ? "-0.0" : "0.0";
    }
    BigDecimal shortest = new BigDecimal(Double.toString(value)).stripTrailingZeros();
    int exponent = shortest.precision() - shortest.scale() - 1;
    if (exponent >= -4 && exponent < 16) {
      String plain = shortest.toPlainString();
      return plain.indexOf('.') < 0 ? plain + ".0" : plain;
    }
    String digits = shortest.unscaledValue().abs().toString();
    return (value < 0 ? "-" : "")
        + digits.charAt(0)
        + (digits.length() > 1 ? "." + digits.substring(1) : "")
        + "e%s%02d".formatted(exponent < 0 ? "-" : "+", Math.abs(exponent));
  }

  /** The name of a value's type, for messages. */
  static String typeName(Object value) {
    return switch (value) {
      case null -> "None";
      case Boolean _ -> "bool";
      case Long _ -> "int";
      case Double _ -> "float";
      case String _ -> "str";
      case List<?> _ -> "list";
      case Tuple _ -> "tuple";
      case Map<?, ?> _ -> "dict";
      case Undefined _ -> "undefined value";
      case Range _ -> "range";
      case DictView view -> view.kind();
      case Lazy lazy -> lazy.kind();
      case Markup _ -> "text marked as safe";
      case Namespace _ -> "namespace";
      case LoopContext _ -> "loop";
      default -> "function";
    };
  }

  /** Whether Python's {@code str.isspace()} holds for a character. */
  static boolean isSpace(int c) {
    return switch (c) {
      case '\t', '\n', 0x0b, 0x0c, '\r', 0x1c, 0x1d, 0x1e, 0x1f, ' ', 0x85, 0xa0, 0x1680 -> true;
      case 0x2028, 0x2029, 0x202f, 0x205f, 0x3000 -> true;
      default -> c >= 0x2000 && c <= 0x200a;
    };
  }

  private static boolean goes(int c, String characters) {
    return characters == null ? isSpace(c) : characters.indexOf(c) >= 0;
  }

  /** Without these characters, or blanks if null, at the beginning. */
  static String lstrip(String text, String characters) {
    int from = 0;
    while (from < text.length() && goes(text.codePointAt(from), characters)) {
      from += Character.charCount(text.codePointAt(from));
    }
    return text.substring(from);
  }

  /** Without these characters, or blanks if null, at the end. */
  static String rstrip(String text, String characters) {
    int to = text.length();
    while (to > 0 && goes(text.codePointBefore(to), characters)) {
      to -= Character.charCount(text.codePointBefore(to));
    }
    return text.substring(0, to);
  }
}
