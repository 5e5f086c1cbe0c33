package io.gatun.tools.recall;

import java.nio.file.Path;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Parameters;
import picocli.CommandLine.Spec;

/** {@code gatun model recall}: writes the built-in model. */
@Command(
    name = "recall",
    mixinStandardHelpOptions = true,
    description = {
      "Writes the built-in model as a Hugging Face folder (about 3 MB).",
      "",
      "It is a byte-level Llama of two layers with 24 query heads and 2 KV heads whose weights are"
          + " computed. It continues any passage of its context verbatim: it looks up where the"
          + " last 24 bytes stood before, and copies the byte that followed."
    })
public final class RecallCommand implements Callable<Integer> {
  @Spec private CommandSpec spec;

  @Parameters(paramLabel = "DIR", description = "A new or empty folder.")
  private Path folder;

  /** Made by picocli. */
  public RecallCommand() {}

  @Override
  public Integer call() {
    Recall.write(folder);
    spec.commandLine().getOut().println("The model recall is in " + folder);
    return 0;
  }
}
