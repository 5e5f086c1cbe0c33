package io.gatun.tools.conversations;

import com.fasterxml.jackson.databind.ObjectMapper;
import io.gatun.cache.GatunException;
import io.gatun.store.ConversationInfo;
import io.gatun.store.ConversationStore;
import io.gatun.store.Eviction;
import io.gatun.store.Garbage;
import io.gatun.store.Verification;
import io.gatun.tools.cli.Progress;
import io.gatun.tools.cli.Sizes;
import io.gatun.tools.cli.Stores;
import io.gatun.tools.cli.Terminal;
import io.gatun.tools.cli.UserFiles;
import java.io.Console;
import java.io.IOException;
import java.io.PrintWriter;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import picocli.CommandLine.Command;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.Parameters;
import picocli.CommandLine.ScopeType;
import picocli.CommandLine.Spec;

/** {@code gatun conversations}: lists, copies, cuts, checks and removes stored conversations. */
@Command(
    name = "conversations",
    mixinStandardHelpOptions = true,
    subcommands = BackupCommand.class,
    description = {
      "Lists, copies, cuts, checks, exports, backs up and removes stored conversations. Needs no"
          + " model.",
      ""
    },
    footer = {
      "",
      "  gatun conversations list",
      "  gatun conversations fork talk other --at 1000",
      "  gatun conversations verify",
      "  gatun conversations export talk talk.safetensors",
      "  gatun conversations backup /mnt/backup/store"
    })
public final class ConversationsCommand implements Runnable {
  private static final ObjectMapper JSON = new ObjectMapper();

  @Spec private CommandSpec spec;

  @Option(
      names = "--store",
      paramLabel = "DIR",
      scope = ScopeType.INHERIT,
      description = "folder of stored conversations; default: 'store' in your data folder")
  private Path folder;

  @Option(names = "--json", scope = ScopeType.INHERIT, description = "print JSON")
  private boolean json;

  @Override
  public void run() {
    throw new ParameterException(
        spec.commandLine(),
        "which one? conversations " + String.join("|", spec.subcommands().keySet()));
  }

  @Command(
      name = "list",
      mixinStandardHelpOptions = true,
      description =
          "One line for each conversation. STATE says open, pinned, unclean (its last writer did"
              + " not close it), damaged; imported: its K/V came from a file and is not handed to"
              + " other conversations.")
  int list(@Parameters(arity = "0..*", paramLabel = "ID") List<String> ids) {
    try (ConversationStore store = open()) {
      List<ConversationInfo> infos = new ArrayList<>(store.list());
      if (ids != null) {
        ids.forEach(id -> require(store, id));
        infos.removeIf(info -> !ids.contains(info.id()));
      }
      if (json) {
        print(infos.stream().map(Facts::of).toList());
      } else if (infos.isEmpty()) {
        out().println("no conversations in " + store.folder());
      } else {
        ConversationTable.print(infos, out(), Terminal.width());
        out()
            .printf(
                "%n%d conversation%s, %s on disk%n",
                infos.size(), infos.size() == 1 ? "" : "s", Sizes.human(store.stats().fileBytes()));
      }
    }
    return 0;
  }

  @Command(
      name = "show",
      mixinStandardHelpOptions = true,
      description = "Everything that is known about a conversation without opening it.")
  int show(@Parameters(paramLabel = "ID") String id) {
    try (ConversationStore store = open()) {
      Map<String, Object> facts = Facts.of(store.info(id));
      if (json) {
        print(facts);
      } else {
        facts.forEach((name, value) -> out().printf("%-16s %s%n", name, Facts.text(name, value)));
      }
    }
    return 0;
  }

  @Command(
      name = "fork",
      mixinStandardHelpOptions = true,
      description = "Makes a second conversation from the first tokens of one. Copies no K/V.")
  int fork(
      @Parameters(paramLabel = "ID") String id,
      @Parameters(paramLabel = "NEW") String newId,
      @Option(names = "--at", paramLabel = "TOKENS", description = "default: all tokens") Long at) {
    try (ConversationStore store = open()) {
      if (at == null) {
        store.fork(id, newId);
      } else {
        store.fork(id, newId, at);
      }
      ConversationInfo made = store.info(newId);
      done(
          Facts.of(made),
          "%s has the first %,d tokens of %s, %,d of them with K/V"
              .formatted(newId, made.tokens(), id, made.committedTokens()));
    }
    return 0;
  }

