package io.gatun.tools.jinja;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;

/** Makes tuples; elements may be null, Python's None. */
final class Tuples {
  private Tuples() {}

  static Tuple of(Object... items) {
    return new Tuple(new ArrayList<>(Arrays.asList(items)));
  }

  static Tuple of(List<Object> items) {
    return new Tuple(items);
  }
}
