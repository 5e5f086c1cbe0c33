package io.gatun.tools.jinja;

import java.lang.reflect.InvocationTargetException;
import java.lang.reflect.RecordComponent;
import java.util.List;

/** Looks for a variable in statements: a macro takes what its body mentions. */
final class Mentions {
  private Mentions() {}

  /** Whether the variable is read anywhere in the body, inner macros included. */
  static boolean name(Object node, String name) {
    return switch (node) {
      case null -> false;
      case List<?> list -> list.stream().anyMatch(element -> name(element, name));
      case Expr.Name variable -> variable.name().equals(name);
      case Record inner
          when node instanceof Expr || node instanceof Stmt || node instanceof Expr.Args ->
          parts(inner, name);
      default -> false;
    };
  }

  private static boolean parts(Record node, String name) {
    try {
      for (RecordComponent part : node.getClass().getRecordComponents()) {
        if (name(part.getAccessor().invoke(node), name)) {
          return true;
        }
      }
      return false;
    } catch (IllegalAccessException | InvocationTargetException e) {
      throw new IllegalStateException("records of this package can be read", e);
    }
  }
}
