package io.gatun.tools.plan;

import io.gatun.tools.cli.Amounts;
import io.gatun.tools.cli.Sizes;
import io.gatun.tools.config.AttentionShape;
import io.gatun.tools.config.Kept;
import io.gatun.tools.config.ModelCache;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.OptionalLong;

/** Plans as text for a terminal. */
final class PlanText {
  private PlanText() {}

  /** One plan, a fact a line. */
  static String one(Plan plan, String budgetName) {
    ModelCache model = plan.model();
    List<String[]> lines = new ArrayList<>();
    String context = Amounts.grouped(plan.contextTokens()) + " tokens";
    String times = plan.batch() == 1 ? "" : " x %d sequences".formatted(plan.batch());
    lines.add(size("one token", plan.bytesPerToken(), ""));
    lines.add(size(context + times, plan.totalBytes(), ""));
    if (plan.bytesWithoutWindows() != plan.totalBytes()) {
      lines.add(size("  without its windows", plan.bytesWithoutWindows(), ""));
    }
    lines.add(size("  as MHA, a KV head for each query head", plan.mhaBytes(), saving(plan)));
    lines.add(size("  as MQA, 1 KV head", plan.mqaBytes(), ""));
    if (plan.gatunBytes() != plan.totalBytes()) {
      lines.add(size("  as Gatun keeps it", plan.gatunBytes(), ""));
    }
    if (plan.stateBytes() > 0) {
      lines.add(size("states beside the cache" + times, plan.stateBytes(), ""));
    }
    if (plan.crossBytesPerPosition() > 0) {
      lines.add(size("cross-attention, one position", plan.crossBytesPerPosition(), ""));
    }
    lines.add(budgetLine(plan, budgetName));
    if (plan.bandwidth() > 0) {
      lines.add(
          new String[] {
            "a decode step's attention takes",
            Amounts.seconds(plan.attentionFloorSeconds()),
            String.format(
                Locale.ROOT, "at least, at %.1f GB/s (10^9 bytes)", plan.bandwidth() / 1e9)
          });
    }
    StringBuilder text = new StringBuilder();
    text.append("%s (%s)\n".formatted(model.name(), model.source().text()));
    if (!model.rules().isEmpty()) {
      text.append("read by %s\n".formatted(model.rules()));
    }
    text.append("%d layers, K/V in %s\n\n".formatted(model.layers().size(), plan.kvType().label()));
    text.append(kinds(plan)).append('\n');
    int width = lines.stream().mapToInt(line -> line[0].length()).max().orElseThrow();
    for (String[] line : lines) {
      String pad = " ".repeat(width - line[0].length());
      text.append("  %s%s %12s  %s".formatted(line[0], pad, line[1], line[2]).stripTrailing());
      text.append('\n');
    }
    for (String note : notes(plan)) {
      text.append('\n').append(wrapped("Note: " + note));
    }
    return text.toString();
  }

  /** What the layers keep, the columns of numbers to the right. */
  private static String kinds(Plan plan) {
    StringBuilder text = new StringBuilder();
    List<String[]> table = LayerKinds.table(plan.model(), plan.kvType());
    int[] width = widths(table);
    for (String[] row : table) {
      String line =
          "  %s  %s  %s  %s"
              .formatted(
                  " ".repeat(width[0] - row[0].length()) + row[0],
                  row[1] + " ".repeat(width[1] - row[1].length()),
                  row[2] + " ".repeat(width[2] - row[2].length()),
                  " ".repeat(width[3] - row[3].length()) + row[3]);
      text.append(line.stripTrailing()).append('\n');
    }
    return text.toString();
  }

  private static String[] budgetLine(Plan plan, String budgetName) {
    OptionalLong max = plan.maxTokensInBudget();
    String each = plan.batch() == 1 ? "" : " of each sequence";
    return new String[] {
      "%s of %s holds".formatted(budgetName, Sizes.human(plan.budget())),
      max.isPresent() ? Amounts.grouped(max.getAsLong()) : "any length",
      max.isPresent() ? "tokens" + each : "(every layer has a window)"
    };
  }

  private static String[] size(String what, long bytes, String remark) {
    return new String[] {
      what, Sizes.human(bytes), "%18s bytes%s".formatted(Amounts.grouped(bytes), remark)
    };
  }

  private static String saving(Plan plan) {
    long mha = plan.mhaBytes();
    long own = plan.totalBytes();
    if (mha == own || own == 0) {
      return "";
    }
    return String.format(
        Locale.ROOT,
        "   saved %.1f %%, %.1f times",
        100 * plan.savedAgainstMha(),
        (double) mha / own);
  }

  private static String maxTokens(Plan plan) {
    OptionalLong max = plan.maxTokensInBudget();
    return max.isPresent() ? Amounts.grouped(max.getAsLong()) : "any";
  }

