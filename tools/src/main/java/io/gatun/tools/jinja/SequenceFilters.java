package io.gatun.tools.jinja;

import java.util.ArrayList;
import java.util.Collections;
import java.util.Comparator;
import java.util.Iterator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;

/** Filters of sequences and dictionaries. */
final class SequenceFilters {
  private SequenceFilters() {}

  static void addTo(Map<String, Filters.Filter> all) {
    all.put("length", SequenceFilters::length);
    all.put("count", SequenceFilters::length);
    all.put("list", (v, a) -> PyOps.list(v));
    all.put("first", SequenceFilters::first);
    all.put("last", SequenceFilters::last);
    all.put("default", SequenceFilters::otherwise);
    all.put("d", SequenceFilters::otherwise);
    all.put("items", SequenceFilters::items);
    all.put("attr", SequenceFilters::attr);
    all.put("reverse", SequenceFilters::reverse);
    all.put("sort", SequenceFilters::sort);
    all.put("dictsort", SequenceFilters::dictsort);
    all.put("unique", SequenceFilters::unique);
    all.put("min", (v, a) -> extreme(v, a, "min", 1));
    all.put("max", (v, a) -> extreme(v, a, "max", -1));
    all.put("sum", SequenceFilters::sum);
    all.put("batch", SequenceFilters::batch);
    all.put("slice", SequenceFilters::slice);
    all.put("groupby", SequenceFilters::groupby);
  }

  private static Object length(Object value, Arguments arguments) {
    arguments.positional("length", 0);
    int length = PyOps.length(value);
    if (length < 0) {
      throw new JinjaException("a %s has no length".formatted(PyText.typeName(value)));
    }
    return (long) length;
  }

  private static Object first(Object value, Arguments arguments) {
    arguments.positional("first", 0);
    Iterator<Object> items = PyOps.iterate(value);
    return items.hasNext()
        ? items.next()
        : new Undefined("there is no first item, the sequence is empty");
  }

  private static Object last(Object value, Arguments arguments) {
    arguments.positional("last", 0);
    if (value instanceof Lazy) {
      throw new JinjaException("a %s has no last item".formatted(PyText.typeName(value)));
    }
    List<Object> items = PyOps.list(value);
    return items.isEmpty()
        ? new Undefined("there is no last item, the sequence is empty")
        : items.getLast();
  }

  private static Object otherwise(Object value, Arguments arguments) {
    Object[] given =
        arguments.bind("default", 0, new String[] {"default_value", "boolean"}, "", false);
    boolean lacks = value instanceof Undefined || PyOps.truth(given[1]) && !PyOps.truth(value);
    return lacks ? given[0] : value;
  }

  private static Object items(Object value, Arguments arguments) {
    arguments.positional("items", 0);
    return new Lazy(
        "generator",
        () -> {
          if (value instanceof Undefined) {
            return List.<Object>of().iterator();
          }
          if (value instanceof Map<?, ?> map) {
            @SuppressWarnings("unchecked")
            Map<Object, Object> dict = (Map<Object, Object>) map;
            return new DictView("dict_items", dict).list().iterator();
          }
          throw new JinjaException(
              "items needs a dict, not a %s".formatted(PyText.typeName(value)));
        });
  }

  private static Object attr(Object value, Arguments arguments) {
    Object name = arguments.bind("attr", 1, new String[] {"name"})[0];
    Object found = Attributes.attribute(value, PyText.str(name));
    // Unlike a dot, the filter does not look among a dictionary's keys.
    return value instanceof Map && !(found instanceof Callable)
        ? Undefined.attribute(value, name)
        : found;
  }

  private static Object reverse(Object value, Arguments arguments) {
    arguments.positional("reverse", 0);
    if (value instanceof String text) {
      return new StringBuilder(text).reverse().toString();
    }
    List<Object> items = PyOps.list(value);
    Collections.reverse(items);
    if (value instanceof Lazy) {
      return items;
    }
    String kind = value instanceof List ? "list_reverseiterator" : "reversed";
    return new Lazy(kind, items::iterator);
  }

  /** A text as sorting sees it. */
  static Object fold(Object value, boolean caseSensitive) {
    return !caseSensitive && value instanceof String text ? text.toLowerCase(Locale.ROOT) : value;
  }

  private static Object sort(Object value, Arguments arguments) {
    Object[] given =
        arguments.bind(
            "sort", 0, new String[] {"reverse", "case_sensitive", "attribute"}, false, false, null);
    boolean caseSensitive = PyOps.truth(given[1]);
    List<Object> attributes = new ArrayList<>();
    if (given[2] instanceof String names) {
      attributes.addAll(Splits.split(names, ",", -1, false));
    } else {
      attributes.add(given[2]);
    }
    Comparator<Object> order =
        (x, y) -> {
          for (Object attribute : attributes) {
            Object left = fold(SelectFilters.path(x, attribute, null), caseSensitive);
            Object right = fold(SelectFilters.path(y, attribute, null), caseSensitive);
            if (!PyOps.equal(left, right)) {
              return PyOps.order(left, right);
            }
          }
          return 0;
        };
    List<Object> sorted = PyOps.list(value);
    sorted.sort(PyOps.truth(given[0]) ? order.reversed() : order);
    return sorted;
  }

