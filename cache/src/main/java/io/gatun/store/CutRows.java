package io.gatun.store;

import io.gatun.cache.KvLayout;
import io.gatun.cache.KvRun;
import java.io.IOException;
import java.util.ArrayList;
import java.util.List;
import java.util.function.Consumer;
import java.util.function.LongConsumer;

/**
 * Overwrites the rows that stand behind those of each run of a conversation: what was cut off, and
 * what was appended and never committed. One use, by the writer.
 */
final class CutRows {
  private final StoreFolder place;
  private final ConversationFiles files;
  private final JournalHeader header;
  private final List<String> kept = new ArrayList<>();

  CutRows(StoreFolder place, ConversationFiles files, JournalHeader header) {
    this.place = place;
    this.files = files;
    this.header = header;
  }

  /**
   * Overwrites them. Where a run's last checksum covers rows that go, the journal first gets one that
   * does not.
   *
   * @param runs the memory of the state's runs, in the same order
   * @param journal appends a record and forces it
   * @param written is told the block of each file that was written to
   * @return what was not overwritten, a sentence each
   */
  List<String> erase(
      JournalState state, List<KvRun> runs, Consumer<JournalRecord> journal, LongConsumer written) {
    try (LockFile.Hold _ = place.lock()) {
      Catalog catalog = Catalog.take(place);
      boolean readers = LockFile.hasReaders(files.lock());
      KvLayout layout = header.layout();
      List<RunState> next = new ArrayList<>(state.runs());
      List<RunState> cut = new ArrayList<>();
      for (int i = 0; i < next.size(); i++) {
        RunState run = next.get(i);
        if (run.tokens() == layout.blockTokens()) {
          continue;
        }
        boolean ours = BlockFolder.owner(run.block()) == header.owner();
        if (!ours || readers || catalog.users(run.block()) > 1) {
          kept.add(
              "rows behind row %d of block %016x stay: others may be reading them"
                  .formatted(run.tokens(), run.block()));
          continue;
        }
        if (run.coveredRows() > run.tokens()) {
          requireSound(layout, runs.get(i), run);
          next.set(i, Checksums.endingAt(layout, runs.get(i), run));
        }
        cut.add(run);
      }
      if (!next.equals(state.runs())) {
        journal.accept(state.change(next, state.openTail(), System.currentTimeMillis()));
      }
      for (RunState run : cut) {
        Erasure.rows(place.blocks().file(run.block()), layout, run.tokens());
        written.accept(run.block());
      }
    } catch (IOException | DamageException e) {
      kept.add("rows that were cut off stay: " + IoFailure.reason(e));
    }
    return kept;
  }

  /** A new checksum over rows that do not check would hide the damage for good. */
  private void requireSound(KvLayout layout, KvRun rows, RunState run) {
    if (!Checksums.lastFits(layout, rows, run)) {
      throw new DamageException(
          "block %016x does not check; run 'gatun conversations verify %s'"
              .formatted(run.block(), files.id()));
    }
  }
}
