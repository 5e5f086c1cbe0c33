package io.gatun.store.fault;

import static org.assertj.core.api.Assertions.assertThat;

import io.gatun.cache.GatunException;
import io.gatun.cache.KvView;
import io.gatun.store.Conversation;
import io.gatun.store.ConversationInfo;
import io.gatun.store.ConversationReader;
import io.gatun.store.ConversationStore;
import io.gatun.store.Rows;
import io.gatun.store.Verification;
import java.io.BufferedReader;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.concurrent.TimeUnit;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/**
 * Fault 11: a store on a read-only file system, or one that this user may only read. What only reads
 * works, what writes is refused with a sentence, and no file changes.
 */
class ReadOnlyStoreTest {
  private static final int TOKENS = 200;
  private static final String REFUSED = "can only be read: ";

  @TempDir Path temp;

  private Path folder() {
    return temp.resolve("store");
  }

  private ConversationStore make() {
    ConversationStore store = ConversationStore.open(folder());
    for (String id : List.of("a", "b")) {
      try (Conversation talk = store.openOrCreate(id, Workload.MODEL, Rows.layout())) {
        Rows.accept(talk, TOKENS, id.hashCode());
        Rows.prefill(talk);
      }
    }
    store.fork("a", "fork", 150);
    return store;
  }

  /** Everything that a file shows from outside, by name. */
  private static Map<String, String> picture(Path store) throws IOException {
    Map<String, String> picture = new TreeMap<>();
    try (Stream<Path> files = Files.walk(store)) {
      for (Path file : files.toList()) {
        picture.put(
            store.relativize(file).toString(),
            Files.getLastModifiedTime(file)
                + " "
                + (Files.isDirectory(file)
                    ? "folder"
                    : java.util.Arrays.hashCode(Files.readAllBytes(file))));
      }
    }
    return picture;
  }

  /** Every operation that writes, by name. */
  private static Map<String, Runnable> writes(ConversationStore store) {
    Map<String, Runnable> writes = new LinkedHashMap<>();
    writes.put(
        "make", () -> store.openOrCreate("new", Workload.MODEL, Rows.layout(), new int[100]));
    writes.put("open", () -> store.openOrCreate("a", Workload.MODEL, Rows.layout()));
    writes.put("restore", () -> store.restore("new", Workload.MODEL, Rows.layout()));
    writes.put("truncate", () -> store.truncate("a", 10));
    writes.put("fork", () -> store.fork("a", "new"));
    writes.put("rename", () -> store.rename("a", "new"));
    writes.put("delete", () -> store.delete("a"));
    writes.put("pin", () -> store.pin("a", true));
    writes.put("unpin", () -> store.pin("a", false));
    writes.put("evict", () -> store.evict(0, false));
    writes.put("plan an eviction", () -> store.evict(0, true));
    writes.put("collect", () -> store.gc(false));
    writes.put("plan a collection", () -> store.gc(true));
    writes.put("work", store::workFile);
    return writes;
  }

  /** Looks at a store in every way, tries to change it in every way; says what came of it. */
  private static List<String> look(Path folder) {
    List<String> said = new ArrayList<>();
    try (ConversationStore store = ConversationStore.open(folder)) {
      for (ConversationInfo info : store.list()) {
        said.add("listed %s %d".formatted(info.id(), info.committedTokens()));
        said.add("looked at " + store.info(info.id()).id());
        Verification found = store.verify(info.id(), bytes -> {});
        said.add("verified %s %s".formatted(info.id(), found.sound()));
        try (ConversationReader reader = store.read(info.id());
            KvView view = reader.view()) {
          Rows.check(view, reader.tokens());
          said.add("read %s %d".formatted(info.id(), view.length()));
        }
      }
      said.add("stats " + store.stats().conversations());
      writes(store)
          .forEach((name, write) -> {
            try {
              write.run();
              said.add("done " + name);
            } catch (GatunException e) {
              said.add("refused %s: %s".formatted(name, e.getMessage()));
            } catch (RuntimeException | Error e) {
              said.add("raw %s: %s".formatted(name, e));
            }
          });
    } catch (RuntimeException | Error e) {
      said.add("failed: " + e);
    }
    return said;
  }

  private static void check(List<String> said) {
    assertThat(said).contains("listed a 200", "listed b 200", "listed fork 150", "stats 3");
    for (String id : List.of("a", "b", "fork")) {
      assertThat(said).contains("looked at " + id, "verified %s true".formatted(id));
      assertThat(said).contains("read %s %d".formatted(id, id.equals("fork") ? 150 : TOKENS));
    }
    assertThat(said).noneMatch(line -> line.startsWith("done") || line.startsWith("raw"));
    assertThat(said.stream().filter(line -> line.startsWith("refused")))
        .hasSize(14)
        .allMatch(line -> line.contains(REFUSED) && !line.contains("Exception"));
    assertThat(said).noneMatch(line -> line.startsWith("failed"));
  }

  /** Looks at a store as a process without the rights of root. Argument: store. */
  public static final class Look {
    private Look() {}

