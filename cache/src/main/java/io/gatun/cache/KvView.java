package io.gatun.cache;

import java.lang.foreign.MemorySegment;

/**
 * The read side of a cache: a sequence of runs. Run {@code i} holds the tokens {@code
 * [runStart(i), runStart(i) + runTokens(i))} in its first rows; runs follow each other without gaps.
 *
 * <p>Two kinds exist. A <em>snapshot</em> ({@link KvCache#view()}) never changes: its rows stay as
 * they are whatever the writer does, until it is closed. It may be used by any number of threads.
 * The writer's <em>live</em> view ({@link KvCache#live()}) follows the cache, includes the rows
 * that a layer was given and that are not yet advanced over, costs nothing to get, and belongs to
 * the writer's thread and to those that it hands work to within a step.
 *
 * <p>Using the memory of a view after the view, or the cache it lies in, was closed throws {@link
 * IllegalStateException}.
 */
public interface KvView extends AutoCloseable {
  /** Where the rows of each block lie. */
  KvLayout layout();

  /** Tokens that can be read in every layer. */
  long length();

  /** Tokens that can be read in this layer: more than {@link #length} only in a live view. */
  long length(int layer);

  /** Number of runs. */
  int runs();

  /** Position of a run's first token. */
  long runStart(int run);

  /** Tokens of a run; for the last run of a live view, rows up to the longest layer. */
  int runTokens(int run);

  /** Keys of a run's block, {@code [layer][kvHead][token][keyDim]}. */
  MemorySegment keys(int run);

  /** Values of a run's block, {@code [layer][kvHead][token][valueDim]}. */
  MemorySegment values(int run);

  /** The run that holds a position, found by bisection; {@code runs()} if there is none. */
  default int runAt(long token) {
    int low = 0;
    int high = runs() - 1;
    while (low <= high) {
      int middle = (low + high) >>> 1;
      if (token < runStart(middle)) {
        high = middle - 1;
      } else if (token >= runStart(middle) + runTokens(middle)) {
        low = middle + 1;
      } else {
        return middle;
      }
    }
    return runs();
  }

  /** Lets go of the blocks of a snapshot. Does nothing for a live view. */
  @Override
  void close();
}
