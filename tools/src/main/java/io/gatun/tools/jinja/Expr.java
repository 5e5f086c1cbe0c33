package io.gatun.tools.jinja;

import java.util.List;

/** The expressions of a template. */
sealed interface Expr {
  /** A value that stands in the template. */
  record Const(Object value) implements Expr {}

  /** A variable. */
  record Name(String name) implements Expr {}

  /** {@code name.attribute} as the target of an assignment. */
  record NamespaceTarget(String name, String attribute) implements Expr {}

  /** A tuple, also as a target. */
  record TupleOf(List<Expr> items) implements Expr {}

  /** A list. */
  record ListOf(List<Expr> items) implements Expr {}

  /** A dictionary. */
  record DictOf(List<Expr> keys, List<Expr> values) implements Expr {}

  /** {@code object.name}. */
  record Attribute(Expr object, String name, int line) implements Expr {}

  /** {@code object[index]}. */
  record Item(Expr object, Expr index, int line) implements Expr {}

  /** {@code from:to:step}, each may be null. */
  record Slice(Expr from, Expr to, Expr step) implements Expr {}

  /** What stands in the parentheses of a call. */
  record Args(
      List<Expr> positional,
      List<String> names,
      List<Expr> named,
      Expr morePositional,
      Expr moreNamed) {
    static final Args NONE = new Args(List.of(), List.of(), List.of(), null, null);
  }

  /** A call. */
  record Call(Expr function, Args args, int line) implements Expr {}

  /** {@code value | name(args)}; the value is null where a block gives it. */
  record Filter(Expr value, String name, Args args, int line) implements Expr {}

  /** {@code value is name(args)}. */
  record Test(Expr value, String name, Args args, int line) implements Expr {}

  /** {@code not value}. */
  record Not(Expr value) implements Expr {}

  /** {@code -value} or {@code +value}. */
  record Sign(boolean minus, Expr value, int line) implements Expr {}

  /** Arithmetic of two values. */
  record Binary(String operator, Expr left, Expr right, int line) implements Expr {}

  /** {@code a and b}, {@code a or b}. */
  record Logic(boolean and, Expr left, Expr right) implements Expr {}

  /** A chain of comparisons. */
  record Compare(Expr first, List<String> operators, List<Expr> others, int line) implements Expr {}

  /** {@code a ~ b ~ c}. */
  record Concat(List<Expr> parts) implements Expr {}

  /** {@code then if test else otherwise}, the last may be null. */
  record Conditional(Expr test, Expr then, Expr otherwise, int line) implements Expr {}
}
