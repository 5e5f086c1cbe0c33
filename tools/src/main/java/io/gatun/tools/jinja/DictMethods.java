package io.gatun.tools.jinja;

import java.util.LinkedHashMap;
import java.util.Map;

/** Methods of a dictionary. */
final class DictMethods {
  private DictMethods() {}

  /** A method by name; null if dictionaries have none. */
  static Callable get(Map<?, ?> map, String name) {
    @SuppressWarnings("unchecked")
    Map<Object, Object> dict = (Map<Object, Object>) map;
    return switch (name) {
      case "items", "keys", "values" ->
          arguments -> {
            arguments.positional(name, 0);
            return new DictView("dict_" + name, dict);
          };
      case "get" ->
          arguments -> {
            Object[] given = arguments.positional("get", 1, (Object) null);
            return PyOps.hasKey(dict, given[0]) ? PyOps.value(dict, given[0]) : given[1];
          };
      case "copy" ->
          arguments -> {
            arguments.positional("copy", 0);
            return new LinkedHashMap<>(dict);
          };
      case "fromkeys" -> throw JinjaException.unsupported("the method 'fromkeys' of a dict");
      default -> null;
    };
  }
}
