package io.gatun.tools.conversations;

import io.gatun.cache.GatunException;
import java.io.Console;
import java.util.Arrays;

/** Where a passphrase comes from: the environment, or the person at the terminal. */
final class Passphrase {
  private static final String VARIABLE = "GATUN_PASSPHRASE";

  private Passphrase() {}

  /** For sealing: asked for twice. */
  static char[] forSealing() {
    char[] given = environment();
    if (given != null) {
      return given;
    }
    Console console = console();
    char[] first = console.readPassword("Passphrase: ");
    char[] second = console.readPassword("Once more: ");
    if (first == null || first.length == 0 || !Arrays.equals(first, second)) {
      throw new GatunException("no passphrase, or two different ones");
    }
    return first;
  }

  /** For opening. */
  static char[] forOpening() {
    char[] given = environment();
    if (given != null) {
      return given;
    }
    char[] typed = console().readPassword("Passphrase: ");
    if (typed == null) {
      throw new GatunException("no passphrase");
    }
    return typed;
  }

  private static char[] environment() {
    String value = System.getenv(VARIABLE);
    return value == null || value.isEmpty() ? null : value.toCharArray();
  }

  private static Console console() {
    Console console = System.console();
    if (console == null || !console.isTerminal()) {
      throw new GatunException(
          "a passphrase is needed and nobody can be asked here: set " + VARIABLE);
    }
    return console;
  }
}
