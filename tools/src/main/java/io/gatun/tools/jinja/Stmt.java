package io.gatun.tools.jinja;

import java.util.List;

/** The statements of a template. */
sealed interface Stmt {
  /** Text as it stands. */
  record Data(String text) implements Stmt {}

  /** {@code {{ value }}}. */
  record Output(Expr value, int line) implements Stmt {}

  /** {@code {% if %}}: the first branch whose test holds, else the last. */
  record If(List<Expr> tests, List<List<Stmt>> bodies, List<Stmt> otherwise) implements Stmt {}

  /** {@code {% for %}}; the test may be null. */
  record For(
      Expr target,
      Expr iterable,
      Expr test,
      boolean recursive,
      List<Stmt> body,
      List<Stmt> otherwise,
      int line)
      implements Stmt {}

  /** {@code {% set target = value %}}. */
  record Set(Expr target, Expr value, int line) implements Stmt {}

  /** {@code {% set target %}...{% endset %}}; the filter may be null. */
  record SetBlock(Expr target, Expr filter, List<Stmt> body, int line) implements Stmt {}

  /** The parameters of a macro or of a call block. */
  record Signature(List<String> names, List<Expr> defaults) {}

  /** {@code {% macro %}}. */
  record Macro(String name, Signature signature, List<Stmt> body, int line) implements Stmt {}

  /** {@code {% call(parameters) macro(arguments) %}}. */
  record CallBlock(Signature signature, Expr.Call call, List<Stmt> body, int line)
      implements Stmt {}

  /** {@code {% filter %}}. */
  record FilterBlock(Expr filter, List<Stmt> body) implements Stmt {}

  /** {@code {% with %}}. */
  record With(List<Expr> targets, List<Expr> values, List<Stmt> body) implements Stmt {}

  /** {@code {% generation %}}: marks what the model says; prints its body. */
  record Generation(List<Stmt> body) implements Stmt {}

  /** {@code {% break %}}. */
  record Break() implements Stmt {}

  /** {@code {% continue %}}. */
  record Continue() implements Stmt {}
}
