package io.gatun.tools.jinja;

import io.gatun.tools.jinja.Token.Kind;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;

/** Reads expressions, with jinja2's order of binding. */
final class ExprParser {
  private static final Set<String> COMPARISONS = Set.of("==", "!=", "<", "<=", ">", ">=");
  private static final Set<String> CONSTANTS =
      Set.of("true", "false", "True", "False", "none", "None");

  private final TokenReader tokens;

  /** Whether jinja2 looks filters and tests up only when they are reached here. */
  private boolean soft;

  ExprParser(TokenReader tokens) {
    this.tokens = tokens;
  }

  boolean soft(boolean now) {
    boolean before = soft;
    soft = now;
    return before;
  }

  Expr expression() {
    return expression(true);
  }

  private Expr expression(boolean withConditional) {
    return withConditional ? conditional() : or();
  }

  private Expr conditional() {
    int line = tokens.line();
    Expr then = or();
    while (tokens.skipName("if")) {
      boolean before = soft(true);
      Expr test = or();
      Expr otherwise = tokens.skipName("else") ? conditional() : null;
      soft(before);
      then = new Expr.Conditional(test, then, otherwise, line);
    }
    return then;
  }

  private Expr or() {
    Expr left = and();
    while (tokens.skipName("or")) {
      left = new Expr.Logic(false, left, and());
    }
    return left;
  }

  private Expr and() {
    Expr left = not();
    while (tokens.skipName("and")) {
      left = new Expr.Logic(true, left, not());
    }
    return left;
  }

  private Expr not() {
    return tokens.skipName("not") ? new Expr.Not(not()) : comparison();
  }

  private Expr comparison() {
    int line = tokens.line();
    Expr first = sum();
    List<String> operators = new ArrayList<>();
    List<Expr> others = new ArrayList<>();
    while (true) {
      Token token = tokens.current();
      if (token.is(Kind.OPERATOR) && COMPARISONS.contains(token.text())) {
        operators.add(tokens.next().text());
      } else if (tokens.skipName("in")) {
        operators.add("in");
      } else if (token.isName("not") && tokens.look().isName("in")) {
        tokens.next();
        tokens.next();
        operators.add("not in");
      } else {
        break;
      }
      others.add(sum());
    }
    return operators.isEmpty() ? first : new Expr.Compare(first, operators, others, line);
  }

  private Expr sum() {
    Expr left = concat();
    while (tokens.current().isOperator("+") || tokens.current().isOperator("-")) {
      Token operator = tokens.next();
      left = new Expr.Binary(operator.text(), left, concat(), operator.line());
    }
    return left;
  }

  private Expr concat() {
    List<Expr> parts = new ArrayList<>(List.of(product()));
    while (tokens.skipOperator("~")) {
      parts.add(product());
    }
    return parts.size() == 1 ? parts.getFirst() : new Expr.Concat(parts);
  }

  private Expr product() {
    Expr left = power();
    while (tokens.current().is(Kind.OPERATOR)
        && Set.of("*", "/", "//", "%").contains(tokens.current().text())) {
      Token operator = tokens.next();
      left = new Expr.Binary(operator.text(), left, power(), operator.line());
    }
    return left;
  }

  private Expr power() {
    Expr left = unary(true);
    while (tokens.current().isOperator("**")) {
      Token operator = tokens.next();
      left = new Expr.Binary("**", left, unary(true), operator.line());
    }
    return left;
  }

  private Expr unary(boolean withFilters) {
    Token token = tokens.current();
    Expr value;
    if (token.isOperator("-") || token.isOperator("+")) {
      tokens.next();
      value = new Expr.Sign(token.isOperator("-"), unary(false), token.line());
    } else {
      value = primary(false);
    }
    value = postfix(value);
    return withFilters ? filters(value) : value;
  }

  /** A name, a value, or something in brackets. */
  private Expr primary(boolean asTarget) {
    Token token = tokens.current();
    switch (token.kind()) {
      case NAME -> {
        tokens.next();
        return name(token.text(), asTarget);
      }
      case STRING -> {
        StringBuilder text = new StringBuilder();
        while (tokens.current().is(Kind.STRING)) {
          text.append(tokens.next().text());
        }
        return new Expr.Const(text.toString());
      }
      case NUMBER -> {
        return new Expr.Const(tokens.next().value());
      }
      default -> {
        if (tokens.skipOperator("(")) {
          Expr inside = tuple(false, true, true, null);
          tokens.expectOperator(")");
          return inside;
        }
        if (tokens.skipOperator("[")) {
          return list();
        }
        if (tokens.skipOperator("{")) {
          return dict();
        }
        throw tokens.wrong("an expression");
      }
    }
  }

