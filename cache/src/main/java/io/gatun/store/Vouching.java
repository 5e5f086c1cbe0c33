package io.gatun.store;

import java.io.IOException;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/**
 * Which blocks of an open conversation are known to hold the rows that its journal promises, and the
 * stamps that say so to the next opening, see {@link FileStamp}. Guarded by the conversation.
 */
final class Vouching {
  private final BlockFolder folder;

  /** Stamps that are still to be written to the journal. */
  private final Map<Long, Long> taken;

  /**
   * The stamps of a conversation that was just opened.
   *
   * @param found stamps of the files whose rows were compared with their checksums by the opening,
   *     from before it read them
   */
  Vouching(BlockFolder folder, Map<Long, Long> found) {
    this.folder = folder;
    this.taken = new LinkedHashMap<>(found);
  }

  /** Takes the stamp of a block that was forced and is not written to any more. */
  void take(long block, JournalState state) {
    try {
      long stamp = FileStamp.of(folder.file(block));
      if (stamp != state.stamp(block)) {
        taken.put(block, stamp);
      }
    } catch (IOException | DamageException e) {
      // Without a stamp the next opening reads the block's rows: slower, as right.
      taken.remove(block);
    }
  }

  /** The records that are to be written, of blocks that the journal still names. */
  List<JournalRecord.Stamps> records(JournalState state) {
    Map<Long, Long> named = new LinkedHashMap<>();
    for (RunState run : state.runs()) {
      Long stamp = taken.get(run.block());
      if (stamp != null && stamp != state.stamp(run.block())) {
        named.put(run.block(), stamp);
      }
    }
    return JournalCompaction.records(named);
  }

  /** Notes that the records were written. */
  void written() {
    taken.clear();
  }
}
