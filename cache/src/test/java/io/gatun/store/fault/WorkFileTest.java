package io.gatun.store.fault;

import static org.assertj.core.api.Assertions.assertThat;

import io.gatun.store.ConversationStore;
import io.gatun.store.WorkFile;
import java.io.BufferedReader;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Files to work in, such as that of an import, and what a {@code kill -9} leaves of them. */
class WorkFileTest {
  @TempDir Path temp;

  /** Works in a file until it is killed. */
  public static final class Worker {
    private Worker() {}

    /** Argument: the store. */
    public static void main(String[] args) throws IOException, InterruptedException {
      WorkFile file = ConversationStore.open(Path.of(args[0])).workFile();
      Files.writeString(file.path(), "plain text");
      System.out.println("READY");
      Thread.sleep(600_000);
    }
  }

  private List<String> works(Path store) throws IOException {
    try (Stream<Path> names = Files.list(store.resolve("conversations"))) {
      return names.map(name -> name.getFileName().toString()).toList();
    }
  }

  @Test
  void isForItsOwnerOnlyAndGoneWhenClosed() throws IOException {
    Path folder = temp.resolve("store");
    ConversationStore store = ConversationStore.open(folder);
    try (WorkFile file = store.workFile()) {
      assertThat(PosixFilePermissions.toString(Files.getPosixFilePermissions(file.path())))
          .isEqualTo("rw-------");
      Files.writeString(file.path(), "plain text");
      assertThat(store.gc(false).removed()).isEmpty();
      ConversationStore.open(folder);
      assertThat(file.path()).hasContent("plain text");
    }
    assertThat(works(folder)).isEmpty();
  }

  @Test
  void aKilledProcessLeavesOneToGcAndToTheNextOpening() throws IOException, InterruptedException {
    Path folder = temp.resolve("store");
    ConversationStore store = ConversationStore.open(folder);
    for (boolean gc : new boolean[] {true, false}) {
      Process child =
          Faults.start(Faults.java(Worker.class, folder.toString()), temp.resolve("stderr"));
      try (BufferedReader lines = Faults.lines(child)) {
        assertThat(lines.readLine()).isEqualTo("READY");
        // As long as it lives nobody takes its file.
        ConversationStore.open(folder);
        assertThat(store.gc(false).removed()).isEmpty();
        assertThat(works(folder)).hasSize(1);
        child.toHandle().destroyForcibly();
        assertThat(child.waitFor()).isEqualTo(137);
      }
      assertThat(works(folder)).hasSize(1);
      if (gc) {
        assertThat(store.gc(true).removed()).singleElement().asString().contains(".work-");
        assertThat(works(folder)).hasSize(1);
        assertThat(store.gc(false).removed()).hasSize(1);
      } else {
        ConversationStore.open(folder);
      }
      assertThat(works(folder)).isEmpty();
    }
  }
}
