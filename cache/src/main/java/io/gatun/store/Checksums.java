package io.gatun.store;

import io.gatun.cache.KvLayout;
import io.gatun.cache.KvRun;
import java.util.Arrays;

/** Builds the checksums of a run from the rows in memory. */
final class Checksums {
  private Checksums() {}

  /** Checksums of a run that grew; {@code before} is the run as it was, or null. */
  static RunState extend(KvLayout layout, KvRun run, RunState before) {
    int from = before == null ? 0 : before.tokens();
    if (before != null && before.coveredRows() != from) {
      throw new IllegalStateException(
          "block %016x grew behind row %d, but rows up to %d were promised"
              .formatted(before.block(), from, before.coveredRows()));
    }
    int kept = before == null ? 0 : before.ends().length;
    int added = Math.ceilDiv(run.tokens(), RunState.PIECE) - from / RunState.PIECE;
    int[] ends = kept == 0 ? new int[added] : Arrays.copyOf(before.ends(), kept + added);
    int[] crcs = kept == 0 ? new int[added] : Arrays.copyOf(before.crcs(), kept + added);
    int row = from;
    for (int piece = kept; row < run.tokens(); piece++) {
      int end = Math.min(run.tokens(), (row / RunState.PIECE + 1) * RunState.PIECE);
      ends[piece] = end;
      crcs[piece] = BlockCheck.crc(layout, run.block(), row, end);
      row = end;
    }
    return new RunState(run.block().id(), run.tokens(), ends, crcs);
  }

  /** Whether the rows under the last checksum of a run are those that it was computed over. */
  static boolean lastFits(KvLayout layout, KvRun run, RunState state) {
    int last = state.ends().length - 1;
    int computed = BlockCheck.crc(layout, run.block(), state.start(last), state.ends()[last]);
    return computed == state.crcs()[last];
  }

  /** The checksums of a cut run, the last one computed anew if it covers rows behind the cut. */
  static RunState endingAt(KvLayout layout, KvRun run, RunState cut) {
    if (cut.coveredRows() == cut.tokens()) {
      return cut;
    }
    int last = cut.ends().length - 1;
    int[] ends = cut.ends().clone();
    int[] crcs = cut.crcs().clone();
    ends[last] = cut.tokens();
    crcs[last] = BlockCheck.crc(layout, run.block(), cut.start(last), cut.tokens());
    return new RunState(cut.block(), cut.tokens(), ends, crcs);
  }
}