  @Command(
      name = "truncate",
      mixinStandardHelpOptions = true,
      description = "Cuts a conversation: keeps its first TOKENS tokens.")
  int truncate(
      @Parameters(paramLabel = "ID") String id,
      @Parameters(paramLabel = "TOKENS") long tokens,
      @Option(
              names = "--erase",
              description =
                  "overwrite the ids and rows that are cut off, and those of earlier cuts; rows"
                      + " that another conversation holds stay, and exit code 1 says so. File"
                      + " systems, snapshots and SSDs may keep old bytes all the same")
          boolean erase) {
    try (ConversationStore store = open()) {
      long before = store.info(id).tokens();
      List<String> left = store.truncate(id, tokens, erase);
      done(
          Facts.of(store.info(id)),
          "%s has %,d tokens, %,d fewer".formatted(id, tokens, before - tokens));
      left.forEach(sentence -> err().println("gatun: not erased: " + sentence));
      return left.isEmpty() ? 0 : 1;
    }
  }

  @Command(
      name = "rename",
      mixinStandardHelpOptions = true,
      description = "Gives a conversation another name.")
  int rename(
      @Parameters(paramLabel = "ID") String id, @Parameters(paramLabel = "NEW") String newId) {
    try (ConversationStore store = open()) {
      store.rename(id, newId);
      done(Facts.of(store.info(newId)), "%s is now %s".formatted(id, newId));
    }
    return 0;
  }

  @Command(
      name = "delete",
      mixinStandardHelpOptions = true,
      description = "Removes conversations for good. Blocks that others share stay.")
  int delete(
      @Parameters(arity = "1..*", paramLabel = "ID") List<String> ids,
      @Option(names = "--yes", description = "do not ask") boolean yes,
      @Option(
              names = "--erase",
              description = "overwrite the files before they are removed, as far as a file can be")
          boolean erase) {
    try (ConversationStore store = open()) {
      long bytes = 0;
      for (String id : ids) {
        bytes += store.info(id).ownBytes();
      }
      if (!yes
          && !confirmed("delete %s (%s)?".formatted(String.join(", ", ids), Sizes.human(bytes)))) {
        out().println("nothing was deleted");
        return 1;
      }
      long freed = 0;
      for (String id : ids) {
        freed += store.delete(id, erase);
      }
      done(
          Map.of("deleted", ids, "freedBytes", freed),
          "deleted %s, freed %s".formatted(String.join(", ", ids), Sizes.human(freed)));
    }
    return 0;
  }

  @Command(
      name = "pin",
      mixinStandardHelpOptions = true,
      description = "Keeps a conversation from being evicted.")
  int pin(
      @Parameters(paramLabel = "ID") String id,
      @Option(names = "--off", description = "lets it be evicted again") boolean off) {
    try (ConversationStore store = open()) {
      store.pin(id, !off);
      done(Facts.of(store.info(id)), id + (off ? " can be evicted" : " is pinned"));
    }
    return 0;
  }

  @Command(
      name = "evict",
      mixinStandardHelpOptions = true,
      description = {
        "Removes whole conversations, those first that were not used for longest, until the store"
            + " takes no more than a size. Never a pinned, an open or a damaged one, and none that"
            + " the size is reached without.",
        "If the size cannot be reached, nothing is removed, --dry-run or not: the message says how"
            + " far eviction could come and what keeps the rest; exit code 1."
      })
  int evict(
      @Option(names = "--to", required = true, paramLabel = "SIZE", description = "such as 20GiB")
          String size,
      @Option(names = "--dry-run", description = "only say what would go") boolean dryRun) {
    try (ConversationStore store = open()) {
      Eviction eviction = store.evict(Sizes.parse(size), dryRun);
      if (json) {
        print(
            Map.of(
                "evicted",
                eviction.victims().stream().map(Eviction.Victim::id).toList(),
                "bytesBefore",
                eviction.bytesBefore(),
                "bytesAfter",
                eviction.bytesAfter(),
                "dryRun",
                dryRun));
      } else {
        for (Eviction.Victim victim : eviction.victims()) {
          out()
              .printf(
                  "%s %s, %s, last used %s%n",
                  dryRun ? "would evict" : "evicted",
                  victim.id(),
                  Sizes.human(victim.freedBytes()),
                  Facts.time(victim.lastUsed()));
        }
        out()
            .printf(
                "%s before, %s after%n",
                Sizes.human(eviction.bytesBefore()), Sizes.human(eviction.bytesAfter()));
      }
    }
    return 0;
  }

