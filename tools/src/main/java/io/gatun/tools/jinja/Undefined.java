package io.gatun.tools.jinja;

/** What jinja2 calls Undefined: empty where it is printed or counted, an error elsewhere. */
record Undefined(String message) {
  /** Ends the rendering with the reason why it is undefined. */
  JinjaException fail() {
    return new JinjaException(message);
  }

  static Undefined name(String name) {
    return new Undefined("'%s' is undefined".formatted(name));
  }

  static Undefined attribute(Object object, Object name) {
    return new Undefined(
        "%s has no %s %s"
            .formatted(
                PyText.typeName(object),
                name instanceof String ? "attribute" : "element",
                PyText.repr(name)));
  }
}
