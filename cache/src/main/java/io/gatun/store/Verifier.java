package io.gatun.store;

import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.function.LongConsumer;

/** Compares everything that a conversation has on disk with its checksums. Changes nothing. */
final class Verifier {
  private final StoreFolder store;

  Verifier(StoreFolder store) {
    this.store = store;
  }

  /**
   * Verifies one conversation. Also while a writer has it: committed rows do not change as long as
   * somebody is registered as a reader, which this does.
   *
   * @param progress is told how many bytes of rows were read since it was last told
   */
  Verification run(ConversationFiles files, LongConsumer progress) throws IOException {
    FileLook.requireFolder(files.folder());
    try (LockFile.Hold _ = LockFile.reader(files.lock())) {
      JournalFile journal;
      try {
        journal = JournalFile.read(files.journal());
      } catch (DamageException | NewerFormatException e) {
        return new Verification(files.id(), 0, 0, 0, 0, List.of(e.getMessage()));
      }
      return run(files, journal, progress);
    }
  }

  private Verification run(ConversationFiles files, JournalFile journal, LongConsumer progress)
      throws IOException {
    List<String> damage = new ArrayList<>();
    boolean tail = journal.stopped() != null || journal.dropped() > 0;
    // What a writer is just writing looks torn.
    if (tail && !store.openForWriting(files)) {
      damage.add(
          "%s: %,d bytes from offset %,d on do not check (%s)"
              .formatted(
                  files.journal(),
                  journal.dropped(),
                  journal.end(),
                  journal.stopped() == null ? "no record" : journal.stopped()));
    }
    long sound = 0;
    boolean whole = true;
    long read = 0;
    JournalHeader header = journal.header();
    for (RunState run : journal.state().runs()) {
      Path file = store.blocks().file(run.block());
      int rows = 0;
      try {
        FileLook.requireFile(file);
        BlockHeader expected = new BlockHeader(run.block(), header.layout(), header.fingerprint());
        rows = BlockCheck.soundRows(file, expected, run);
        if (rows < run.tokens()) {
          damage.add(
              "%s: rows from %d on do not check; tokens from %,d on need a prefill"
                  .formatted(file, rows, sound + rows));
        }
      } catch (DamageException | NewerFormatException e) {
        damage.add(e.getMessage());
      }
      if (whole) {
        sound += rows;
        whole = rows == run.tokens();
      }
      long bytes = run.coveredRows() * header.layout().bytesPerToken();
      read += bytes;
      progress.accept(bytes);
    }
    return new Verification(
        files.id(),
        journal.state().tokens().count(),
        journal.state().committed(),
        sound,
        read,
        damage);
  }
}
