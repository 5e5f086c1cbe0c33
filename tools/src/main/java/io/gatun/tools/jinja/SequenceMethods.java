package io.gatun.tools.jinja;

import java.util.ArrayList;
import java.util.List;

/** Methods of lists and tuples that change nothing. */
final class SequenceMethods {
  private SequenceMethods() {}

  /** A method by name; null if there is none. */
  static Callable get(Object sequence, List<?> items, String name) {
    return switch (name) {
      case "index" ->
          arguments -> {
            Object wanted = arguments.positional("index", 1)[0];
            for (int i = 0; i < items.size(); i++) {
              if (PyOps.equal(items.get(i), wanted)) {
                return (long) i;
              }
            }
            throw new JinjaException(
                "%s is not in the %s".formatted(PyText.repr(wanted), PyText.typeName(sequence)));
          };
      case "count" ->
          arguments -> {
            Object wanted = arguments.positional("count", 1)[0];
            return items.stream().filter(item -> PyOps.equal(item, wanted)).count();
          };
      case "copy" ->
          sequence instanceof Tuple
              ? null
              : arguments -> {
                arguments.positional("copy", 0);
                return new ArrayList<Object>(items);
              };
      default -> null;
    };
  }
}
