package io.gatun.tools;

import io.gatun.tools.model.RandomModelCommand;
import io.gatun.tools.model.SpeedCommand;
import io.gatun.tools.recall.RecallCommand;
import picocli.CommandLine.Command;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.Spec;

/** {@code gatun model}: writes models that need no download, and measures models. */
@Command(
    name = "model",
    mixinStandardHelpOptions = true,
    subcommands = {RecallCommand.class, RandomModelCommand.class, SpeedCommand.class},
    description = "Writes models that need no download, as Hugging Face folders; measures models.")
final class ModelCommand implements Runnable {
  @Spec private CommandSpec spec;

  @Override
  public void run() {
    throw new ParameterException(spec.commandLine(), "Missing subcommand: recall, random or speed");
  }
}
