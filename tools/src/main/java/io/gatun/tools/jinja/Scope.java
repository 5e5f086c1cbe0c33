package io.gatun.tools.jinja;

import java.util.HashMap;
import java.util.Map;

/** Variables of a part of a template, and of what lies around it. */
final class Scope {
  private final Map<String, Object> variables = new HashMap<>();
  private final Scope around;

  Scope(Scope around) {
    this.around = around;
  }

  void set(String name, Object value) {
    variables.put(name, value);
  }

  /** Its value; undefined if there is no such variable. */
  Object get(String name) {
    for (Scope scope = this; scope != null; scope = scope.around) {
      if (scope.variables.containsKey(name)) {
        return scope.variables.get(name);
      }
    }
    return Undefined.name(name);
  }
}