  private static List<String> notes(Plan plan) {
    ModelCache model = plan.model();
    List<String> notes = new ArrayList<>(model.notes());
    if (model.contextLimit() > 0 && plan.contextTokens() > model.contextLimit()) {
      notes.add(
          "%s was made for %s tokens."
              .formatted(model.name(), Amounts.grouped(model.contextLimit())));
    }
    if (!plan.gatunReason().isEmpty()) {
      notes.add("as Gatun keeps it: %s.".formatted(plan.gatunReason()));
    }
    if (plan.stateBytes() > 0) {
      notes.add(
          "states have recurrent values in F32 and a convolution's inputs in BF16; they do"
              + " not grow.");
    }
    model
        .all(Kept.Latent.class)
        .findFirst()
        .ifPresent(latent ->
            notes.add(
                "the MHA and MQA lines are for heads of %s, as in DeepSeek-V2, table 1."
                    .formatted(
                        latent.headKeyDim() == latent.headValueDim()
                            ? String.valueOf(latent.headValueDim())
                            : latent.headKeyDim() + " and " + latent.headValueDim())));
    return notes;
  }

  /** Several plans side by side, one a line. */
  static String compare(List<Plan> plans) {
    Plan first = plans.getFirst();
    List<String[]> table = new ArrayList<>();
    boolean timed = first.bandwidth() > 0;
    table.add(
        new String[] {
          "model",
          "layers",
          "heads/KV",
          "dim",
          "a token",
          "context",
          "as MHA",
          "saved",
          "as MQA",
          "in budget",
          timed ? "floor" : ""
        });
    boolean memory = false;
    for (Plan plan : plans) {
      ModelCache m = plan.model();
      String[] cells = LayerKinds.cells(m);
      boolean unchecked = m.source() == AttentionShape.Source.MEMORY;
      memory |= unchecked;
      table.add(
          new String[] {
            m.name() + (unchecked ? "*" : ""),
            String.valueOf(m.layers().size()),
            cells[0],
            cells[1],
            Sizes.human(plan.bytesPerToken()),
            Sizes.human(plan.totalBytes()),
            Sizes.human(plan.mhaBytes()),
            String.format(Locale.ROOT, "%.1f %%", 100 * plan.savedAgainstMha()),
            Sizes.human(plan.mqaBytes()),
            maxTokens(plan),
            timed ? Amounts.seconds(plan.attentionFloorSeconds()) : ""
          });
    }
    StringBuilder text = new StringBuilder();
    text.append(
        "%s tokens, %d sequence%s, %s, a budget of %s%s\n\n"
            .formatted(
                Amounts.grouped(first.contextTokens()),
                first.batch(),
                first.batch() == 1 ? "" : "s",
                first.kvType().label(),
                Sizes.human(first.budget()),
                timed
                    ? String.format(
                        Locale.ROOT, ", memory read at %.1f GB/s", first.bandwidth() / 1e9)
                    : ""));
    text.append(aligned(table));
    if (memory) {
      text.append("\n* from memory, not checked against its published config\n");
    }
    return text.toString();
  }

  /** The models that are known by name. */
  static String list(List<AttentionShape> models) {
    List<String[]> table = new ArrayList<>();
    table.add(new String[] {"model", "made for", "", "shape"});
    for (AttentionShape m : models) {
      table.add(
          new String[] {
            m.name(),
            Amounts.grouped(m.contextLimit()),
            m.source() == AttentionShape.Source.MEMORY ? "*" : "",
            m.describe()
          });
    }
    StringBuilder text = new StringBuilder();
    for (String[] cells : table) {
      text.append(String.format("%-18s %9s %1s %s", (Object[]) cells).stripTrailing()).append('\n');
    }
    text.append(
        "\nThe shapes were checked against the published configs, except where a * says that they"
            + " are\nfrom memory. What a model was made for is from memory throughout.\n");
    return text.toString();
  }

  /** Columns two blanks apart, the first to the left, the others to the right. */
  private static String aligned(List<String[]> table) {
    int[] width = widths(table);
    StringBuilder text = new StringBuilder();
    for (String[] row : table) {
      StringBuilder line = new StringBuilder();
      for (int c = 0; c < width.length; c++) {
        String pad = " ".repeat(width[c] - row[c].length());
        line.append(c == 0 ? row[c] + pad : "  " + pad + row[c]);
      }
      text.append(line.toString().stripTrailing()).append('\n');
    }
    return text.toString();
  }

  /** A sentence in lines of at most 98 columns. */
  private static String wrapped(String sentence) {
    StringBuilder text = new StringBuilder();
    int column = 0;
    for (String word : sentence.split(" ")) {
      boolean fits = column + 1 + word.length() <= 98;
      text.append(column == 0 ? "" : fits ? " " : "\n").append(word);
      column = column == 0 || !fits ? word.length() : column + 1 + word.length();
    }
    return text.append('\n').toString();
  }

  private static int[] widths(List<String[]> table) {
    int[] width = new int[table.getFirst().length];
    for (String[] row : table) {
      for (int c = 0; c < width.length; c++) {
        width[c] = Math.max(width[c], row[c].length());
      }
    }
    return width;
  }
}
