package io.gatun.tools.jinja;

import java.util.ArrayList;
import java.util.Iterator;
import java.util.List;
import java.util.Map;
import java.util.Objects;

/** Truth, equality, order and membership, as Python has them. */
final class PyOps {
  private PyOps() {}

  static boolean truth(Object value) {
    return switch (value) {
      case null -> false;
      case Boolean flag -> flag;
      case Long number -> number != 0;
      case Double number -> number != 0;
      case String text -> !text.isEmpty();
      case List<?> list -> !list.isEmpty();
      case Tuple tuple -> !tuple.items().isEmpty();
      case Map<?, ?> map -> !map.isEmpty();
      case Undefined _ -> false;
      case DictView view -> !view.map().isEmpty();
      case Range range -> range.size() > 0;
      case Markup markup -> !markup.text().isEmpty();
      case LoopContext loop -> loop.length() > 0;
      default -> true;
    };
  }

  static boolean isNumber(Object value) {
    return value instanceof Long || value instanceof Double || value instanceof Boolean;
  }

  /** A bool or an int as a long. */
  static long integer(Object value) {
    return value instanceof Boolean flag ? (flag ? 1 : 0) : (Long) value;
  }

  static double real(Object value) {
    return value instanceof Double number ? number : (double) integer(value);
  }

  static boolean equal(Object a, Object b) {
    requireNoMarkup(a);
    requireNoMarkup(b);
    if (isNumber(a) && isNumber(b)) {
      if (a instanceof Double || b instanceof Double) {
        return real(a) == real(b);
      }
      return integer(a) == integer(b);
    }
    return switch (a) {
      case null -> b == null;
      case List<?> list -> b instanceof List<?> other && equalItems(list, other);
      case Tuple tuple -> b instanceof Tuple other && equalItems(tuple.items(), other.items());
      case Map<?, ?> map -> b instanceof Map<?, ?> other && equalMaps(map, other);
      case Undefined _ -> b instanceof Undefined;
      case Range range -> b instanceof Range other && range.list().equals(other.list());
      case DictView _ -> throw JinjaException.unsupported("comparing a dictionary's view");
      default -> b != null && Objects.equals(a, b);
    };
  }

  private static boolean equalItems(List<?> a, List<?> b) {
    if (a.size() != b.size()) {
      return false;
    }
    for (int i = 0; i < a.size(); i++) {
      if (!equal(a.get(i), b.get(i))) {
        return false;
      }
    }
    return true;
  }

  private static boolean equalMaps(Map<?, ?> a, Map<?, ?> b) {
    if (a.size() != b.size()) {
      return false;
    }
    for (Map.Entry<?, ?> entry : a.entrySet()) {
      if (!b.containsKey(entry.getKey()) || !equal(entry.getValue(), b.get(entry.getKey()))) {
        return false;
      }
    }
    return true;
  }

  static void requireNoMarkup(Object value) {
    if (value instanceof Markup) {
      throw JinjaException.unsupported("more with the result of 'safe' or 'escape' than print it");
    }
  }

  /** The order of two values; refuses those that Python refuses. */
  static int order(Object a, Object b) {
    if (isNumber(a) && isNumber(b)) {
      return a instanceof Double || b instanceof Double
          ? Double.compare(real(a), real(b))
          : Long.compare(integer(a), integer(b));
    }
    if (a instanceof String left && b instanceof String right) {
      return orderTexts(left, right);
    }
    if (a instanceof List<?> left && b instanceof List<?> right) {
      return orderItems(left, right);
    }
    if (a instanceof Tuple left && b instanceof Tuple right) {
      return orderItems(left.items(), right.items());
    }
    if (a instanceof Undefined undefined) {
      throw undefined.fail();
    }
    if (b instanceof Undefined undefined) {
      throw undefined.fail();
    }
    throw new JinjaException(
        "a %s and a %s have no order".formatted(PyText.typeName(a), PyText.typeName(b)));
  }

  /** By code points: UTF-16 puts some of them in another order. */
  private static int orderTexts(String a, String b) {
    int i = 0;
    while (i < a.length() && i < b.length()) {
      int left = a.codePointAt(i);
      int right = b.codePointAt(i);
      if (left != right) {
        return Integer.compare(left, right);
      }
      i += Character.charCount(left);
    }
    return Integer.compare(a.length(), b.length());
  }

  private static int orderItems(List<?> a, List<?> b) {
    for (int i = 0; i < Math.min(a.size(), b.size()); i++) {
      if (!equal(a.get(i), b.get(i))) {
        return order(a.get(i), b.get(i));
      }
    }
    return Integer.compare(a.size(), b.size());
  }

