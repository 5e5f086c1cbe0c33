package io.gatun.cache;

/**
 * A failure that its message explains to the person who reads it: what was expected, what was
 * found, where, and what to do. Commands print the message alone, without a stack trace.
 */
public class GatunException extends RuntimeException {
  private static final long serialVersionUID = 1L;

  /** A failure with its explanation. */
  public GatunException(String message) {
    super(message);
  }

  /** A failure with its explanation and what caused it. */
  public GatunException(String message, Throwable cause) {
    super(message, cause);
  }
}
