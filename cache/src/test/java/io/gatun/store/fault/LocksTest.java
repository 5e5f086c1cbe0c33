package io.gatun.store.fault;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.catchThrowable;

import io.gatun.cache.GatunException;
import io.gatun.cache.Posix;
import io.gatun.store.Conversation;
import io.gatun.store.ConversationReader;
import io.gatun.store.ConversationStore;
import io.gatun.store.Rows;
import java.io.BufferedReader;
import java.io.File;
import java.io.IOException;
import java.net.URL;
import java.net.URLClassLoader;
import java.nio.channels.FileChannel;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import java.util.function.Function;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Assumptions;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Fault 10: locks between class loaders, processes, and the kinds of locks that there are. */
class LocksTest {
  @TempDir Path temp;

  private final List<Process> children = new ArrayList<>();

  @AfterEach
  void endChildren() {
    children.forEach(Process::destroyForcibly);
  }

  /** What one class loader's copy of Gatun is told to do; the result is a sentence. */
  public static final class Copy implements Function<String[], String> {
    private ConversationStore store;
    private Conversation talk;

    @Override
    public String apply(String[] command) {
      try {
        switch (command[0]) {
          case "store" -> store = ConversationStore.open(Path.of(command[1]));
          case "open" -> talk = store.openOrCreate("talk", Workload.MODEL, Rows.layout());
          case "list" -> {
            return store.list().toString();
          }
          case "read" -> store.read("talk").close();
          case "close" -> talk.close();
          default -> throw new IllegalArgumentException(command[0]);
        }
        return "done";
      } catch (GatunException e) {
        return "refused: " + e.getMessage();
      } catch (Exception e) {
        return "raw: " + e;
      }
    }
  }

  /** Two copies of Gatun in one process. Arguments: store. Goes on with each line of stdin. */
  public static final class TwoLoaders {
    private TwoLoaders() {}

    /** Prints what the copies were told. */
    public static void main(String[] args) throws Exception {
      Function<String[], String> one = copy();
      Function<String[], String> two = copy();
      one.apply(new String[] {"store", args[0]});
      two.apply(new String[] {"store", args[0]});
      System.out.println(one.apply(new String[] {"open"}));
      for (String command : List.of("list", "read", "open")) {
        System.out.println(two.apply(new String[] {command}));
      }
      System.in.read();
      System.out.println(one.apply(new String[] {"close"}));
      System.out.println(two.apply(new String[] {"open"}));
      System.in.read();
      System.out.println(two.apply(new String[] {"close"}));
    }

    @SuppressWarnings("unchecked")
    private static Function<String[], String> copy() throws Exception {
      List<URL> urls = new ArrayList<>();
      for (String entry : System.getProperty("java.class.path").split(File.pathSeparator)) {
        urls.add(Path.of(entry).toUri().toURL());
      }
      ClassLoader loader =
          new URLClassLoader(urls.toArray(URL[]::new), ClassLoader.getPlatformClassLoader());
      Class<?> copy = loader.loadClass(Copy.class.getName());
      assertThat(copy).isNotSameAs(Copy.class);
      return (Function<String[], String>) copy.getConstructor().newInstance();
    }
  }

  /** Opens a conversation, in a process of its own. Arguments: store. Ends with stdin. */
  public static final class Writer {
    private Writer() {}

    /** Prints whether it could. */
    public static void main(String[] args) throws IOException {
      Copy copy = new Copy();
      copy.apply(new String[] {"store", args[0]});
      System.out.println(copy.apply(new String[] {"open"}));
      System.in.read();
    }
  }

  /** Locks bytes of files as an older Gatun does, with locks of the process. */
  public static final class OldLocks {
    private OldLocks() {}

    /** Arguments: file, byte, file, byte, ... Ends with stdin. */
    public static void main(String[] args) throws IOException {
      List<FileChannel> open = new ArrayList<>();
      for (int i = 0; i < args.length; i += 2) {
        FileChannel channel =
            FileChannel.open(
                Path.of(args[i]),
                StandardOpenOption.CREATE,
                StandardOpenOption.READ,
                StandardOpenOption.WRITE);
        open.add(channel);
        boolean locked = channel.tryLock(Long.parseLong(args[i + 1]), 1, false) != null;
        System.out.println(locked ? "locked" : "refused");
      }
      System.in.read();
      for (FileChannel channel : open) {
        channel.close();
      }
    }
  }