  private Expr name(String name, boolean asTarget) {
    switch (name) {
      case "true", "True" -> {
        return new Expr.Const(true);
      }
      case "false", "False" -> {
        return new Expr.Const(false);
      }
      case "none", "None" -> {
        return new Expr.Const(null);
      }
      default -> {
        if (asTarget && tokens.skipOperator(".")) {
          return new Expr.NamespaceTarget(name, tokens.expectName());
        }
        return new Expr.Name(name);
      }
    }
  }

  private Expr list() {
    List<Expr> items = new ArrayList<>();
    while (!tokens.skipOperator("]")) {
      items.add(expression());
      if (!tokens.current().isOperator("]")) {
        tokens.expectOperator(",");
      }
    }
    return new Expr.ListOf(items);
  }

  private Expr dict() {
    List<Expr> keys = new ArrayList<>();
    List<Expr> values = new ArrayList<>();
    while (!tokens.skipOperator("}")) {
      keys.add(expression());
      tokens.expectOperator(":");
      values.add(expression());
      if (!tokens.current().isOperator("}")) {
        tokens.expectOperator(",");
      }
    }
    return new Expr.DictOf(keys, values);
  }

  /** One expression, or several with commas between them: a tuple. */
  Expr tuple() {
    return tuple(false, true, false, null);
  }

  /** The same where an {@code if} behind it belongs to the statement. */
  Expr tupleWithoutConditional(String end) {
    return tuple(false, false, false, end);
  }

  private Expr tuple(boolean targets, boolean withConditional, boolean inBrackets, String end) {
    List<Expr> items = new ArrayList<>();
    boolean isTuple = false;
    while (true) {
      if (!items.isEmpty()) {
        tokens.expectOperator(",");
      }
      if (tupleEnds(end)) {
        break;
      }
      items.add(targets ? primary(true) : expression(withConditional));
      if (!tokens.current().isOperator(",")) {
        break;
      }
      isTuple = true;
    }
    if (isTuple || items.isEmpty() && inBrackets) {
      return new Expr.TupleOf(items);
    }
    if (items.isEmpty()) {
      throw tokens.wrong("an expression");
    }
    return items.getFirst();
  }

  private boolean tupleEnds(String end) {
    Token token = tokens.current();
    return token.is(Kind.VARIABLE_END)
        || token.is(Kind.BLOCK_END)
        || token.isOperator(")")
        || end != null && token.isName(end);
  }

  /** What an assignment or a loop writes to. */
  Expr target(String end) {
    Expr target = tuple(true, true, false, end);
    requireTarget(target);
    return target;
  }

  private void requireTarget(Expr target) {
    switch (target) {
      case Expr.Name _, Expr.NamespaceTarget _ -> {
        // Both can be assigned to.
      }
      case Expr.TupleOf tuple -> tuple.items().forEach(this::requireTarget);
      default -> throw tokens.fail("what stands left of '=' cannot be assigned to");
    }
  }

  /** A name that can be assigned to. */
  String targetName() {
    String name = tokens.expectName();
    if (CONSTANTS.contains(name)) {
      throw tokens.fail("'%s' cannot be assigned to".formatted(name));
    }
    return name;
  }

  private Expr postfix(Expr value) {
    Expr result = value;
    while (true) {
      Token token = tokens.current();
      if (tokens.skipOperator(".")) {
        Token name = tokens.next();
        if (name.is(Kind.NAME)) {
          result = new Expr.Attribute(result, name.text(), token.line());
        } else if (name.is(Kind.NUMBER) && name.value() instanceof Long) {
          result = new Expr.Item(result, new Expr.Const(name.value()), token.line());
        } else {
          throw new JinjaException("expected a name behind '.', found " + name.describe())
              .at(name.line());
        }
      } else if (tokens.skipOperator("[")) {
        result = new Expr.Item(result, subscript(), token.line());
      } else if (token.isOperator("(")) {
        result = new Expr.Call(result, arguments(), token.line());
      } else {
        return result;
      }
    }
  }