  @Command(
      name = "verify",
      mixinStandardHelpOptions = true,
      description =
          "Compares all bytes of conversations with their checksums. Exit code 1 if any differ.")
  int verify(@Parameters(arity = "0..*", paramLabel = "ID") List<String> ids) {
    List<Verification> results = new ArrayList<>();
    try (ConversationStore store = open()) {
      List<ConversationInfo> wanted = new ArrayList<>(store.list());
      if (ids != null) {
        ids.forEach(id -> require(store, id));
        wanted.removeIf(info -> !ids.contains(info.id()));
      }
      long bytes =
          wanted.stream()
              .filter(info -> info.layout() != null)
              .mapToLong(info -> info.committedTokens() * info.layout().bytesPerToken())
              .sum();
      try (Progress progress = Progress.bytes("verify", bytes)) {
        for (ConversationInfo info : wanted) {
          results.add(store.verify(info.id(), progress::by));
        }
      }
    }
    if (json) {
      print(results.stream().map(Facts::of).toList());
    } else {
      for (Verification result : results) {
        out()
            .printf(
                "%s: %s, %,d tokens, %,d with K/V%s%n",
                result.id(),
                result.sound() ? "sound" : "DAMAGED",
                result.tokens(),
                result.committedTokens(),
                result.sound()
                    ? ""
                    : ", of which the first %,d are sound".formatted(result.soundTokens()));
        result.damage().forEach(damage -> out().println("  " + damage));
      }
    }
    return results.stream().allMatch(Verification::sound) ? 0 : 1;
  }

  @Command(
      name = "gc",
      mixinStandardHelpOptions = true,
      description = {
        "Removes what crashes left behind: unfinished conversations, unneeded blocks.",
        "What is damaged or foreign is left, and named with what is wrong with it; the rest is done"
            + " all the same, exit code 0. As long as the journal of one conversation cannot be"
            + " read, no block is removed: it may need any of them."
      })
  int gc(@Option(names = "--dry-run", description = "only say what would go") boolean dryRun) {
    try (ConversationStore store = open()) {
      Garbage garbage = store.gc(dryRun);
      if (json) {
        print(
            Map.of(
                "removed", garbage.removed(),
                "bytes", garbage.bytes(),
                "findings", garbage.findings(),
                "dryRun", dryRun));
      } else {
        garbage
            .removed()
            .forEach(path -> out().println((dryRun ? "would remove " : "removed ") + path));
        garbage.findings().forEach(finding -> out().println("left: " + finding));
        out()
            .printf(
                "%s files and folders: %d, %s%n",
                dryRun ? "would remove" : "removed",
                garbage.removed().size(),
                Sizes.human(garbage.bytes()));
      }
    }
    return 0;
  }