  private Process start(boolean nativeAccess, Class<?> main, Object... args) throws IOException {
    List<String> command = new ArrayList<>();
    for (String word :
        Faults.java(main, List.of(args).stream().map(Object::toString).toArray(String[]::new))) {
      // Native access for a module that there is not is none for Gatun.
      command.add(
          nativeAccess
              ? word
              : word.replace("native-access=ALL-UNNAMED", "native-access=java.base"));
    }
    if (!nativeAccess) {
      command.add(1, "--illegal-native-access=deny");
    }
    Process child = Faults.start(command, temp.resolve("stderr"));
    children.add(child);
    return child;
  }

  private static void go(Process child) throws IOException {
    child.getOutputStream().write('\n');
    child.getOutputStream().flush();
  }

  private Path store() {
    return temp.resolve("store");
  }

  private Conversation open(String id) {
    return ConversationStore.open(store()).openOrCreate(id, Workload.MODEL, Rows.layout());
  }

  private Path lock(String id) {
    return store().resolve("conversations").resolve(id).resolve("lock");
  }

  /** Before, a list in one class loader dropped the writer's lock that another one had. */
  @Test
  void copiesInTwoClassLoadersKeepEachOthersLocks() throws Exception {
    Assumptions.assumeTrue(Posix.AVAILABLE);
    Process child = start(true, TwoLoaders.class, store());
    try (BufferedReader lines = Faults.lines(child)) {
      assertThat(lines.readLine()).isEqualTo("done");
      assertThat(lines.readLine()).contains("id=talk", "openForWriting=true");
      assertThat(lines.readLine()).isEqualTo("done");
      assertThat(lines.readLine())
          .startsWith("refused")
          .contains("open for writing in process " + child.pid() + ", this one");
      refusedAndThenNot(child, lines);
    }
  }

  /** Without native access the second copy is told that this process has the conversation. */
  @Test
  void copiesWithoutNativeAccessKeepEachOthersLocksToo() throws Exception {
    Process child = start(false, TwoLoaders.class, store());
    try (BufferedReader lines = Faults.lines(child)) {
      assertThat(lines.readLine()).isEqualTo("done");
      assertThat(lines.readLine()).contains("id=talk", "openForWriting=true");
      assertThat(lines.readLine())
          .startsWith("refused")
          .contains("locked for 10 s by process " + child.pid() + ", this one");
      assertThat(lines.readLine())
          .startsWith("refused")
          .contains("open for writing in process " + child.pid() + ", this one");
      refusedAndThenNot(child, lines);
    }
  }

  private void refusedAndThenNot(Process child, BufferedReader lines) throws Exception {
    assertThat(catchThrowable(() -> open("talk")))
        .isInstanceOf(GatunException.class)
        .hasMessageContaining("open for writing in process " + child.pid());
    go(child);
    assertThat(lines.readLine()).isEqualTo("done");
    assertThat(lines.readLine()).isEqualTo("done");
    assertThat(catchThrowable(() -> open("talk"))).isInstanceOf(GatunException.class);
    go(child);
    assertThat(lines.readLine()).isEqualTo("done");
    open("talk").close();
  }

  @ParameterizedTest
  @ValueSource(booleans = {true, false})
  void aProcessWithTheOtherKindOfLockIsExcludedAndExcludes(boolean nativeAccess) throws Exception {
    Process first;
    try (Conversation _ = open("talk")) {
      ConversationStore.open(store()).list();
      first = start(nativeAccess, Writer.class, store());
      try (BufferedReader lines = Faults.lines(first)) {
        assertThat(lines.readLine())
            .startsWith("refused")
            .contains("process " + ProcessHandle.current().pid());
      }
      Process old = start(true, OldLocks.class, lock("talk"), 0, lock("talk"), 1);
      try (BufferedReader lines = Faults.lines(old)) {
        assertThat(lines.readLine()).isEqualTo("refused");
        assertThat(lines.readLine()).isEqualTo("locked");
        go(old);
        old.waitFor();
      }
    }
    Process second = start(nativeAccess, Writer.class, store());
    try (BufferedReader lines = Faults.lines(second)) {
      assertThat(lines.readLine()).isEqualTo("done");
      assertThat(catchThrowable(() -> open("talk")))
          .hasMessageContaining("open for writing in process " + second.pid());
      second.destroyForcibly().waitFor();
    }
    open("talk").close();
  }

