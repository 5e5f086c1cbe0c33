package io.gatun.cache;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;

/**
 * The runs of a cache, in order: which block holds each, where it begins, and how far the last one
 * may grow. Knows nothing of layers and pending rows. The cache guards it: changes are made with the
 * cache's lock held, by its writer.
 *
 * <pre>
 *   run          0              1              2
 *   block        A              B              A fresh one, owned
 *   starts       0              1024           1500
 *   rows         0 ... 1023     0 ... 475      0 ... limit
 * </pre>
 */
final class RunList {
  private final int blockTokens;

  private KvBlock[] blocks = new KvBlock[4];

  /** {@code starts[i]} is the position of run i's first token. */
  private long[] starts = new long[4];

  /** Whether the rows behind the frozen ones of run i's block are ours to write. */
  private boolean[] owned = new boolean[4];

  private int count;

  /** Rows that the last run may come to hold. */
  private int lastLimit;

  RunList(int blockTokens) {
    this.blockTokens = blockTokens;
  }

  /** Number of runs. */
  int count() {
    return count;
  }

  /** Position of a run's first token. */
  long start(int run) {
    return starts[run];
  }

  KvBlock block(int run) {
    return blocks[run];
  }

  /** Rows that a run may come to hold. */
  int limit(int run) {
    return run + 1 < count ? (int) (starts[run + 1] - starts[run]) : lastLimit;
  }

  /** Position behind the last row that there is room for. */
  long room() {
    return count == 0 ? 0 : starts[count - 1] + lastLimit;
  }

  /** The run that holds a position, looked for from the end. */
  int runOf(long token) {
    int run = count - 1;
    while (starts[run] > token) {
      run--;
    }
    return run;
  }

  /** Adds a run behind the others; its reference to the block passes to this list. */
  void add(KvBlock block, long start, boolean ours) {
    if (count == blocks.length) {
      blocks = Arrays.copyOf(blocks, 2 * count);
      starts = Arrays.copyOf(starts, 2 * count);
      owned = Arrays.copyOf(owned, 2 * count);
    }
    blocks[count] = block;
    starts[count] = start;
    owned[count] = ours;
    lastLimit = blockTokens;
    count++;
  }

  /** Gives back the runs that begin at or behind the end of the sequence. */
  void cut(long length) {
    while (count > 0 && starts[count - 1] >= length) {
      count--;
      blocks[count].release();
      blocks[count] = null;
    }
    settle(length);
  }

  /** Settles how far the last run may grow, after the sequence was cut or put together. */
  void settle(long length) {
    if (count == 0) {
      lastLimit = 0;
      return;
    }
    int used = (int) (length - starts[count - 1]);
    boolean growable = owned[count - 1] && blocks[count - 1].frozenTokens() <= used;
    lastLimit = growable ? blockTokens : used;
  }

  /** Takes back the promise of the rows behind the end, if the last block is ours alone. */
  boolean reclaim(long length) {
    if (count == 0 || !owned[count - 1]) {
      return false;
    }
    boolean thawed = blocks[count - 1].thaw((int) (length - starts[count - 1]));
    settle(length);
    return thawed;
  }

  /** The runs that hold the first {@code tokens} tokens, their rows frozen from now on. */
  List<KvRun> promise(long tokens) {
    List<KvRun> promised = new ArrayList<>(count);
    for (int run = 0; run < count && starts[run] < tokens; run++) {
      int rows = (int) (Math.min(tokens, run + 1 < count ? starts[run + 1] : tokens) - starts[run]);
      blocks[run].freeze(rows);
      promised.add(new KvRun(blocks[run], rows));
    }
    return promised;
  }

  /** Gives all blocks back. */
  void clear() {
    for (int run = 0; run < count; run++) {
      blocks[run].release();
      blocks[run] = null;
    }
    count = 0;
    lastLimit = 0;
  }
}
