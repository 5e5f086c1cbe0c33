package io.gatun.tools.jinja;

import io.gatun.tools.jinja.Token.Kind;
import java.util.List;

/** Walks over the tokens of a template. */
final class TokenReader {
  private final List<Token> tokens;
  private int at;

  TokenReader(List<Token> tokens) {
    this.tokens = tokens;
  }

  Token current() {
    return tokens.get(at);
  }

  Token look() {
    return tokens.get(Math.min(at + 1, tokens.size() - 1));
  }

  Token next() {
    Token token = current();
    at = Math.min(at + 1, tokens.size() - 1);
    return token;
  }

  int line() {
    return current().line();
  }

  boolean skipName(String name) {
    boolean is = current().isName(name);
    if (is) {
      next();
    }
    return is;
  }

  boolean skipOperator(String operator) {
    boolean is = current().isOperator(operator);
    if (is) {
      next();
    }
    return is;
  }

  void expectOperator(String operator) {
    if (!skipOperator(operator)) {
      throw wrong("'%s'".formatted(operator));
    }
  }

  Token expect(Kind kind, String what) {
    if (!current().is(kind)) {
      throw wrong(what);
    }
    return next();
  }

  String expectName() {
    return expect(Kind.NAME, "a name").text();
  }

  void expectName(String name) {
    if (!skipName(name)) {
      throw wrong("'%s'".formatted(name));
    }
  }

  /** Something else was expected here. */
  JinjaException wrong(String expected) {
    return fail("expected %s, found %s".formatted(expected, current().describe()));
  }

  JinjaException fail(String message) {
    return new JinjaException(message).at(line());
  }
}