  @Test
  void anOlderGatunsWriterIsNamedByTheSystem() throws Exception {
    open("talk").close();
    Process old = start(true, OldLocks.class, lock("talk"), 0);
    try (BufferedReader lines = Faults.lines(old)) {
      assertThat(lines.readLine()).isEqualTo("locked");
      assertThat(catchThrowable(() -> open("talk")))
          .hasMessageContaining("open for writing in process " + old.pid());
    }
  }

  @Test
  void aChildProcessOfTheHolderKeepsNoLock() throws Exception {
    Process sleeper;
    try (Conversation _ = open("talk")) {
      sleeper = new ProcessBuilder("sleep", "60").start();
      children.add(sleeper);
    }
    Process writer = start(true, Writer.class, store());
    try (BufferedReader lines = Faults.lines(writer)) {
      assertThat(lines.readLine()).isEqualTo("done");
    }
    assertThat(sleeper.isAlive()).isTrue();
  }

  /** All waits at once, since each takes its limit. */
  @Test
  void aWaitForAForeignLockHasALimitAndKeepsNoOtherOpeningWaiting() throws Exception {
    open("talk").close();
    open("other").close();
    Path elsewhere = temp.resolve("elsewhere");
    ConversationStore locked = ConversationStore.open(elsewhere);
    Process old = start(true, OldLocks.class, lock("talk"), 1, elsewhere.resolve("store.lock"), 0);
    try (BufferedReader lines = Faults.lines(old)) {
      assertThat(lines.readLine()).isEqualTo("locked");
      assertThat(lines.readLine()).isEqualTo("locked");
      long start = System.nanoTime();
      CompletableFuture<Throwable> reading =
          CompletableFuture.supplyAsync(
              () -> catchThrowable(() -> ConversationStore.open(store()).read("talk")));
      CompletableFuture<Throwable> listing =
          CompletableFuture.supplyAsync(() -> catchThrowable(locked::list));
      Thread.sleep(100);
      for (int i = 0; i < 20; i++) {
        try (Conversation _ = open("other");
            ConversationReader _ = ConversationStore.open(store()).read("other")) {
          ConversationStore.open(store()).list();
        }
      }
      assertThat(System.nanoTime() - start).isLessThan(TimeUnit.SECONDS.toNanos(8));
      assertThat(reading).isNotDone();
      assertThat(listing).isNotDone();

      assertThat(reading.get(30, TimeUnit.SECONDS))
          .isInstanceOf(GatunException.class)
          .hasMessageContaining(
              "%s has been locked for 10 s by process %d", lock("talk"), old.pid())
          .hasMessageContaining("fuser -v");
      assertThat(listing.get(30, TimeUnit.SECONDS))
          .isInstanceOf(GatunException.class)
          .hasMessageContaining("store.lock has been locked for 10 s by process %d", old.pid());
      assertThat(System.nanoTime() - start).isGreaterThan(TimeUnit.SECONDS.toNanos(9));
    }
  }

  @Test
  void anInterruptWhileWaitingForTheStoreHarmsNothing() throws Exception {
    open("talk").close();
    Process old = start(true, OldLocks.class, store().resolve("store.lock"), 0);
    try (BufferedReader lines = Faults.lines(old)) {
      assertThat(lines.readLine()).isEqualTo("locked");
      CompletableFuture<Boolean> interrupted = new CompletableFuture<>();
      Thread waiting =
          new Thread(() -> {
            try (Conversation _ = open("talk")) {
              interrupted.complete(Thread.currentThread().isInterrupted());
            } catch (Throwable e) {
              interrupted.completeExceptionally(e);
            }
          });
      waiting.start();
      for (int i = 0; i < 20; i++) {
        Thread.sleep(10);
        waiting.interrupt();
      }
      assertThat(interrupted).isNotDone();
      go(old);
      assertThat(interrupted.get(9, TimeUnit.SECONDS)).isTrue();
      waiting.join();
    }
    open("talk").close();
  }
}