    /** Prints what {@link #look} says. */
    public static void main(String[] args) {
      look(Path.of(args[0])).forEach(System.out::println);
    }
  }

  private static List<String> lookWithoutRights(Path folder, String nativeAccess) throws Exception {
    List<String> command = new ArrayList<>();
    if (System.getProperty("user.name").equals("root")) {
      Faults.needTools("setpriv");
      // Without capabilities permissions bind root as they do any owner.
      command.addAll(List.of("setpriv", "--inh-caps=-all", "--bounding-set=-all"));
    }
    command.addAll(Faults.java(Look.class, folder.toString()));
    if (nativeAccess.equals("deny")) {
      command.removeIf(argument -> argument.startsWith("--enable-native-access"));
      command.add(command.indexOf("-cp"), "--illegal-native-access=deny");
    }
    Path errors = folder.resolveSibling("errors");
    Process process = Faults.start(command, errors);
    List<String> said;
    try (BufferedReader lines = Faults.lines(process)) {
      said = lines.lines().toList();
    }
    assertThat(process.waitFor(60, TimeUnit.SECONDS)).isTrue();
    assertThat(process.exitValue()).as(Files.readString(errors)).isZero();
    return said;
  }

  @ParameterizedTest
  @ValueSource(strings = {"allow", "deny"})
  void aStoreWithoutWritePermissionIsReadByItsOwner(String nativeAccess) throws Exception {
    make();
    Files.delete(folder().resolve("conversations/fork/lock"));
    Map<String, String> before = picture(folder());
    Faults.run("chmod", "-R", "a-w", folder().toString());
    try {
      List<String> said = lookWithoutRights(folder(), nativeAccess);
      check(said);
      assertThat(said).anyMatch(line -> line.contains(REFUSED + "no permission to write to "));
    } finally {
      Faults.run("chmod", "-R", "u+w", folder().toString());
    }
    assertThat(picture(folder())).isEqualTo(before);
  }

  @Test
  void aStoreOfAnotherUserIsReadWhereItsPermissionsAllowIt() throws Exception {
    Faults.needRootAnd("setpriv", "chown");
    make();
    Map<String, String> before = picture(folder());
    Faults.run("chown", "-R", "65534:65534", folder().toString());
    Faults.run("chmod", "-R", "o+rX", folder().toString());
    check(lookWithoutRights(folder(), "allow"));
    assertThat(picture(folder())).isEqualTo(before);
  }

  @Test
  void oneConversationOfAnotherUserCostsItselfAlone() throws Exception {
    Faults.needRootAnd("setpriv", "chown");
    make();
    Path foreign = folder().resolve("conversations/b");
    Faults.run("chown", "-R", "65534:65534", foreign.toString());
    List<String> said = lookWithoutRights(folder(), "allow");
    assertThat(said).contains("listed a 200", "listed b 0", "verified a true");
    assertThat(said).noneMatch(line -> line.startsWith("raw"));
  }

  @Test
  void aStoreOnAReadOnlyFileSystemIsRead() throws Exception {
    Faults.needRootAnd("mount", "umount");
    ConversationStore store = make();
    Files.delete(folder().resolve("conversations/fork/lock"));
    Files.delete(folder().resolve("store.lock"));
    Map<String, String> before = picture(folder());
    try (ReadOnlyMount mount = new ReadOnlyMount(folder())) {
      List<String> said = look(mount.path);
      check(said);
      assertThat(said).anyMatch(line -> line.contains("Read-only file system"));
      assertThat(picture(folder())).isEqualTo(before);
      aReaderIsKeptFromAWriterOnTheOtherMount(store, mount.path);
    }
  }

  /** The same files, mounted for reading in one place and for writing in another. */
  private static void aReaderIsKeptFromAWriterOnTheOtherMount(ConversationStore store, Path mount) {
    try (Conversation talk = store.openOrCreate("a", Workload.MODEL, Rows.layout());
        ConversationStore same = ConversationStore.open(mount);
        ConversationReader reader = same.read("a");
        KvView view = reader.view()) {
      assertThat(same.info("a").openForWriting()).isTrue();
      talk.truncate(TOKENS - 20);
      Rows.accept(talk, 20, 99);
      Rows.prefill(talk);
      talk.commit();
      assertThat(view.length()).isEqualTo(TOKENS);
      int[] old = new java.util.Random("a".hashCode()).ints(TOKENS, 0, 50_000).toArray();
      assertThat(reader.tokens().toArray()).isEqualTo(old);
      Rows.check(view, reader.tokens());
      assertThat(reader.refresh()).isTrue();
      assertThat(reader.tokens().toArray()).isEqualTo(talk.tokens().toArray());
    }
  }

  /** A second, read-only place of the same files. */
  private static final class ReadOnlyMount implements AutoCloseable {
    final Path path;

    ReadOnlyMount(Path folder) throws IOException {
      path = Files.createDirectory(folder.resolveSibling("mount"));
      Faults.run("mount", "--bind", folder.toString(), path.toString());
      Faults.run("mount", "-o", "remount,bind,ro", path.toString());
    }

    @Override
    public void close() throws IOException {
      Faults.run("umount", path.toString());
    }
  }
}