  private Expr subscript() {
    List<Expr> items = new ArrayList<>();
    while (!tokens.skipOperator("]")) {
      if (!items.isEmpty()) {
        tokens.expectOperator(",");
      }
      items.add(subscripted());
    }
    return items.size() == 1 ? items.getFirst() : new Expr.TupleOf(items);
  }

  private Expr subscripted() {
    Expr from = null;
    if (!tokens.current().isOperator(":")) {
      from = expression();
      if (!tokens.current().isOperator(":")) {
        return from;
      }
    }
    tokens.next();
    Expr to = sliceEnds(true) ? null : expression();
    Expr step = null;
    if (tokens.skipOperator(":")) {
      step = sliceEnds(false) ? null : expression();
    }
    return new Expr.Slice(from, to, step);
  }

  private boolean sliceEnds(boolean atColon) {
    Token token = tokens.current();
    return token.isOperator("]") || token.isOperator(",") || atColon && token.isOperator(":");
  }

  Expr.Args arguments() {
    tokens.expectOperator("(");
    List<Expr> positional = new ArrayList<>();
    List<String> names = new ArrayList<>();
    List<Expr> named = new ArrayList<>();
    Expr morePositional = null;
    Expr moreNamed = null;
    while (!tokens.skipOperator(")")) {
      if (tokens.skipOperator("*")) {
        morePositional = expression();
      } else if (tokens.skipOperator("**")) {
        moreNamed = expression();
      } else if (tokens.current().is(Kind.NAME) && tokens.look().isOperator("=")) {
        names.add(tokens.next().text());
        tokens.next();
        named.add(expression());
      } else {
        if (!names.isEmpty() || morePositional != null || moreNamed != null) {
          throw tokens.fail("an argument by position stands behind one by name");
        }
        positional.add(expression());
      }
      if (!tokens.current().isOperator(")")) {
        tokens.expectOperator(",");
      }
    }
    return new Expr.Args(positional, names, named, morePositional, moreNamed);
  }

  private Expr filters(Expr value) {
    Expr result = value;
    while (true) {
      Token token = tokens.current();
      if (token.isOperator("|")) {
        result = filter(result);
      } else if (token.isName("is")) {
        result = test(result);
      } else if (token.isOperator("(")) {
        result = new Expr.Call(result, arguments(), token.line());
      } else {
        return result;
      }
    }
  }

  /** {@code | name(arguments) | ...}. */
  Expr filter(Expr value) {
    Expr result = value;
    while (tokens.skipOperator("|")) {
      result = oneFilter(result);
    }
    return result;
  }

  /** A filter without the bar before it. */
  Expr oneFilter(Expr value) {
    int line = tokens.line();
    String name = dottedName();
    if (!soft && !Filters.isKnown(name)) {
      throw new JinjaException("there is no filter named '%s'".formatted(name)).at(line);
    }
    Expr.Args args = tokens.current().isOperator("(") ? arguments() : Expr.Args.NONE;
    return new Expr.Filter(value, name, args, line);
  }

  private String dottedName() {
    StringBuilder name = new StringBuilder(tokens.expectName());
    while (tokens.skipOperator(".")) {
      name.append('.').append(tokens.expectName());
    }
    return name.toString();
  }

  private Expr test(Expr value) {
    int line = tokens.next().line();
    boolean negated = tokens.skipName("not");
    String name = dottedName();
    if (!soft && !Tests.isKnown(name)) {
      throw new JinjaException("there is no test named '%s'".formatted(name)).at(line);
    }
    Expr.Args args = Expr.Args.NONE;
    Token token = tokens.current();
    if (token.isOperator("(")) {
      args = arguments();
    } else if (beginsArgument(token)) {
      if (token.isName("is")) {
        throw tokens.fail("tests cannot be chained with 'is'");
      }
      Expr argument = postfix(primary(false));
      args = new Expr.Args(List.of(argument), List.of(), List.of(), null, null);
    }
    Expr test = new Expr.Test(value, name, args, line);
    return negated ? new Expr.Not(test) : test;
  }

  private static boolean beginsArgument(Token token) {
    return switch (token.kind()) {
      case STRING, NUMBER -> true;
      case OPERATOR -> token.isOperator("[") || token.isOperator("{");
      case NAME -> !token.isName("else") && !token.isName("or") && !token.isName("and");
      default -> false;
    };
  }
}
