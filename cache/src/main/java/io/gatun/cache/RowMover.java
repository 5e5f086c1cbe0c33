package io.gatun.cache;

import java.lang.foreign.MemorySegment;

/**
 * Moves pending rows of a cache to the front of those that are pending, as stored: what is accepted
 * of a tree of drafts becomes the sequence. In all layers, K and V, scales with them.
 */
final class RowMover {
  private final KvLayout layout;
  private final RunList runs;

  RowMover(KvLayout layout, RunList runs) {
    this.layout = layout;
    this.runs = runs;
  }

  /** Copies the rows of the token at position {@code from} over those of the one at {@code to}. */
  void move(long from, long to) {
    int fromRun = runs.runOf(from);
    int toRun = runs.runOf(to);
    int fromRow = (int) (from - runs.start(fromRun));
    int toRow = (int) (to - runs.start(toRun));
    KvBlock source = runs.block(fromRun);
    KvBlock target = runs.block(toRun);
    if (toRow < target.frozenTokens()) {
      throw new IllegalStateException(
          "row %d of block %d was promised to somebody: %d rows are frozen"
              .formatted(toRow, target.id(), target.frozenTokens()));
    }
    // The rows of one layer and head follow each other, so a row's bytes are also the way from one
    // row to the next.
    layout.forEachPiece(
        fromRow,
        fromRow + 1,
        (inKeys, offset, bytes) ->
            MemorySegment.copy(
                inKeys ? source.keys() : source.values(),
                offset,
                inKeys ? target.keys() : target.values(),
                offset + (toRow - fromRow) * bytes,
                bytes));
  }
}
