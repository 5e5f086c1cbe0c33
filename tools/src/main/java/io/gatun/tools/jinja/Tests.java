package io.gatun.tools.jinja;

import java.util.List;
import java.util.Map;
import java.util.Set;

/** The tests behind {@code is}. */
final class Tests {
  private static final Set<String> ALL =
      Set.of(
          "odd",
          "even",
          "divisibleby",
          "defined",
          "undefined",
          "filter",
          "test",
          "none",
          "boolean",
          "false",
          "true",
          "integer",
          "float",
          "lower",
          "upper",
          "string",
          "mapping",
          "number",
          "sequence",
          "iterable",
          "callable",
          "sameas",
          "escaped",
          "in",
          "==",
          "eq",
          "equalto",
          "!=",
          "ne",
          ">",
          "gt",
          "greaterthan",
          "ge",
          ">=",
          "<",
          "lt",
          "lessthan",
          "<=",
          "le");

  private Tests() {}

  static boolean isKnown(String name) {
    return ALL.contains(name);
  }

  static boolean holds(String name, Object value, Arguments arguments) {
    return switch (name) {
      case "in" -> PyOps.contains(other(arguments, name), value);
      case "==", "eq", "equalto" -> PyOps.equal(value, other(arguments, name));
      case "!=", "ne" -> !PyOps.equal(value, other(arguments, name));
      case ">", "gt", "greaterthan" -> PyOps.compare(">", value, other(arguments, name));
      case ">=", "ge" -> PyOps.compare(">=", value, other(arguments, name));
      case "<", "lt", "lessthan" -> PyOps.compare("<", value, other(arguments, name));
      case "<=", "le" -> PyOps.compare("<=", value, other(arguments, name));
      case "sameas" -> sameAs(value, other(arguments, name));
      case "divisibleby" -> PyOps.equal(Arithmetic.apply("%", value, other(arguments, name)), 0L);
      default -> {
        arguments.positional(name, 0);
        yield alone(name, value);
      }
    };
  }

  private static Object other(Arguments arguments, String name) {
    String parameter =
        switch (name) {
          case "divisibleby" -> "num";
          case "sameas" -> "other";
          case "in" -> "seq";
          default -> "other value";
        };
    return arguments.bind(name, 1, new String[] {parameter})[0];
  }

  private static boolean sameAs(Object a, Object b) {
    boolean plain = a == null || b == null || a instanceof Boolean || b instanceof Boolean;
    if (!plain && (PyOps.isNumber(a) || a instanceof String)) {
      throw JinjaException.unsupported("'sameas' of numbers or texts");
    }
    return a == b || a instanceof Boolean && a.equals(b);
  }

  private static boolean alone(String name, Object value) {
    return switch (name) {
      case "defined" -> !(value instanceof Undefined);
      case "undefined" -> value instanceof Undefined;
      case "none" -> value == null;
      case "boolean" -> value instanceof Boolean;
      case "true" -> Boolean.TRUE.equals(value);
      case "false" -> Boolean.FALSE.equals(value);
      case "integer" -> value instanceof Long;
      case "float" -> value instanceof Double;
      case "number" -> PyOps.isNumber(value);
      case "string" -> value instanceof String || value instanceof Markup;
      case "mapping" -> value instanceof Map;
      case "sequence" ->
          value instanceof String
              || value instanceof List
              || value instanceof Tuple
              || value instanceof Map
              || value instanceof Range
              || value instanceof Undefined
              || value instanceof Markup;
      case "iterable" -> PyOps.isIterable(value);
      case "callable" -> value instanceof Callable || value instanceof Undefined;
      case "escaped" -> value instanceof Markup;
      case "lower" -> StringMethods.isCased(PyText.str(value), true);
      case "upper" -> StringMethods.isCased(PyText.str(value), false);
      case "odd" -> PyOps.equal(Arithmetic.apply("%", value, 2L), 1L);
      case "even" -> PyOps.equal(Arithmetic.apply("%", value, 2L), 0L);
      case "filter" -> value instanceof String filter && Filters.isKnown(filter);
      case "test" -> value instanceof String test && isKnown(test);
      default -> throw new JinjaException("there is no test named '%s'".formatted(name));
    };
  }
}
