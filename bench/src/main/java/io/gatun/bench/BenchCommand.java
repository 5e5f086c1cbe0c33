package io.gatun.bench;

import picocli.CommandLine.Command;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.Spec;

/** The group of measuring commands. */
@Command(
    name = "bench",
    mixinStandardHelpOptions = true,
    description = {
      "Measures Gatun on this machine, beside a yardstick taken in the same run.",
      "",
      "A decode step has to read every K and V byte once. The yardstick, the ceiling, is the time"
          + " that a plain vectorised read of the same bytes takes in the same process; it"
          + " alternates with what is measured, and the tables give the share of it.",
      ""
    },
    subcommands = {
      TargetsCommand.class,
      DecodeCommand.class,
      PrefillCommand.class,
      LatentCommand.class,
      ScalingCommand.class,
      PeersCommand.class,
      AccuracyCommand.class,
      JmhCommand.class
    })
public final class BenchCommand implements Runnable {
  @Spec private CommandSpec spec;

  @Override
  public void run() {
    throw new ParameterException(
        spec.commandLine(),
        "Say what to measure: targets, decode, prefill, latent, scaling, peers, accuracy or jmh");
  }
}
