package io.gatun.tools.jinja;

import java.util.HashMap;
import java.util.Map;
import java.util.Set;

/** The filters by name. */
final class Filters {
  /** A filter of a value. */
  @FunctionalInterface
  interface Filter {
    Object apply(Object value, Arguments arguments);
  }

  /** Filters of jinja2 that this has not. */
  private static final Set<String> UNSUPPORTED =
      Set.of(
          "filesizeformat",
          "pprint",
          "random",
          "striptags",
          "urlencode",
          "urlize",
          "wordwrap",
          "xmlattr");

  private static final Map<String, Filter> ALL = new HashMap<>();

  static {
    TextFilters.addTo(ALL);
    NumberFilters.addTo(ALL);
    SequenceFilters.addTo(ALL);
    SelectFilters.addTo(ALL);
    ALL.put("tojson", JsonText::filter);
  }

  private Filters() {}

  /** Whether jinja2 has a filter of that name. */
  static boolean isKnown(String name) {
    return ALL.containsKey(name) || UNSUPPORTED.contains(name);
  }

  static Object apply(String name, Object value, Arguments arguments) {
    Filter filter = ALL.get(name);
    if (filter != null) {
      return filter.apply(value, arguments);
    }
    if (UNSUPPORTED.contains(name)) {
      throw JinjaException.unsupported("the filter '%s'".formatted(name));
    }
    throw new JinjaException("there is no filter named '%s'".formatted(name));
  }
}
