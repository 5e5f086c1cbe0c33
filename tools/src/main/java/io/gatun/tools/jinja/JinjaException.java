package io.gatun.tools.jinja;

import io.gatun.cache.GatunException;

/** A template cannot be read, or not be rendered with what it was given. */
public class JinjaException extends GatunException {
  private static final long serialVersionUID = 1;

  /** With a sentence for the user. */
  public JinjaException(String message) {
    super(message);
  }

  /** jinja2 can do this and Gatun cannot. */
  static JinjaException unsupported(String construct) {
    return new JinjaException("Gatun's Jinja cannot do %s".formatted(construct));
  }

  /** The same at a line, unless one is given already. */
  JinjaException at(int line) {
    return this instanceof AtLine ? this : new AtLine("line %d: %s".formatted(line, getMessage()));
  }

  /** Names a line. */
  private static final class AtLine extends JinjaException {
    private static final long serialVersionUID = 1;

    AtLine(String message) {
      super(message);
    }
  }
}
