package io.gatun.store;

import io.gatun.cache.GatunException;
import java.util.Arrays;

/**
 * A run of K/V rows as the journal knows it: the first {@code tokens} rows of a block, and the
 * checksums over them. Immutable.
 *
 * <p>The last checksum may cover rows behind {@code tokens}, where the sequence was cut: those rows
 * are still there and never change as long as this checksum stands.
 *
 * @param block id of the block
 * @param tokens rows that belong to the sequence, at least 1
 * @param ends row behind the last one of each checksum, ascending
 * @param crcs CRC32C over the rows from the end before, pieces in the order of {@link
 *     io.gatun.cache.KvLayout#forEachPiece}
 */
record RunState(long block, int tokens, int[] ends, int[] crcs) {
  /** Checksums cover at most this many rows and never cross a multiple of it. */
  static final int PIECE = 64;

  /** The same run, cut to fewer tokens; the checksum that covers the cut stays whole. */
  RunState cut(int toTokens) {
    int pieces = pieceOf(toTokens - 1) + 1;
    return new RunState(block, toTokens, Arrays.copyOf(ends, pieces), Arrays.copyOf(crcs, pieces));
  }

  /** Row behind the last one that a checksum covers. */
  int coveredRows() {
    return ends.length == 0 ? 0 : ends[ends.length - 1];
  }

  /** First row of a checksum. */
  int start(int piece) {
    return piece == 0 ? 0 : ends[piece - 1];
  }

  /** The checksum that covers a row. */
  int pieceOf(int row) {
    int at = Arrays.binarySearch(ends, row + 1);
    return at >= 0 ? at : -at - 1;
  }

  /** The run that a journal record describes; {@code before} stood in its place, or null. */
  static RunState of(JournalRecord.RunChange change, RunState before, int blockTokens) {
    int kept = change.keptPieces();
    if (kept > 0
        && (before == null || before.block != change.block() || kept > before.ends.length)) {
      throw new GatunException(
          "%d checksums are kept of a run that has not so many".formatted(kept));
    }
    int added = change.pieceRows().length;
    int[] ends = kept == 0 ? new int[added] : Arrays.copyOf(before.ends, kept + added);
    int[] crcs = kept == 0 ? new int[added] : Arrays.copyOf(before.crcs, kept + added);
    int end = kept == 0 ? 0 : ends[kept - 1];
    for (int i = 0; i < added; i++) {
      int rows = change.pieceRows()[i];
      if (rows < 1 || rows > PIECE || rows > blockTokens - end) {
        throw new GatunException("a checksum covers %d rows behind row %d".formatted(rows, end));
      }
      end += rows;
      ends[kept + i] = end;
      crcs[kept + i] = change.crcs()[i];
    }
    boolean covered =
        change.tokens() >= 1 && change.tokens() <= end && start(ends) < change.tokens();
    if (!covered) {
      throw new GatunException(
          "a run of %d tokens has checksums for %d rows".formatted(change.tokens(), end));
    }
    return new RunState(change.block(), change.tokens(), ends, crcs);
  }

  private static int start(int[] ends) {
    return ends.length < 2 ? 0 : ends[ends.length - 2];
  }

  /** How many checksums at the front this run shares with {@code other}, a run of the same block. */
  int sharedPieces(RunState other) {
    int shared = 0;
    while (shared < Math.min(ends.length, other.ends.length)
        && ends[shared] == other.ends[shared]
        && crcs[shared] == other.crcs[shared]) {
      shared++;
    }
    return shared;
  }

  /** What a journal record has to say about this run. */
  JournalRecord.RunChange change(int keptPieces) {
    int added = ends.length - keptPieces;
    int[] rows = new int[added];
    for (int i = 0; i < added; i++) {
      rows[i] = ends[keptPieces + i] - start(keptPieces + i);
    }
    return new JournalRecord.RunChange(
        block, tokens, keptPieces, rows, Arrays.copyOfRange(crcs, keptPieces, ends.length));
  }

  @Override
  public boolean equals(Object other) {
    return other instanceof RunState that
        && block == that.block
        && tokens == that.tokens
        && Arrays.equals(ends, that.ends)
        && Arrays.equals(crcs, that.crcs);
  }

  @Override
  public int hashCode() {
    return Long.hashCode(block) * 31 + tokens;
  }
}
