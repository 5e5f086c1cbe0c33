package io.gatun.tools.jinja;

import java.time.Clock;
import java.time.LocalDateTime;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/** The functions that every template has. */
final class Globals {
  private Globals() {}

  static void addTo(Scope scope, Clock clock) {
    scope.set("range", (Callable) Globals::range);
    scope.set("dict", (Callable) arguments -> dict("dict", arguments));
    scope.set("namespace", (Callable) Globals::namespace);
    scope.set("raise_exception", (Callable) Globals::raise);
    scope.set(
        "strftime_now",
        (Callable)
            arguments -> {
              Object format = arguments.bind("strftime_now", 1, new String[] {"format"})[0];
              return Strftime.format(LocalDateTime.now(clock), PyText.str(format));
            });
    for (String name : List.of("lipsum", "cycler", "joiner")) {
      scope.set(
          name,
          (Callable)
              _ -> {
                throw JinjaException.unsupported("the function '%s'".formatted(name));
              });
    }
  }

  private static Object raise(Arguments arguments) {
    Object message = arguments.bind("raise_exception", 1, new String[] {"message"})[0];
    throw new RaisedException(
        "the chat template refuses this conversation: %s".formatted(PyText.str(message)));
  }

  private static Object range(Arguments arguments) {
    Object[] given = arguments.positional("range", 1, null, 1L);
    for (Object value : given) {
      if (value != null && !(value instanceof Long) && !(value instanceof Boolean)) {
        throw new JinjaException(
            "range needs whole numbers, not a %s".formatted(PyText.typeName(value)));
      }
    }
    return given[1] == null
        ? new Range(0, PyOps.integer(given[0]), 1)
        : new Range(PyOps.integer(given[0]), PyOps.integer(given[1]), PyOps.integer(given[2]));
  }

  private static Object namespace(Arguments arguments) {
    Map<String, Object> attributes = new LinkedHashMap<>();
    dict("namespace", arguments).forEach((key, value) -> attributes.put((String) key, value));
    return new Namespace(attributes);
  }

  private static Map<Object, Object> dict(String function, Arguments arguments) {
    Map<Object, Object> dict = new LinkedHashMap<>();
    if (arguments.positional().size() > 1) {
      throw new JinjaException("%s takes one argument by position".formatted(function));
    }
    for (Object given : arguments.positional()) {
      if (given instanceof Map<?, ?> map) {
        dict.putAll(map);
      } else {
        for (Object pair : PyOps.list(given)) {
          List<Object> two = PyOps.list(pair);
          if (two.size() != 2) {
            throw new JinjaException("%s needs pairs of key and value".formatted(function));
          }
          dict.put(PyOps.key(two.getFirst()), two.getLast());
        }
      }
    }
    dict.putAll(arguments.named());
    return dict;
  }
}
