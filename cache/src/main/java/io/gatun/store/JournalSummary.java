package io.gatun.store;

import java.util.HashSet;
import java.util.List;
import java.util.Set;

/**
 * What a store has to know of a conversation that it does not open: counts and blocks, but no token
 * ids and no checksums, so that thousands of them fit a small heap.
 *
 * @param tokens token ids known
 * @param committed tokens whose K/V is committed
 * @param blocks blocks that hold its rows, in memory or, if the power went now, on disk
 * @param keeps blocks of others that it may need, whatever stands behind the records that check
 * @param closed whether its last writer closed it
 * @param end where the records that check end
 * @param dropped bytes behind them that are not zero
 * @param stopped why the record at {@code end} was not taken, or null
 * @param alone whether no other conversation can hold rows in the blocks of this one
 */
record JournalSummary(
    JournalHeader header,
    int tokens,
    long committed,
    Set<Long> blocks,
    Set<Long> keeps,
    boolean closed,
    long end,
    long dropped,
    String stopped,
    boolean alone) {

  /** The summary of a journal. */
  static JournalSummary of(JournalFile journal) {
    JournalState state = journal.state();
    return new JournalSummary(
        journal.header(),
        state.tokens().count(),
        state.committed(),
        blocksOf(journal.forcedRuns(), state.runs()),
        state.foreignBlocks(),
        state.closed(),
        journal.end(),
        journal.dropped(),
        journal.stopped(),
        !journal.forked() && state.foreignBlocks().isEmpty());
  }

  private static Set<Long> blocksOf(List<RunState> forced, List<RunState> runs) {
    Set<Long> blocks = new HashSet<>();
    forced.forEach(run -> blocks.add(run.block()));
    runs.forEach(run -> blocks.add(run.block()));
    return Set.copyOf(blocks);
  }

  /** Whether bytes behind the last record do not check: a writer's last record, or damage. */
  boolean torn() {
    return stopped != null || dropped > 0;
  }

  /** What a torn end looks like, a sentence. */
  String tail() {
    return "%,d bytes from offset %,d on do not check%s"
        .formatted(dropped, end, stopped == null ? "" : " (" + stopped + ")");
  }
}
