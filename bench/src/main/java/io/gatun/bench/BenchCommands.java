package io.gatun.bench;

import io.gatun.tools.cli.CommandProvider;

/** Brings {@code gatun bench}. */
public final class BenchCommands implements CommandProvider {
  @Override
  public Object command() {
    return new BenchCommand();
  }
}
