package io.gatun.tools;

import picocli.CommandLine;
import picocli.CommandLine.Command;

/** The {@code gatun} command. */
@Command(
    name = "gatun",
    mixinStandardHelpOptions = true,
    version = "gatun 0.1.0",
    description = "An off-heap, memory-mapped KV cache for transformer decoding.")
public final class Gatun {
  private Gatun() {}

  /** Runs one command and exits with its code. */
  public static void main(String[] args) {
    System.exit(new CommandLine(new Gatun()).execute(args));
  }
}
