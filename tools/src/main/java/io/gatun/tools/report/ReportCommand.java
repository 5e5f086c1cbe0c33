package io.gatun.tools.report;

import com.sun.management.OperatingSystemMXBean;
import io.gatun.attention.Team;
import io.gatun.cache.GatunException;
import io.gatun.tools.cli.Sizes;
import io.gatun.tools.cli.UserFiles;
import io.gatun.tools.cli.UserFolders;
import io.gatun.tools.config.AttentionShape;
import io.gatun.tools.config.ModelCatalog;
import io.gatun.tools.convert.ConvertCommand;
import io.gatun.tools.model.Model;
import io.gatun.tools.recall.Recall;
import java.io.IOException;
import java.io.InputStream;
import java.lang.management.ManagementFactory;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.LocalDate;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.Spec;

/** {@code gatun report}: the figures and tables, as one page. */
@Command(
    name = "report",
    mixinStandardHelpOptions = true,
    sortOptions = false,
    description =
        "Makes a page of figures: what fewer KV heads save, what published models keep, where heads"
            + " look, what has to be computed, what reaches a KV head in training, what fits and"
            + " where time goes. All of it computed or measured now, on this machine; takes about a"
            + " minute.",
    footer = {
      "",
      "Writes index.html, which needs nothing else, and beside it each chart as PNG and each table"
          + " as CSV. Files of an earlier report in that folder are replaced.",
      "",
      "  gatun report -o report",
      "  gatun report -o report --model Qwen2.5-7B --run Qwen2.5-0.5B-folder --text notes.txt"
    })
public final class ReportCommand implements Callable<Integer> {
  private static final int MOST_TEXT_BYTES = 1 << 14;

  @Spec private CommandSpec spec;

  @Option(
      names = {"-o", "--output"},
      required = true,
      paramLabel = "DIR",
      description = "Folder for the page and its files.")
  private Path output;

  @Option(
      names = "--model",
      paramLabel = "NAME",
      defaultValue = "Llama-3.1-8B",
      description = "Published model whose shape the figures take (default: ${DEFAULT-VALUE}).")
  private String modelName;

  @Option(
      names = "--run",
      paramLabel = "DIR",
      description =
          "Folder of a model to run for the attention patterns and the measured steps"
              + " (default: the built-in one).")
  private Path run;

  @Option(
      names = "--text",
      paramLabel = "FILE",
      description = "UTF-8 text to run it on; its first 96 tokens are used.")
  private Path text;

  @Option(
      names = "--layer",
      paramLabel = "N",
      description = "Layer whose patterns are shown (default: the one where heads differ most).")
  private Integer layer;

  @Option(
      names = "--threads",
      paramLabel = "N",
      description = "Threads of the measurements (default: all cores).")
  private Integer threads;

  @Option(
      names = "--no-measure",
      description = "Leave out the measured times of the last figure, which take most of the time.")
  private boolean noMeasure;

  /** Makes the page. */
  @Override
  public Integer call() {
    if (threads != null && threads < 1) {
      throw new ParameterException(
          spec.commandLine(), "--threads is %d, not at least 1".formatted(threads));
    }
    AttentionShape shape = shape();
    Path folder =
        run != null ? run : Recall.ensure(UserFolders.data().resolve("models").resolve("recall"));
    String name =
        run != null
            ? run.toAbsolutePath().normalize().getFileName().toString()
            : "the built-in model";
    int cores = threads != null ? threads : Runtime.getRuntime().availableProcessors();
    Path page;
    try (Model model = Model.load(folder);
        Team team = Team.of(cores)) {
      Page writer = new Page(output);
      writer.add(1, ProjectionFigure.of(shape));
      writer.add(2, ModelsFigure.create());
      writer.add(3, patterns(model, name, team));
      writer.add(4, FlopsFigure.of(shape));
      writer.add(5, GradientFigure.of(team));
      writer.add(6, MapFigure.of(shape, model, name, !noMeasure, team));
      page = writer.write(introduction(shape, name, cores));
    }
    spec.commandLine().getOut().println(page);
    spec.commandLine().getOut().flush();
    return 0;
  }

  /**
   * The model that is run; and where that is the built-in one, whose weights are computed so that some
   * groups hold equal keys, also one with random weights.
   */
  private Figure patterns(Model model, String name, Team team) {
    List<PatternFigure.Run> runs = new ArrayList<>();
    if (run != null) {
      runs.add(new PatternFigure.Run(model, name, text(), layer, "3"));
      return PatternFigure.of(runs, team);
    }
    runs.add(new PatternFigure.Run(model, name, text(), layer, "3a"));
    try (RandomModel random = new RandomModel()) {
      runs.add(
          new PatternFigure.Run(
              random.model(),
              "a model with random weights",
              ConvertCommand.sampleText(),
              null,
              "3b"));
      return PatternFigure.of(runs, team);
    }
  }

  private AttentionShape shape() {
    try {
      return ModelCatalog.find(modelName);
    } catch (GatunException e) {
      throw new ParameterException(spec.commandLine(), e.getMessage());
    }
  }

  private String text() {
    if (text == null) {
      return run != null ? ConvertCommand.sampleText() : repeatedPassage();
    }
    try (InputStream file = Files.newInputStream(UserFiles.require(text))) {
      return new String(file.readNBytes(MOST_TEXT_BYTES), StandardCharsets.UTF_8);
    } catch (IOException e) {
      throw new GatunException("cannot read %s: %s".formatted(text, e), e);
    }
  }

  /** What the built-in model is made for: a passage, and its beginning once more. */
  private static String repeatedPassage() {
    String passage = Recall.text().strip().replaceAll("\\s+", " ");
    return passage.substring(0, 56) + passage.substring(0, 40);
  }

  private String introduction(AttentionShape shape, String name, int cores) {
    OperatingSystemMXBean machine =
        ManagementFactory.getPlatformMXBean(OperatingSystemMXBean.class);
    StringBuilder html = new StringBuilder();
    html.append(
        "<p>A decoder keeps a key and a value for each token, layer and KV head, and reads all of"
            + " them for each new token. These figures show what that costs, and what sharing heads"
            + " saves. Each number was computed or measured by Gatun when the page was made.</p>\n"
            + "<nav><ol>\n");
    List<String> titles =
        List.of(
            "What fewer KV heads save",
            "What published models keep",
            "Where heads of a group look",
            "What has to be computed",
            "What reaches a KV head in training",
            "What fits, and where time goes");
    for (int i = 0; i < titles.size(); i++) {
      html.append("<li><a href=\"#figure-%d\">%s</a></li>\n".formatted(i + 1, titles.get(i)));
    }
    html.append("</ol></nav>\n<dl>\n");
    fact(html, "shape", shape.name() + ": " + shape.describe());
    fact(html, "model run", name);
    fact(
        html,
        "machine",
        "%d threads of %d cores, %s of memory, %s %s"
            .formatted(
                cores,
                Runtime.getRuntime().availableProcessors(),
                Sizes.human(machine.getTotalMemorySize()),
                machine.getName(),
                machine.getArch()));
    fact(html, "java", System.getProperty("java.vm.name") + " " + Runtime.version());
    fact(html, "made", LocalDate.now() + " by gatun report");
    html.append("</dl>\n");
    return html.toString();
  }

  private static void fact(StringBuilder html, String what, String value) {
    html.append("<dt>%s</dt><dd>%s</dd>\n".formatted(what, Page.escape(value)));
  }
}
