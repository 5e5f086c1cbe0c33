package io.gatun.store.fault;

import static org.assertj.core.api.Assertions.assertThat;

import io.gatun.cache.KvView;
import io.gatun.store.BackupProgress;
import io.gatun.store.BackupReport;
import io.gatun.store.Conversation;
import io.gatun.store.ConversationReader;
import io.gatun.store.ConversationStore;
import io.gatun.store.Rows;
import io.gatun.store.Tokens;
import java.io.BufferedReader;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/**
 * Backups of a store in which another process appends, commits, cuts, forks, evicts and deletes. Each
 * is opened and compared, row by row, with what the writer said.
 */
class LiveBackupTest {
  private static final String NONE = "-1 0000000000000000 0 0000000000000000";

  @TempDir Path temp;

  /** What the writer said, in order. */
  private final List<String> lines = new ArrayList<>();

  private Thread listener;

  @Test
  void aBackupUnderAWriterHoldsWhatWasAcknowledgedBeforeItsStartOrLater() throws Exception {
    long seed = Faults.seed(getClass());
    int rounds = Faults.rounds(4, 50);
    Path store = temp.resolve("store");
    Process writer =
        Faults.start(
            Faults.java(Workload.class, store.toString(), Long.toString(seed), "-1", "shared"),
            temp.resolve("stderr"));
    listener = Thread.ofPlatform().start(() -> listen(writer));
    int conversations = 0;
    int linked = 0;
    int copied = 0;
    int kept = 0;
    int again = 0;
    try {
      await(200);
      for (int round = 0; round < rounds; round++) {
        int from = await(count() + 20);
        // Every other one brings an earlier one up to date.
        Path dest = temp.resolve("dest-" + round / 2);
        BackupReport report =
            ConversationStore.open(store).backup(dest, round % 4 < 2, BackupProgress.NONE);
        assertThat(report.damaged()).as("round %d", round).isEmpty();
        int until = await(count() + 30);
        int at = round;
        Faults.keeping(getClass(), seed, dest, () -> check(dest, report, from, until, at));
        conversations += report.conversations().size();
        linked += report.linked();
        copied += report.copied();
        kept += report.kept();
        again += round % 2;
      }
    } finally {
      writer.destroyForcibly().waitFor();
      listener.join();
    }
    System.out.printf(
        "LiveBackupTest: %d backups, %d of them over earlier ones; %d conversations compared row by"
            + " row; blocks: %d linked, %d copied, %d kept; the writer went through %,d states%n",
        rounds, again, conversations, linked, copied, kept, count());
    assertThat(conversations).isPositive();
  }

  private void listen(Process writer) {
    try (BufferedReader said = Faults.lines(writer)) {
      for (String line; (line = said.readLine()) != null; ) {
        synchronized (lines) {
          lines.add(line);
          lines.notifyAll();
        }
      }
    } catch (IOException e) {
      // The process is gone.
    }
  }

  private int count() {
    synchronized (lines) {
      return lines.size();
    }
  }

  /** Waits until the writer has said so much; returns how much it has. */
  private int await(int wanted) throws Exception {
    synchronized (lines) {
      while (lines.size() < wanted) {
        assertThat(listener.isAlive())
            .as("the writer goes on: %s", Files.readString(temp.resolve("stderr")))
            .isTrue();
        lines.wait(100);
      }
      return lines.size();
    }
  }

  /**
   * The states that a conversation may have in a backup that was begun after {@code from} lines: the
   * last that was acknowledged on disk until then, and all that were tried since.
   */
  private Set<String> allowed(String id, int from, int until) {
    Set<String> states = new HashSet<>(Set.of(NONE));
    synchronized (lines) {
      for (int i = 0; i < until; i++) {
        String[] words = lines.get(i).split(" ", 3);
        if (words.length < 3 || !words[1].equals(id) || !"PUF".contains(words[0])) {
          continue;
        }
        if (i < from && words[0].equals("F")) {
          states.clear();
        }
        states.add(words[2]);
      }
    }
    return states;
  }

  private void check(Path dest, BackupReport report, int from, int until, int round) {
    ConversationStore backup = ConversationStore.open(dest);
    assertThat(backup.ids()).containsExactlyElementsOf(report.conversations());
    for (String id : List.of("a", "b", "c", "d")) {
      Set<String> allowed = allowed(id, from, until);
      if (!backup.exists(id)) {
        assertThat(allowed).as("round %d, %s is missing", round, id).contains(NONE);
        continue;
      }
      assertThat(backup.verify(id, bytes -> {}).damage()).isEmpty();
      String read;
      try (ConversationReader reader = backup.read(id);
          KvView view = reader.view()) {
        Rows.check(view, reader.tokens());
        read = state((int) view.length(), reader.tokens());
      }
      assertThat(allowed).as("round %d, %s", round, id).contains(read);
      try (Conversation talk = backup.openOrCreate(id, Workload.MODEL, Rows.layout())) {
        assertThat(talk.report().cleanExit()).isTrue();
        assertThat(talk.report().findings()).isEmpty();
        Rows.check(talk.cache().live(), talk.tokens());
        assertThat(state((int) talk.committedTokens(), talk.tokens())).isEqualTo(read);
      }
    }
    assertThat(backup.gc(true).removed()).isEmpty();
  }

  private static String state(int committed, Tokens tokens) {
    return "%d %016x %d %016x"
        .formatted(
            committed,
            Rows.history(tokens, committed),
            tokens.count(),
            Rows.history(tokens, tokens.count()));
  }
}