  static boolean compare(String operator, Object a, Object b) {
    return switch (operator) {
      case "==" -> equal(a, b);
      case "!=" -> !equal(a, b);
      case "in" -> contains(b, a);
      case "not in" -> !contains(b, a);
      default -> {
        if (a instanceof Double x && x.isNaN() || b instanceof Double y && y.isNaN()) {
          yield false;
        }
        int order = order(a, b);
        yield switch (operator) {
          case "<" -> order < 0;
          case "<=" -> order <= 0;
          case ">" -> order > 0;
          default -> order >= 0;
        };
      }
    };
  }

  static boolean contains(Object container, Object item) {
    requireNoMarkup(item);
    switch (container) {
      case String text -> {
        if (item instanceof String part) {
          return text.contains(part);
        }
        throw new JinjaException(
            "'in' looks for a text in a text, not for a %s".formatted(PyText.typeName(item)));
      }
      case Map<?, ?> map -> {
        return hasKey(map, item);
      }
      case DictView view when view.kind().equals("dict_keys") -> {
        return hasKey(view.map(), item);
      }
      case null, default -> {
        Iterator<Object> items = iterate(container);
        while (items.hasNext()) {
          if (equal(items.next(), item)) {
            return true;
          }
        }
        return false;
      }
    }
  }

  /** A key as a dictionary holds it: True and 1 are one key for Python. */
  static Object key(Object key) {
    return switch (key) {
      case Tuple tuple -> {
        tuple.items().forEach(PyOps::key);
        yield tuple;
      }
      case List<?> _, Map<?, ?> _ ->
          throw new JinjaException("a %s cannot be a key".formatted(PyText.typeName(key)));
      case Undefined _, Double _, Markup _ ->
          throw JinjaException.unsupported("a %s as a key".formatted(PyText.typeName(key)));
      case null, default -> key;
    };
  }

  static boolean hasKey(Map<?, ?> map, Object key) {
    if (key instanceof Undefined || key instanceof Double) {
      // No dictionary here has such a key.
      return false;
    }
    return map.containsKey(key(key)) || map.containsKey(twin(key));
  }

  static Object value(Map<?, ?> map, Object key) {
    return map.containsKey(key) ? map.get(key) : map.get(twin(key));
  }

  private static Object twin(Object key) {
    if (key instanceof Boolean flag) {
      return flag ? 1L : 0L;
    }
    return key instanceof Long number && (number == 0 || number == 1) ? number == 1 : key;
  }

  /** Walks over what can be walked over. */
  static Iterator<Object> iterate(Object value) {
    return switch (value) {
      case String text -> characters(text).iterator();
      case List<?> list -> new ArrayList<Object>(list).iterator();
      case Tuple tuple -> tuple.items().iterator();
      case Map<?, ?> map -> new ArrayList<Object>(map.keySet()).iterator();
      case DictView view -> view.list().iterator();
      case Range range -> range.list().iterator();
      case Lazy lazy -> lazy.iterator();
      case Undefined _ -> List.<Object>of().iterator();
      case Markup _ -> {
        requireNoMarkup(value);
        yield null;
      }
      case LoopContext _ -> throw JinjaException.unsupported("a walk over 'loop'");
      case null, default ->
          throw new JinjaException("a %s cannot be walked over".formatted(PyText.typeName(value)));
    };
  }

  static boolean isIterable(Object value) {
    return value instanceof String
        || value instanceof List
        || value instanceof Tuple
        || value instanceof Map
        || value instanceof DictView
        || value instanceof Range
        || value instanceof Lazy
        || value instanceof Undefined
        || value instanceof Markup
        || value instanceof LoopContext;
  }

  static List<Object> list(Object value) {
    List<Object> list = new ArrayList<>();
    iterate(value).forEachRemaining(list::add);
    return list;
  }

  /** The characters of a text, each a text of its own. */
  static List<Object> characters(String text) {
    List<Object> characters = new ArrayList<>();
    text.codePoints().forEach(c -> characters.add(Character.toString(c)));
    return characters;
  }

  /** The number of elements; -1 where Python has no len(). */
  static int length(Object value) {
    return switch (value) {
      case String text -> text.codePointCount(0, text.length());
      case List<?> list -> list.size();
      case Tuple tuple -> tuple.items().size();
      case Map<?, ?> map -> map.size();
      case DictView view -> view.map().size();
      case Range range -> range.size();
      case Undefined _ -> 0;
      case Markup markup -> markup.text().codePointCount(0, markup.text().length());
      case LoopContext loop -> loop.length();
      case null, default -> -1;
    };
  }
}
