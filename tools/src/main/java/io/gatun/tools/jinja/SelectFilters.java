package io.gatun.tools.jinja;

import java.util.Iterator;
import java.util.List;
import java.util.Map;
import java.util.function.Predicate;
import java.util.function.UnaryOperator;

/** Filters that apply a filter or a test to each element, one by one as they are read. */
final class SelectFilters {
  private SelectFilters() {}

  static void addTo(Map<String, Filters.Filter> all) {
    all.put("map", SelectFilters::map);
    all.put("select", (v, a) -> select(v, a, true, false));
    all.put("reject", (v, a) -> select(v, a, false, false));
    all.put("selectattr", (v, a) -> select(v, a, true, true));
    all.put("rejectattr", (v, a) -> select(v, a, false, true));
  }

  /**
   * The element or attribute at a path such as {@code a.b.0}.
   *
   * @param path a text or a number; null for the object itself
   * @param otherwise what stands for something undefined; null for nothing
   */
  static Object path(Object object, Object path, Object otherwise) {
    if (path == null) {
      return object;
    }
    Object found = object;
    List<Object> parts =
        path instanceof String text ? Splits.split(text, ".", -1, false) : List.of(path);
    for (Object part : parts) {
      boolean isNumber =
          part instanceof String digits
              && !digits.isEmpty()
              && digits.chars().allMatch(c -> c >= '0' && c <= '9');
      found = Attributes.item(found, isNumber ? Long.valueOf((String) part) : part);
      if (otherwise != null && found instanceof Undefined) {
        found = otherwise;
      }
    }
    return found;
  }

  private static Object map(Object value, Arguments arguments) {
    return new Lazy(
        "generator",
        () -> {
          if (!PyOps.truth(value)) {
            return List.<Object>of().iterator();
          }
          UnaryOperator<Object> change = change(arguments);
          Iterator<Object> items = PyOps.iterate(value);
          return new Iterator<>() {
            @Override
            public boolean hasNext() {
              return items.hasNext();
            }

            @Override
            public Object next() {
              return change.apply(items.next());
            }
          };
        });
  }

  private static UnaryOperator<Object> change(Arguments arguments) {
    if (arguments.positional().isEmpty() && arguments.named().containsKey("attribute")) {
      Object[] given =
          arguments.bind("map", 1, new String[] {"attribute", "default"}, (Object) null);
      return item -> path(item, given[0], given[1]);
    }
    if (arguments.positional().isEmpty()) {
      throw new JinjaException("map needs the name of a filter, or attribute=");
    }
    String name = PyText.str(arguments.positional().getFirst());
    return item -> Filters.apply(name, item, arguments.from(1));
  }

  private static Object select(
      Object value, Arguments arguments, boolean wanted, boolean byAttribute) {
    return new Lazy(
        "generator",
        () -> {
          if (!PyOps.truth(value)) {
            return List.<Object>of().iterator();
          }
          Predicate<Object> holds = holds(arguments, byAttribute);
          return new Filtered(PyOps.iterate(value), item -> holds.test(item) == wanted);
        });
  }

  private static Predicate<Object> holds(Arguments arguments, boolean byAttribute) {
    List<Object> given = arguments.positional();
    if (byAttribute && given.isEmpty()) {
      throw new JinjaException("selecting by an attribute needs its name");
    }
    Object attribute = byAttribute ? given.getFirst() : null;
    int at = byAttribute ? 1 : 0;
    if (given.size() <= at) {
      return item -> PyOps.truth(path(item, attribute, null));
    }
    String test = PyText.str(given.get(at));
    return item -> Tests.holds(test, path(item, attribute, null), arguments.from(at + 1));
  }
}
