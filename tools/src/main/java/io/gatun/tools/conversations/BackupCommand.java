package io.gatun.tools.conversations;

import io.gatun.store.BackupProgress;
import io.gatun.store.BackupReport;
import io.gatun.store.ConversationStore;
import io.gatun.tools.cli.Progress;
import io.gatun.tools.cli.Sizes;
import java.io.PrintWriter;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;
import picocli.CommandLine.ParentCommand;

/** {@code gatun conversations backup}: copies a store that may be in use. */
@Command(
    name = "backup",
    mixinStandardHelpOptions = true,
    description = {
      "Copies the store to a folder, or brings an earlier backup there up to date. The store may be"
          + " in use: each conversation is copied as it was last committed. The backup is itself a"
          + " store, for --store; all of its rows are compared with their checksums. Cut off, it is"
          + " run again, and goes on. Not copied are settings and what recovery had cut off.",
      "What is damaged is named, and the rest is backed up; exit code 1 then. What is gone from the"
          + " store goes from the backup, too, if the store could be read without a fault."
    })
final class BackupCommand implements Callable<Integer> {
  @ParentCommand private ConversationsCommand parent;

  @Parameters(paramLabel = "DEST", description = "a new or empty folder, or an earlier backup")
  private Path folder;

  @Option(
      names = "--copy",
      description =
          "copy every block. Without it, blocks that never change again are hard links where the"
              + " file system has them: they take no space, and are lost with the store's own if"
              + " the disk fails")
  private boolean copy;

  @Override
  public Integer call() {
    BackupReport report;
    try (ConversationStore store = parent.open();
        Bar bar = new Bar()) {
      report = store.backup(folder, !copy, bar);
    }
    parent.done(facts(report), sentence(report));
    if (!parent.json()) {
      PrintWriter out = parent.out();
      report.removed().forEach(id -> out.printf("removed %s, which is gone from the store%n", id));
      report.notes().forEach(out::println);
      report.damaged().forEach((id, why) -> out.printf("NOT BACKED UP WHOLE: %s: %s%n", id, why));
      out.flush();
    }
    return report.whole() ? 0 : 1;
  }

  private static String sentence(BackupReport report) {
    return "%d conversation%s backed up to %s: %d blocks linked, %d copied (%s), %d kept; %s of rows compared with their checksums"
        .formatted(
            report.conversations().size(),
            report.conversations().size() == 1 ? "" : "s",
            report.folder(),
            report.linked(),
            report.copied(),
            Sizes.human(report.copiedBytes()),
            report.kept(),
            Sizes.human(report.rowBytes()));
  }

  private static Map<String, Object> facts(BackupReport report) {
    Map<String, Object> facts = new LinkedHashMap<>();
    facts.put("folder", report.folder().toString());
    facts.put("whole", report.whole());
    facts.put("conversations", report.conversations());
    facts.put("removed", report.removed());
    facts.put("damaged", report.damaged());
    facts.put("notes", report.notes());
    facts.put("linkedBlocks", report.linked());
    facts.put("copiedBlocks", report.copied());
    facts.put("keptBlocks", report.kept());
    facts.put("copiedBytes", report.copiedBytes());
    facts.put("comparedBytes", report.rowBytes());
    return facts;
  }

  /** The bar begins when the store has said how much there is. */
  private static final class Bar implements BackupProgress, AutoCloseable {
    private Progress progress;

    @Override
    public void at(String conversation, long done, long total) {
      if (progress == null) {
        progress = Progress.bytes("backup", total);
      }
      progress.to(done);
    }

    @Override
    public void close() {
      if (progress != null) {
        progress.close();
      }
    }
  }
}
