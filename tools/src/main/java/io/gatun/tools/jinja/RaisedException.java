package io.gatun.tools.jinja;

/** The template itself refuses the conversation, by {@code raise_exception}. */
public final class RaisedException extends JinjaException {
  private static final long serialVersionUID = 1;

  RaisedException(String message) {
    super(message);
  }

  @Override
  JinjaException at(int line) {
    return this;
  }
}
