package io.gatun.tools.convert;

import io.gatun.attention.Team;
import io.gatun.cache.GatunException;
import io.gatun.cache.KvType;
import io.gatun.tools.cli.Sizes;
import io.gatun.tools.cli.UserFiles;
import io.gatun.tools.config.ModelConfig;
import io.gatun.tools.config.ModelConfigReader;
import io.gatun.tools.plan.CacheCost;
import io.gatun.tools.text.Tokenizer;
import java.io.IOException;
import java.io.InputStream;
import java.io.PrintWriter;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.Locale;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.Parameters;
import picocli.CommandLine.Spec;

/** {@code gatun convert}: fewer KV heads for an existing checkpoint. */
@Command(
    name = "convert",
    mixinStandardHelpOptions = true,
    sortOptions = false,
    description =
        "Makes a checkpoint with fewer KV heads: pools the key and value heads of each group (from"
            + " MHA to GQA or MQA). Pooling is the first step of uptraining; the second, further"
            + " training of the whole model, is not done here.",
    footer = {
      "",
      "Every tensor but the key and value projections goes over bit for bit. The new folder appears"
          + " under its name when it is whole, and nothing is overwritten.",
      "",
      "  gatun convert --kv-heads 8 Llama-2-7b Llama-2-7b-gqa8 --report",
      "  gatun convert --kv-heads 4 IN OUT --tune 200 --text book.txt"
    })
public final class ConvertCommand implements Callable<Integer> {
  private static final int LEAST_TOKENS = 16;

  @Spec private CommandSpec spec;

  @Option(
      names = "--kv-heads",
      required = true,
      paramLabel = "N",
      description = "KV heads of the new model; divides those of the old one.")
  private int kvHeads;

  @Parameters(index = "0", paramLabel = "IN", description = "Folder of a Hugging Face checkpoint.")
  private Path in;

  @Parameters(index = "1", paramLabel = "OUT", description = "Folder to make.")
  private Path out;

  @Option(
      names = "--pool",
      paramLabel = "HOW",
      defaultValue = "mean",
      description =
          "mean of a group's heads, first of them, or random weights of the same spread"
              + " (default: ${DEFAULT-VALUE}).")
  private Pooling pooling;

  @Option(
      names = "--seed",
      paramLabel = "N",
      defaultValue = "1",
      description = "Seed of --pool random (default: ${DEFAULT-VALUE}).")
  private long seed;

  @Option(
      names = "--report",
      description = "Print how far each layer's attention output moves on a text.")
  private boolean report;

  @Option(
      names = "--tune",
      paramLabel = "STEPS",
      description =
          "Fit the projections of each layer to the original's outputs on --text, and"
              + " print the loss. It tunes projections; it is no training of the model.")
  private Integer steps;

  @Option(
      names = "--text",
      paramLabel = "FILE",
      description = "UTF-8 text for --tune and --report (for the latter a built-in one will do).")
  private Path text;

  @Option(
      names = "--tokens",
      paramLabel = "N",
      defaultValue = "256",
      description = "Tokens of the text that are used (default: ${DEFAULT-VALUE}).")
  private int maxTokens;

  @Option(
      names = "--threads",
      paramLabel = "N",
      description = "Threads for --report and --tune (default: all cores).")
  private Integer threads;

  /** Converts. */
  @Override
  public Integer call() {
    checkArguments();
    long start = System.nanoTime();
    PrintWriter print = spec.commandLine().getOut();
    try (Source source = Source.open(in);
        StagedFolder folder = StagedFolder.create(out);
        TensorScratch scratch = new TensorScratch(folder.path())) {
      Converter converter = new Converter(source, kvHeads, pooling, seed);
      if (report || steps != null) {
        study(source, converter, scratch);
      }
      converter.write(folder.path(), scratch.tensors());
      folder.publish();
      if (!converter.leftOut().isEmpty()) {
        print.println("not carried over: " + String.join(", ", converter.leftOut()));
      }
      print.println(summary(source, System.nanoTime() - start));
      print.flush();
    }
    return 0;
  }

  private void checkArguments() {
    if (kvHeads < 1) {
      throw usage("--kv-heads is %d, not at least 1".formatted(kvHeads));
    }
    if (steps != null && steps < 1) {
      throw usage("--tune is %d steps, not at least 1".formatted(steps));
    }
    if (steps != null && text == null) {
      throw usage("--tune needs a text to fit to: --text FILE");
    }
    if (text != null && steps == null && !report) {
      throw usage("--text is for --report and --tune");
    }
    if (maxTokens < LEAST_TOKENS) {
      throw usage("--tokens is %d, not at least %d".formatted(maxTokens, LEAST_TOKENS));
    }
    if (threads != null && threads < 1) {
      throw usage("--threads is %d, not at least 1".formatted(threads));
    }
  }

  private ParameterException usage(String message) {
    return new ParameterException(spec.commandLine(), message);
  }

  private void study(Source source, Converter converter, TensorScratch scratch) {
    ModelConfig config = ModelConfigReader.read(in);
    config.requirePlain("the report of a conversion");
    int[] ids = tokens();
    int cores = threads == null ? Runtime.getRuntime().availableProcessors() : threads;
    try (Team team = Team.of(cores);
        LayerStudy study =
            new LayerStudy(
                source,
                converter.pooler(),
                config,
                kvHeads,
                ids.length,
                steps == null ? 0 : steps,
                scratch,
                team,
                spec.commandLine().getOut());
        TextPass pass = new TextPass(source.checkpoint(), config, ids, team)) {
      study.printHead();
      pass.run(study);
    }
  }

  private int[] tokens() {
    int[] ids;
    try (Tokenizer tokenizer = Tokenizer.load(in)) {
      ids = tokenizer.encode(readText(), true);
    }
    if (ids.length < LEAST_TOKENS) {
      throw new GatunException(
          "%s has %d tokens; at least %d are needed".formatted(text, ids.length, LEAST_TOKENS));
    }
    return Arrays.copyOf(ids, Math.min(ids.length, maxTokens));
  }

  private String readText() {
    try {
      if (text == null) {
        return sampleText();
      }
      // A token takes less than 32 bytes of any text worth fitting to; a whole book is not needed.
      try (InputStream file = Files.newInputStream(UserFiles.require(text))) {
        byte[] front = file.readNBytes(Math.multiplyExact(32, maxTokens));
        return new String(front, StandardCharsets.UTF_8);
      }
    } catch (IOException e) {
      throw new GatunException("cannot read %s: %s".formatted(text, e), e);
    }
  }

  /** The text that is used where none is given. */
  public static String sampleText() {
    try (InputStream sample = ConvertCommand.class.getResourceAsStream("sample.txt")) {
      return new String(sample.readAllBytes(), StandardCharsets.UTF_8);
    } catch (IOException e) {
      throw new IllegalStateException("the built-in text cannot be read", e);
    }
  }

  private String summary(Source source, long nanos) {
    int before = source.heads().kvHeads();
    long bytes = CacheCost.of(source.cache(), KvType.BF16, 1).bytesPerToken();
    return String.format(
        Locale.ROOT,
        "%s: %d KV heads -> %d (%s) in %.1f s; a token's K/V in bf16 takes %s -> %s",
        out,
        before,
        kvHeads,
        before == kvHeads ? "unchanged" : pooling.name().toLowerCase(Locale.ROOT),
        nanos / 1e9,
        Sizes.human(bytes),
        Sizes.human(bytes * kvHeads / before));
  }
}
