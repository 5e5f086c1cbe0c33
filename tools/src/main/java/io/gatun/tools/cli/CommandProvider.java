package io.gatun.tools.cli;

/**
 * A subcommand that stands in a module which tools does not know; found by {@link
 * java.util.ServiceLoader}.
 */
public interface CommandProvider {
  /** A new instance of an annotated picocli command. */
  Object command();
}