  private static Object dictsort(Object value, Arguments arguments) {
    Object[] given =
        arguments.bind(
            "dictsort", 0, new String[] {"case_sensitive", "by", "reverse"}, false, "key", false);
    if (!(value instanceof Map<?, ?> map)) {
      throw new JinjaException("dictsort needs a dict, not a " + PyText.typeName(value));
    }
    if (!"key".equals(given[1]) && !"value".equals(given[1])) {
      throw new JinjaException("dictsort sorts by 'key' or 'value'");
    }
    int place = "key".equals(given[1]) ? 0 : 1;
    boolean caseSensitive = PyOps.truth(given[0]);
    Comparator<Object> order =
        (x, y) ->
            PyOps.order(
                fold(((Tuple) x).items().get(place), caseSensitive),
                fold(((Tuple) y).items().get(place), caseSensitive));
    @SuppressWarnings("unchecked")
    Map<Object, Object> dict = (Map<Object, Object>) map;
    List<Object> sorted = new DictView("dict_items", dict).list();
    sorted.sort(PyOps.truth(given[2]) ? order.reversed() : order);
    return sorted;
  }

  private static Object unique(Object value, Arguments arguments) {
    Object[] given =
        arguments.bind("unique", 0, new String[] {"case_sensitive", "attribute"}, false, null);
    boolean caseSensitive = PyOps.truth(given[0]);
    return new Lazy(
        "generator",
        () -> {
          List<Object> seen = new ArrayList<>();
          List<Object> items = new ArrayList<>();
          for (Object item : PyOps.list(value)) {
            Object key = hashable(fold(SelectFilters.path(item, given[1], null), caseSensitive));
            if (seen.stream().noneMatch(other -> PyOps.equal(other, key))) {
              seen.add(key);
              items.add(item);
            }
          }
          return items.iterator();
        });
  }

  private static Object hashable(Object key) {
    return key instanceof Undefined || key instanceof Double ? key : PyOps.key(key);
  }

  private static Object extreme(Object value, Arguments arguments, String name, int sign) {
    Object[] given =
        arguments.bind(name, 0, new String[] {"case_sensitive", "attribute"}, false, null);
    boolean caseSensitive = PyOps.truth(given[0]);
    Object best = null;
    Object bestKey = null;
    boolean any = false;
    for (Object item : PyOps.list(value)) {
      Object key = fold(SelectFilters.path(item, given[1], null), caseSensitive);
      if (!any || sign * PyOps.order(key, bestKey) < 0) {
        best = item;
        bestKey = key;
        any = true;
      }
    }
    return any ? best : new Undefined("there is no %s of an empty sequence".formatted(name));
  }

  private static Object sum(Object value, Arguments arguments) {
    Object[] given = arguments.bind("sum", 0, new String[] {"attribute", "start"}, null, 0L);
    Object sum = given[1];
    for (Object item : PyOps.list(value)) {
      sum = Arithmetic.apply("+", sum, SelectFilters.path(item, given[0], null));
    }
    return sum;
  }

  private static Object batch(Object value, Arguments arguments) {
    Object[] given =
        arguments.bind("batch", 1, new String[] {"linecount", "fill_with"}, (Object) null);
    int size = (int) PyOps.integer(given[0]);
    return new Lazy(
        "generator",
        () -> {
          List<Object> batches = new ArrayList<>();
          List<Object> items = PyOps.list(value);
          for (int from = 0; from < items.size(); from += size) {
            List<Object> one =
                new ArrayList<>(items.subList(from, Math.min(items.size(), from + size)));
            while (given[1] != null && one.size() < size) {
              one.add(given[1]);
            }
            batches.add(one);
          }
          return batches.iterator();
        });
  }

  private static Object slice(Object value, Arguments arguments) {
    Object[] given =
        arguments.bind("slice", 1, new String[] {"slices", "fill_with"}, (Object) null);
    int slices = (int) PyOps.integer(given[0]);
    return new Lazy(
        "generator",
        () -> {
          List<Object> items = PyOps.list(value);
          List<Object> parts = new ArrayList<>();
          int each = items.size() / slices;
          int longer = items.size() % slices;
          int from = 0;
          for (int i = 0; i < slices; i++) {
            int to = from + each + (i < longer ? 1 : 0);
            List<Object> one = new ArrayList<>(items.subList(from, to));
            if (given[1] != null && i >= longer) {
              one.add(given[1]);
            }
            parts.add(one);
            from = to;
          }
          return parts.iterator();
        });
  }

  private static Object groupby(Object value, Arguments arguments) {
    Object[] given =
        arguments.bind(
            "groupby", 1, new String[] {"attribute", "default", "case_sensitive"}, null, false);
    boolean caseSensitive = PyOps.truth(given[2]);
    List<Object> items = PyOps.list(value);
    items.sort((x, y) ->
        PyOps.order(
            fold(SelectFilters.path(x, given[0], given[1]), caseSensitive),
            fold(SelectFilters.path(y, given[0], given[1]), caseSensitive)));
    Map<Object, List<Object>> groups = new LinkedHashMap<>();
    Map<Object, Object> names = new LinkedHashMap<>();
    for (Object item : items) {
      Object name = SelectFilters.path(item, given[0], given[1]);
      Object key = PyOps.key(fold(name, caseSensitive));
      names.putIfAbsent(key, name);
      groups.computeIfAbsent(key, k -> new ArrayList<>()).add(item);
    }
    List<Object> pairs = new ArrayList<>();
    groups.forEach((key, group) -> pairs.add(Tuples.of(names.get(key), group)));
    return pairs;
  }
}