  @Command(
      name = "export",
      mixinStandardHelpOptions = true,
      description = {
        "Writes a conversation to one .safetensors file: token ids, K and V of each layer as"
            + " [kvHeads, tokens, dim], checksums. f32, f16 and bf16 are written bit for bit; q8"
            + " and q4 decoded, as F32, and the file says what they were.",
        "With --encrypt the file is sealed with a passphrase (AES-256-GCM, PBKDF2): K/V can be"
            + " turned back into the text. The passphrase is asked for, or comes from"
            + " GATUN_PASSPHRASE."
      })
  int export(
      @Parameters(paramLabel = "ID") String id,
      @Parameters(paramLabel = "FILE") Path file,
      @Option(names = "--encrypt", description = "seal it with a passphrase") boolean encrypt,
      @Option(names = "--force", description = "replace an existing file") boolean force) {
    Path into = file.toAbsolutePath().getParent();
    if (Files.isDirectory(file)) {
      throw new GatunException("%s is a folder; name the file to write".formatted(file));
    }
    if (into == null || !Files.isDirectory(into)) {
      throw new GatunException("there is no folder %s to write the file to".formatted(into));
    }
    if (!force && Files.exists(file)) {
      throw new GatunException("%s exists already; --force replaces it".formatted(file));
    }
    if (Files.exists(file) && !Files.isRegularFile(file)) {
      throw new GatunException(
          "%s is a pipe, a socket or a device, not a file; name the file to write".formatted(file));
    }
    try (ConversationStore store = open()) {
      require(store, id);
      char[] passphrase = encrypt ? Passphrase.forSealing() : null;
      Map<String, Object> said = ConversationExport.run(store, id, file, passphrase);
      done(
          said,
          "exported %,d tokens, %,d with K/V, to %s (%s)"
              .formatted(
                  (Integer) said.get("tokens"),
                  (Long) said.get("committedTokens"),
                  file,
                  Sizes.human((Long) said.get("bytes"))));
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
    return 0;
  }

  @Command(
      name = "import",
      mixinStandardHelpOptions = true,
      description = {
        "Makes a conversation of the recorded element type from an exported file, after checking"
            + " all of it. f32, f16 and bf16 come back bit for bit; q8 and q4 are encoded again,"
            + " which moves a value by no more than f32 rounding, or by one step where it lay"
            + " between two.",
        "The checks cannot tell whether the K/V is what the model gives for these tokens. So the"
            + " conversation is marked as imported, for good: no new conversation that begins with"
            + " the same text gets its K/V, and its forks are marked too. With --trusted it is"
            + " taken as if this store had made it."
      })
  int importFile(
      @Option(
              names = "--trusted",
              description =
                  "the file's source is trusted: its K/V may be reused by other conversations")
          boolean trusted,
      @Parameters(paramLabel = "FILE") Path file,
      @Parameters(arity = "0..1", paramLabel = "ID", description = "default: the name it had")
          String id) {
    if (Files.isDirectory(file)) {
      throw new GatunException("%s is a folder; name an exported file".formatted(file));
    }
    if (!Files.exists(file)) {
      throw new GatunException("there is no file %s".formatted(file));
    }
    try {
      // Before a store is made for it.
      UserFiles.require(file);
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
    try (ConversationStore store = openOrCreate()) {
      String made = ConversationImport.run(store, file, id, trusted);
      ConversationInfo info = store.info(made);
      done(
          Facts.of(info),
          "imported %s: %,d tokens, %,d with K/V%s"
              .formatted(
                  made,
                  info.tokens(),
                  info.committedTokens(),
                  info.imported()
                      ? "; not handed to other conversations (--trusted allows it)"
                      : ""));
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
    return 0;
  }

  /** The store that is there. */
  ConversationStore open() {
    return Stores.existing(Stores.place(folder));
  }

  private ConversationStore openOrCreate() {
    return ConversationStore.open(Stores.place(folder));
  }

  private static void require(ConversationStore store, String id) {
    if (!store.exists(id)) {
      throw new GatunException("there is no conversation '%s' in %s".formatted(id, store.folder()));
    }
  }

  private boolean confirmed(String question) {
    Console console = System.console();
    if (console == null || !console.isTerminal()) {
      throw new GatunException("%s Nobody can be asked here: say --yes".formatted(question));
    }
    String answer = console.readLine("%s [y/N] ", question);
    return answer != null && answer.strip().toLowerCase(java.util.Locale.ROOT).startsWith("y");
  }

  /** Whether JSON is wanted. */
  boolean json() {
    return json;
  }

  private PrintWriter err() {
    return spec.commandLine().getErr();
  }

  PrintWriter out() {
    return spec.commandLine().getOut();
  }

  /** Says what was done. */
  void done(Map<String, Object> facts, String sentence) {
    if (json) {
      print(facts);
    } else {
      out().println(sentence);
    }
  }

  private void print(Object value) {
    try {
      out().println(JSON.writeValueAsString(value));
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  /** What JSON and text say alike. */
  static Map<String, Object> object(Object... namesAndValues) {
    Map<String, Object> object = new LinkedHashMap<>();
    for (int i = 0; i < namesAndValues.length; i += 2) {
      object.put((String) namesAndValues[i], namesAndValues[i + 1]);
    }
    return object;
  }
}
