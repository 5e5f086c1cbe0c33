package io.gatun.tools.convert;

import io.gatun.tools.cli.Failures;
import picocli.CommandLine;

/** A main class for tests that need a process of their own. */
final class ConvertInProcess {
  private ConvertInProcess() {}

  public static void main(String[] args) {
    System.exit(Failures.install(new CommandLine(new ConvertCommand())).execute(args));
  }
}
