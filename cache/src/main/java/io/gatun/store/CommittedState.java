package io.gatun.store;

import java.io.IOException;
import java.io.RandomAccessFile;
import java.util.HashSet;
import java.util.List;
import java.util.Set;

/**
 * What a journal promises at one moment, as a reader may take it: while a writer is at work the
 * records up to the published end, else all that check.
 *
 * @param sealed blocks that nobody writes to any more, whatever happens: the journal named them as
 *     other than its last one, and that is on disk
 * @param end where the records end that this is the sum of
 * @param crc checksum of the last of them
 * @param tail what stands behind them and does not check, a sentence; null if nothing does
 */
record CommittedState(
    JournalHeader header, JournalState state, Set<Long> sealed, long end, int crc, String tail) {

  /**
   * Reads it. Whoever copies rows of it is registered as a reader before: then no row that it
   * promises is written again.
   *
   * @throws DamageException if records are damaged that were forced
   */
  static CommittedState read(StoreFolder store, ConversationFiles files) throws IOException {
    try (RandomAccessFile journal = FileLook.open(files.journal())) {
      byte[] page = JournalFile.page(journal, files.journal());
      JournalHeader header = JournalHeader.decode(page, files.journal());
      JournalState state = new JournalState(header.owner(), header.layout().blockTokens());
      long published = JournalHeader.published(page);
      JournalScan scan =
          new JournalScan(journal, JournalHeader.BYTES, JournalHeader.crc(page), published);
      scan.applyTo(state);
      if (scan.end() < published) {
        throw new DamageException(
            "%s: the record at offset %,d is damaged (%s), and was on disk once; run 'gatun conversations verify %s'"
                .formatted(files.journal(), scan.end(), scan.stopped(), files.id()));
      }
      Set<Long> sealed = sealed(state.runs());
      String tail = null;
      if (!store.openForWriting(files)) {
        scan.goOn();
        scan.applyTo(state);
        long dropped = JournalFile.lastNonZero(files.journal(), journal, scan.end()) - scan.end();
        // A writer that has come meanwhile is just writing there.
        if ((scan.stopped() != null || dropped > 0) && !store.openForWriting(files)) {
          tail =
              "%s: %,d bytes from offset %,d on do not check (%s); the backup ends before them, as would the next opening"
                  .formatted(
                      files.journal(),
                      dropped,
                      scan.end(),
                      scan.stopped() == null ? "no record" : scan.stopped());
        }
      }
      return new CommittedState(header, state, sealed, scan.end(), scan.crc(), tail);
    }
  }

  private static Set<Long> sealed(List<RunState> runs) {
    Set<Long> sealed = new HashSet<>();
    for (int i = 0; i < runs.size() - 1; i++) {
      sealed.add(runs.get(i).block());
    }
    if (!runs.isEmpty()) {
      // A block may hold two runs: where a sequence was cut and went on.
      sealed.remove(runs.getLast().block());
    }
    return sealed;
  }

  /** Whether nothing was promised since the other one was read. */
  boolean same(CommittedState other) {
    return end == other.end && crc == other.crc;
  }
}
