package io.gatun.tools.jinja;

import java.util.List;
import java.util.Map;
import java.util.Set;

/** {@code object.name} and {@code object[index]}, as the sandbox looks them up. */
final class Attributes {
  /** Methods that change their object: the sandbox gives something undefined. */
  private static final Set<String> LIST_CHANGES =
      Set.of("append", "clear", "extend", "insert", "pop", "remove", "reverse", "sort");

  private static final Set<String> DICT_CHANGES =
      Set.of("clear", "pop", "popitem", "setdefault", "update");

  private static final Set<String> NUMBER_ATTRIBUTES =
      Set.of(
          "as_integer_ratio",
          "bit_count",
          "bit_length",
          "conjugate",
          "denominator",
          "from_bytes",
          "fromhex",
          "hex",
          "imag",
          "is_integer",
          "numerator",
          "real",
          "to_bytes");

  private Attributes() {}

  /** Python's own attribute of an object; null if it has none of that name. */
  private static Object own(Object object, String name) {
    if (name.startsWith("__") && !(object instanceof Namespace)) {
      throw JinjaException.unsupported("the attribute '%s'".formatted(name));
    }
    return switch (object) {
      case String text -> StringMethods.get(text, name);
      case Map<?, ?> map -> {
        if (DICT_CHANGES.contains(name)) {
          yield unsafe(object, name);
        }
        yield DictMethods.get(map, name);
      }
      case List<?> list -> {
        if (LIST_CHANGES.contains(name)) {
          yield unsafe(object, name);
        }
        yield SequenceMethods.get(list, list, name);
      }
      case Tuple tuple -> SequenceMethods.get(tuple, tuple.items(), name);
      case LoopContext loop -> loop.attribute(name);
      case Long _, Double _, Boolean _ -> {
        if (NUMBER_ATTRIBUTES.contains(name)) {
          throw JinjaException.unsupported("the attribute '%s' of a number".formatted(name));
        }
        yield null;
      }
      case null -> null;
      case Namespace _ -> null;
      default ->
          throw JinjaException.unsupported(
              "the attribute '%s' of a %s".formatted(name, PyText.typeName(object)));
    };
  }

  private static Undefined unsafe(Object object, String name) {
    return new Undefined(
        "'%s' would change a %s, which a template may not do"
            .formatted(name, PyText.typeName(object)));
  }

  /** {@code object.name}: the object's own attribute before an element of that name. */
  static Object attribute(Object object, String name) {
    if (object instanceof Undefined undefined) {
      throw undefined.fail();
    }
    if (object instanceof Namespace(Map<String, Object> attributes)) {
      return attributes.containsKey(name)
          ? attributes.get(name)
          : Undefined.attribute(object, name);
    }
    if (object instanceof LoopContext loop && loop.has(name)) {
      return loop.attribute(name);
    }
    Object own = own(object, name);
    if (own != null) {
      return own;
    }
    return object instanceof Map<?, ?> map && map.containsKey(name)
        ? map.get(name)
        : Undefined.attribute(object, name);
  }

  /** {@code object[index]}: an element before the object's own attribute of that name. */
  static Object item(Object object, Object index) {
    switch (object) {
      case Undefined undefined -> throw undefined.fail();
      case Map<?, ?> map -> {
        if (!(index instanceof List) && !(index instanceof Map) && PyOps.hasKey(map, index)) {
          return PyOps.value(map, index);
        }
      }
      case List<?> list when index instanceof Long || index instanceof Boolean -> {
        return element(object, list, PyOps.integer(index));
      }
      case Tuple tuple when index instanceof Long || index instanceof Boolean -> {
        return element(object, tuple.items(), PyOps.integer(index));
      }
      case Range range when index instanceof Long -> {
        return element(object, range.list(), PyOps.integer(index));
      }
      case String text when index instanceof Long || index instanceof Boolean -> {
        return character(text, PyOps.integer(index));
      }
      case Markup _ -> PyOps.requireNoMarkup(object);
      case null, default -> {
        // Below: an attribute, or nothing.
      }
    }
    if (index instanceof String name) {
      if (object instanceof Namespace || object instanceof LoopContext) {
        return attribute(object, name);
      }
      Object own = own(object, name);
      if (own != null) {
        return own;
      }
    }
    return Undefined.attribute(object, index);
  }

  private static Object element(Object object, List<?> items, long index) {
    long place = index < 0 ? index + items.size() : index;
    return place >= 0 && place < items.size()
        ? items.get((int) place)
        : Undefined.attribute(object, index);
  }

  private static Object character(String text, long index) {
    int length = text.codePointCount(0, text.length());
    long place = index < 0 ? index + length : index;
    return place >= 0 && place < length
        ? Slices.of(text, (int) place, (int) place + 1)
        : Undefined.attribute(text, index);
  }
}
