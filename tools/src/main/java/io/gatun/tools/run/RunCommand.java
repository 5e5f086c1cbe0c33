package io.gatun.tools.run;

import io.gatun.cache.KvType;
import io.gatun.tools.cli.UserFolders;
import io.gatun.tools.model.WeightForm;
import io.gatun.tools.model.WeightOptions;
import io.gatun.tools.sampling.SamplingOptions;
import java.io.PrintWriter;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.Spec;

/** {@code gatun run}: the options, checked; {@link RunSession} does the work. */
@Command(
    name = "run",
    mixinStandardHelpOptions = true,
    description = {
      "Reads a context into a KV cache in mapped files and continues it.",
      "",
      "The cache stays: the next run of the same conversation opens it in milliseconds and reads"
          + " only what is new. Where the stored conversation begins with the context and prompt"
          + " given, it goes on from its end; where they differ, the common front is kept and the"
          + " rest is read anew. With no --context, the prompt is added to the conversation.",
      "",
      "With no arguments, the built-in model continues a passage of a bundled text.",
      ""
    })
public final class RunCommand implements Callable<Integer> {
  @Spec private CommandSpec spec;

  @Option(
      names = "--model",
      paramLabel = "DIR",
      description = "Hugging Face folder of a model; default: the built-in model, recall")
  private Path model;

  @Option(
      names = "--context",
      paramLabel = "FILE",
      description = "text to read first, UTF-8; may be given several times, in order")
  private List<Path> contexts = new ArrayList<>();

  @Option(names = "--prompt", paramLabel = "TEXT", description = "text to continue")
  private String prompt;

  @Option(
      names = "--chat",
      description =
          "the prompt is a user's message: the model's own chat template writes the whole"
              + " conversation out; a --context stands before the prompt in the message")
  private boolean chat;

  @Option(
      names = "--system",
      paramLabel = "TEXT",
      description = "with --chat: the system message that the conversation begins with")
  private String system;

  @Option(
      names = "--max-tokens",
      paramLabel = "N",
      defaultValue = "200",
      description = "tokens to generate at most; default ${DEFAULT-VALUE}")
  private int maxTokens;

  @Option(
      names = "--store",
      paramLabel = "DIR",
      description = "folder of stored conversations; default: 'store' in your data folder")
  private Path store;

  @Option(
      names = "--conversation",
      paramLabel = "ID",
      description =
          "which one, letters, digits, _ and -; default: one per model, form of its weights and"
              + " element type")
  private String conversation;

  @Option(
      names = "--kv-type",
      paramLabel = "TYPE",
      description =
          "element type of the cache: f32, f16, bf16, q8, q4, and q8-plain and q4-plain without"
              + " the rotation; default: that of the weights")
  private KvType kvType;

  @Option(
      names = "--weights",
      paramLabel = "FORM",
      defaultValue = "model",
      description =
          "model: as the folder has them; q8: rounded to 8 bits, which halves what a step reads of"
              + " 16-bit weights; rounded once and kept in a file. Default: ${DEFAULT-VALUE}")
  private WeightForm weights;

  @Option(
      names = "--weights-dir",
      paramLabel = "DIR",
      description = "where rounded weights are kept; default: in the model's folder")
  private Path weightsFolder;

  @Option(
      names = "--rope-length",
      paramLabel = "N",
      defaultValue = "0",
      description =
          "tokens that the angles of positions are made for, for models whose angles depend on it"
              + " (rope types dynamic and longrope); default: the least")
  private long ropeLength;

  @Option(
      names = "--beyond-trained-length",
      description = "go on past the positions that the model was trained for")
  private boolean beyondTrainedLength;

  @Option(
      names = "--commit-every",
      paramLabel = "N",
      description =
          "commit each time so many tokens were added, and say so on stderr; default: every"
              + " 256, silently")
  private Integer commitEvery;

  @Option(
      names = "--temperature",
      paramLabel = "T",
      defaultValue = "0",
      description = "0 takes the likeliest token; default ${DEFAULT-VALUE}")
  private double temperature;

  @Option(
      names = "--top-k",
      paramLabel = "K",
      defaultValue = "0",
      description = "sample from the K likeliest tokens; 0: from all")
  private int topK;

  @Option(
      names = "--top-p",
      paramLabel = "P",
      defaultValue = "1",
      description = "sample from the likeliest tokens that have P of the probability together")
  private double topP;

  @Option(
      names = "--seed",
      paramLabel = "S",
      defaultValue = "0",
      description = "of the sampling; a resumed conversation goes on as an uninterrupted one would")
  private long seed;

  @Option(
      names = "--threads",
      paramLabel = "N",
      description = "threads; default: all processors. The result does not depend on it")
  private Integer threads;

  @Option(names = "--json", description = "print as last line an object that says what was done")
  private boolean json;

  @Override
  public Integer call() {
    check(maxTokens >= 0, "--max-tokens is %s, not 0 or more", maxTokens);
    check(
        commitEvery == null || commitEvery > 0, "--commit-every is %s, not 1 or more", commitEvery);
    check(
        temperature >= 0 && Double.isFinite(temperature),
        "--temperature is %s, not 0 or more",
        temperature);
    check(topK >= 0, "--top-k is %s, not 0 or more", topK);
    check(topP > 0 && topP <= 1, "--top-p is %s, not above 0 and at most 1", topP);
    check(ropeLength >= 0, "--rope-length is %s, not 0 or more", ropeLength);
    check(threads == null || threads > 0, "--threads is %s, not 1 or more", threads);
    check(
        conversation == null || conversation.matches("[A-Za-z0-9_-]{1,64}"),
        "--conversation is '%s', not 1 to 64 letters, digits, _ and -",
        conversation);
    check(!chat || prompt != null, "--chat needs a --prompt%s", "");
    check(system == null || chat, "--system needs --chat%s", "");
    int team = threads == null ? Runtime.getRuntime().availableProcessors() : threads;
    PrintWriter err = spec.commandLine().getErr();
    RunRequest request =
        new RunRequest(
            model,
            WeightOptions.of(weights, weightsFolder, message -> err.println("gatun: " + message)),
            List.copyOf(contexts),
            prompt,
            chat,
            system,
            maxTokens,
            store == null ? UserFolders.data().resolve("store") : store,
            conversation,
            kvType,
            commitEvery,
            new SamplingOptions(temperature, topK, topP, seed),
            team,
            json,
            ropeLength,
            beyondTrainedLength);
    return new RunSession(request, spec.commandLine().getOut(), err).run();
  }

  private void check(boolean holds, String message, Object value) {
    if (!holds) {
      throw new ParameterException(spec.commandLine(), message.formatted(value));
    }
  }
}
