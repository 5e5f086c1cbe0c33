package io.gatun.tools.jinja;

import java.util.ArrayList;
import java.util.List;

/** Elements and slices of sequences, negative places counted from the end. */
final class Slices {
  private Slices() {}

  /** Characters of a text by their place among its code points. */
  static String of(String text, int from, int to) {
    int length = text.codePointCount(0, text.length());
    int begin = Math.clamp(from, 0, length);
    int end = Math.clamp(to, begin, length);
    return text.substring(text.offsetByCodePoints(0, begin), text.offsetByCodePoints(0, end));
  }

  /** The slice of a sequence; null if the value is none. */
  static Object slice(Object value, Object from, Object to, Object step) {
    return switch (value) {
      case String text ->
          String.join(
              "",
              part(PyOps.characters(text), from, to, step).stream()
                  .map(String.class::cast)
                  .toList());
      case List<?> list -> part(new ArrayList<>(list), from, to, step);
      case Tuple tuple -> Tuples.of(part(tuple.items(), from, to, step));
      case Range _ -> throw JinjaException.unsupported("slices of a range");
      case null, default -> null;
    };
  }

  private static List<Object> part(List<Object> items, Object from, Object to, Object step) {
    int size = items.size();
    long by = step == null ? 1 : index(step);
    if (by == 0) {
      throw new JinjaException("the step of a slice is 0");
    }
    long lowest = by > 0 ? 0 : -1;
    long highest = by > 0 ? size : size - 1;
    long first = from == null ? (by > 0 ? 0 : size - 1) : bound(index(from), size, lowest, highest);
    long last = to == null ? (by > 0 ? size : -1) : bound(index(to), size, lowest, highest);
    List<Object> part = new ArrayList<>();
    for (long i = first; by > 0 ? i < last : i > last; i += by) {
      part.add(items.get((int) i));
    }
    return part;
  }

  private static long bound(long index, int size, long lowest, long highest) {
    return Math.clamp(index < 0 ? index + size : index, lowest, highest);
  }

  private static long index(Object value) {
    if (value instanceof Undefined undefined) {
      throw new JinjaException("a slice needs whole numbers: " + undefined.message());
    }
    if (!(value instanceof Long) && !(value instanceof Boolean)) {
      throw new JinjaException(
          "a slice needs whole numbers, not a %s".formatted(PyText.typeName(value)));
    }
    return PyOps.integer(value);
  }
}
