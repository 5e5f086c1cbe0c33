package io.gatun.tools.jinja;

import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/** What a call is given: by position and by name. */
record Arguments(List<Object> positional, Map<String, Object> named) {
  private static final Object MISSING = new Object();

  static Arguments none() {
    return new Arguments(List.of(), Map.of());
  }

  /**
   * The values for a function's parameters, in their order.
   *
   * @param required how many must be given
   * @param names of all parameters
   * @param defaults of those that need not be given
   */
  Object[] bind(String function, int required, String[] names, Object... defaults) {
    if (positional.size() > names.length) {
      throw new JinjaException(
          "%s takes at most %d arguments, not %d"
              .formatted(function, names.length, positional.size()));
    }
    Object[] values = new Object[names.length];
    Map<String, Object> rest = new LinkedHashMap<>(named);
    for (int i = 0; i < names.length; i++) {
      Object byName = rest.containsKey(names[i]) ? rest.remove(names[i]) : MISSING;
      if (i < positional.size()) {
        if (byName != MISSING) {
          throw new JinjaException("%s is given %s twice".formatted(function, names[i]));
        }
        values[i] = positional.get(i);
      } else if (byName != MISSING) {
        values[i] = byName;
      } else if (i < required) {
        throw new JinjaException("%s needs the argument %s".formatted(function, names[i]));
      } else {
        values[i] = defaults[i - required];
      }
    }
    if (!rest.isEmpty()) {
      throw new JinjaException(
          "%s takes no argument named %s".formatted(function, rest.keySet().iterator().next()));
    }
    return values;
  }

  /** The values of parameters that can be given by position only. */
  Object[] positional(String function, int required, Object... defaults) {
    if (!named.isEmpty()) {
      throw new JinjaException("%s takes no arguments by name".formatted(function));
    }
    String[] names = new String[required + defaults.length];
    for (int i = 0; i < names.length; i++) {
      names[i] = "number " + (i + 1);
    }
    return bind(function, required, names, defaults);
  }

  /** Without the first ones by position. */
  Arguments from(int count) {
    return new Arguments(
        new ArrayList<>(positional.subList(Math.min(count, positional.size()), positional.size())),
        named);
  }
}
