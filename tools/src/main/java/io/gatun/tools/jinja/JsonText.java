package io.gatun.tools.jinja;

import java.util.ArrayList;
import java.util.Iterator;
import java.util.List;
import java.util.Map;

/** The filter {@code tojson} of chat templates: Python's json.dumps, without HTML escapes. */
final class JsonText {
  private final boolean ascii;
  private final String indent;
  private final String between;
  private final String behindKey;
  private final boolean sorted;

  private JsonText(boolean ascii, String indent, String between, String behindKey, boolean sorted) {
    this.ascii = ascii;
    this.indent = indent;
    this.between = between;
    this.behindKey = behindKey;
    this.sorted = sorted;
  }

  static Object filter(Object value, Arguments arguments) {
    Object[] given =
        arguments.bind(
            "tojson",
            0,
            new String[] {"ensure_ascii", "indent", "separators", "sort_keys"},
            false,
            null,
            null,
            false);
    String indent =
        switch (given[1]) {
          case null -> null;
          case String text -> text;
          default -> " ".repeat((int) Math.max(0, PyOps.integer(given[1])));
        };
    String between = indent == null ? ", " : ",";
    String behindKey = ": ";
    if (given[2] != null) {
      List<Object> separators = PyOps.list(given[2]);
      if (separators.size() != 2) {
        throw new JinjaException("the separators of tojson are two texts");
      }
      between = PyText.str(separators.getFirst());
      behindKey = PyText.str(separators.getLast());
    }
    StringBuilder text = new StringBuilder();
    new JsonText(PyOps.truth(given[0]), indent, between, behindKey, PyOps.truth(given[3]))
        .write(value, 0, text);
    return text.toString();
  }

  private void write(Object value, int depth, StringBuilder text) {
    switch (value) {
      case null -> text.append("null");
      case Boolean flag -> text.append(flag ? "true" : "false");
      case Long number -> text.append(number);
      case Double number -> text.append(number(number));
      case String string -> quote(string, text);
      case Markup markup -> quote(markup.text(), text);
      case List<?> list -> array(list, depth, text);
      case Tuple tuple -> array(tuple.items(), depth, text);
      case Map<?, ?> map -> object(map, depth, text);
      default ->
          throw new JinjaException("tojson cannot write a %s".formatted(PyText.typeName(value)));
    }
  }

  private static String number(double value) {
    if (Double.isNaN(value)) {
      return "NaN";
    }
    return Double.isInfinite(value) ? value > 0 ? "Infinity" : "-Infinity" : PyText.number(value);
  }

  private void line(int depth, StringBuilder text) {
    if (indent != null) {
      text.append('\n').append(indent.repeat(depth));
    }
  }

  private void array(List<?> items, int depth, StringBuilder text) {
    text.append('[');
    for (int i = 0; i < items.size(); i++) {
      text.append(i == 0 ? "" : between);
      line(depth + 1, text);
      write(items.get(i), depth + 1, text);
    }
    if (!items.isEmpty()) {
      line(depth, text);
    }
    text.append(']');
  }

  private void object(Map<?, ?> map, int depth, StringBuilder text) {
    List<Object> keys = new ArrayList<>(map.keySet());
    if (sorted) {
      keys.sort(PyOps::order);
    }
    text.append('{');
    Iterator<Object> each = keys.iterator();
    while (each.hasNext()) {
      Object key = each.next();
      line(depth + 1, text);
      if (key instanceof String name) {
        quote(name, text);
      } else if (key == null || PyOps.isNumber(key)) {
        text.append('"');
        write(key, depth, text);
        text.append('"');
      } else {
        throw new JinjaException(
            "tojson cannot write a %s as a key".formatted(PyText.typeName(key)));
      }
      text.append(behindKey);
      write(map.get(key), depth + 1, text);
      text.append(each.hasNext() ? between : "");
    }
    if (!map.isEmpty()) {
      line(depth, text);
    }
    text.append('}');
  }

  private void quote(String string, StringBuilder text) {
    text.append('"');
    for (int i = 0; i < string.length(); i++) {
      char c = string.charAt(i);
      switch (c) {
        case '"' -> text.append("\\\"");
        case '\\' -> text.append("\\\\");
        case '\n' -> text.append("\\n");
        case '\r' -> text.append("\\r");
        case '\t' -> text.append("\\t");
        case '\f' -> text.append("\\f");
        case '\b' -> text.append("\\b");
        default -> {
          if (c < ' ' || ascii && c > '~') {
            text.append("\\u%04x".formatted((int) c));
          } else {
            text.append(c);
          }
        }
      }
    }
    text.append('"');
  }
}
