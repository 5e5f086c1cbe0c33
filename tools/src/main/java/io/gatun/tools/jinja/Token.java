package io.gatun.tools.jinja;

/**
 * A piece of a template.
 *
 * @param text as it is written; of a string, what it says
 * @param value the number of a number, else null
 */
record Token(Kind kind, String text, Object value, int line) {
  /** What it is. */
  enum Kind {
    DATA,
    BLOCK_BEGIN,
    BLOCK_END,
    VARIABLE_BEGIN,
    VARIABLE_END,
    NAME,
    STRING,
    NUMBER,
    OPERATOR,
    EOF
  }

  boolean is(Kind wanted) {
    return kind == wanted;
  }

  boolean isName(String name) {
    return kind == Kind.NAME && text.equals(name);
  }

  boolean isOperator(String operator) {
    return kind == Kind.OPERATOR && text.equals(operator);
  }

  /** For messages. */
  String describe() {
    return switch (kind) {
      case EOF -> "the end of the template";
      case BLOCK_END -> "'%}'";
      case VARIABLE_END -> "'}}'";
      case DATA -> "text";
      default -> "'%s'".formatted(text);
    };
  }
}
