package io.gatun.store.fault;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.catchThrowable;

import io.gatun.cache.GatunException;
import io.gatun.cache.KvView;
import io.gatun.store.Conversation;
import io.gatun.store.ConversationReader;
import io.gatun.store.ConversationStore;
import io.gatun.store.Rows;
import java.io.BufferedReader;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicLong;
import java.util.concurrent.atomic.AtomicReference;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Fault 10: two writers; readers here and in another process while a writer goes on. */
class ReadersTest {
  @TempDir Path temp;

  /** A reader in a process of its own. Arguments: store, id. Ends when its stdin does. */
  public static final class ReaderProcess {
    private ReaderProcess() {}

    /** Checks every row of every state that it gets to see. */
    public static void main(String[] args) throws IOException {
      ConversationStore store = ConversationStore.open(Path.of(args[0]));
      long states = 0;
      try (ConversationReader reader = store.read(args[1])) {
        System.out.println("READY");
        while (System.in.available() == 0) {
          if (reader.refresh()) {
            try (KvView view = reader.view()) {
              Rows.check(view, reader.tokens());
            }
            states++;
          }
        }
      }
      System.out.println("STATES " + states);
    }
  }

  /** A writer in a process of its own, which is refused. Arguments: store, id. */
  public static final class SecondWriter {
    private SecondWriter() {}

    /** Prints what it was told. */
    public static void main(String[] args) {
      try {
        ConversationStore.open(Path.of(args[0]))
            .openOrCreate(args[1], Workload.MODEL, Rows.layout());
        System.out.println("OPENED");
      } catch (GatunException e) {
        System.out.println(e.getMessage());
      }
    }
  }

  private Conversation open() {
    return ConversationStore.open(temp.resolve("store"))
        .openOrCreate("talk", Workload.MODEL, Rows.layout());
  }

  @Test
  void aSecondWriterInAnotherProcessIsRefusedWithTheHoldersProcess() throws Exception {
    try (Conversation _ = open()) {
      // A reader in this process opens and closes files of the conversation: the lock must stay.
      ConversationStore.open(temp.resolve("store")).read("talk").close();
      ConversationStore.open(temp.resolve("store")).list();
      assertThat(catchThrowable(this::open)).hasMessageContaining("this one");
      Process child =
          Faults.start(
              Faults.java(SecondWriter.class, temp.resolve("store").toString(), "talk"),
              temp.resolve("stderr"));
      try (BufferedReader lines = Faults.lines(child)) {
        assertThat(lines.readLine())
            .contains("open for writing in process " + ProcessHandle.current().pid());
      }
      child.waitFor();
    }
  }

  @Test
  void aReaderInAnotherProcessSeesOnlyCommittedStates() throws Exception {
    long seed = Faults.seed(getClass());
    Faults.keeping(getClass(), seed, temp.resolve("store"), () -> readElsewhere(new Random(seed)));
  }

  private void readElsewhere(Random random) throws Exception {
    long seconds = Faults.seconds(5, 60);
    int commits = 0;
    Process child;
    try (Conversation talk = open()) {
      child =
          Faults.start(
              Faults.java(ReaderProcess.class, temp.resolve("store").toString(), "talk"),
              temp.resolve("stderr"));
      try (BufferedReader lines = Faults.lines(child)) {
        assertThat(lines.readLine()).isEqualTo("READY");
        long end = System.nanoTime() + TimeUnit.SECONDS.toNanos(seconds);
        while (System.nanoTime() < end) {
          if (talk.tokens().count() > 400 || random.nextInt(4) == 0) {
            talk.truncate(Math.max(0, talk.tokens().count() - random.nextInt(200)));
          }
          Rows.accept(talk, 1 + random.nextInt(30), random.nextLong());
          Rows.prefill(talk);
          talk.commit();
          commits++;
        }
        assertThat(child.isAlive())
            .as("the reader's process; it said %s", Files.readString(temp.resolve("stderr")))
            .isTrue();
        child.getOutputStream().write('\n');
        child.getOutputStream().flush();
        String said = lines.readLine();
        assertThat(said).startsWith("STATES ");
        System.out.printf("ReadersTest: %d commits, the other process saw %s%n", commits, said);
        assertThat(Integer.parseInt(said.substring(7))).isPositive();
      }
    }
    assertThat(child.waitFor()).isZero();
  }

  @Test
  void readersLiveThroughInterruptsTruncationsAndClose() throws Exception {
    long seed = Faults.seed(getClass());
    Faults.keeping(getClass(), seed, temp.resolve("store"), () -> interrupt(new Random(seed)));
  }

  private void interrupt(Random random) throws Exception {
    long end = System.nanoTime() + TimeUnit.SECONDS.toNanos(Faults.seconds(5, 60));
    AtomicLong views = new AtomicLong();
    AtomicReference<Throwable> failure = new AtomicReference<>();
    long closes = 0;
    while (System.nanoTime() < end && failure.get() == null) {
      AtomicBoolean stop = new AtomicBoolean();
      List<Thread> readers = new ArrayList<>();
      try (Conversation talk = open()) {
        for (int i = 0; i < 2; i++) {
          Thread thread =
              new Thread(() -> {
                try (ConversationReader reader =
                    ConversationStore.open(temp.resolve("store")).read("talk")) {
                  while (!stop.get()) {
                    reader.refresh();
                    try (KvView view = reader.view()) {
                      Rows.check(view, reader.tokens());
                      views.incrementAndGet();
                    }
                  }
                } catch (Throwable e) {
                  failure.compareAndSet(null, e);
                }
              });
          thread.start();
          readers.add(thread);
        }
        long until = System.nanoTime() + TimeUnit.MILLISECONDS.toNanos(300);
        while (System.nanoTime() < until) {
          readers.forEach(Thread::interrupt);
          if (random.nextInt(3) == 0) {
            talk.truncate(random.nextInt(talk.tokens().count() + 1));
          }
          Rows.accept(talk, 1 + random.nextInt(50), random.nextLong());
          Rows.prefill(talk);
          talk.commit();
        }
        if (talk.tokens().count() > 500) {
          talk.truncate(10);
        }
      }
      closes++;
      stop.set(true);
      for (Thread reader : readers) {
        reader.join();
      }
    }
    assertThat(failure.get()).isNull();
    assertThat(views.get()).isPositive();
    System.out.printf(
        "ReadersTest: %d views checked under interrupts, writer closed %d times%n",
        views.get(), closes);
  }

  @Test
  void usingAViewAfterItsConversationWasClosedIsAnExceptionOrSound() {
    Conversation talk = open();
    Rows.accept(talk, 100, 1);
    Rows.prefill(talk);
    KvView view = talk.cache().view();
    KvView live = talk.cache().live();
    talk.close();
    assertThat(view.length()).isEqualTo(100);
    Rows.check(view, talk.tokens());
    view.close();
    assertThat(catchThrowable(() -> view.keys(0))).isInstanceOf(IllegalStateException.class);
    assertThat(catchThrowable(() -> live.keys(0))).isNotNull();
    assertThat(catchThrowable(() -> talk.accept(1))).isInstanceOf(IllegalStateException.class);
  }
}
