package io.gatun.attention;

import io.gatun.cache.KvView;
import java.lang.foreign.MemorySegment;
import java.util.Arrays;
import java.util.concurrent.atomic.AtomicIntegerArray;

/**
 * A decode step of several sequences: one query of each, at its last token.
 *
 * <p>A piece of the work is one split of one KV head. Where sequences share the memory of a split, as
 * forks with a common beginning do, one piece is worked through for all of them, so that a shared row
 * is brought in once and the vectors of a block of rows are filled by several sequences. Results do
 * not depend on it, since a row of a {@link RowBlock} does not depend on the others.
 *
 * <p>Where no sequences share memory, pieces that follow each other are worked through at once if a
 * kernel can do that.
 *
 * <p>The sequences are taken shortest first. For each the leader is the earlier one that it shares
 * the most splits with, and sharing is transitive, since only whole beginnings count: so the first
 * sequence with some split's memory is found by going from leader to leader. Being the shortest, it
 * sees every split, of the window or the sinks, that any of the others sees, and its piece does it.
 *
 * <p>Thread rules: one call at a time. Allocates only if there are more sequences than ever.
 */
final class DecodeBatch {
  private final HeadGroups groups;
  private final Partials partials;
  private final long partialBytes;
  private final int[][] members; // [workers][queriesPerTask]
  private final Team.Task task = this::task;

  /** Tasks of the team that a thread gets, so that all threads end at about one time. */
  private static final int SHARES = 8;

  /**
   * Splits of one head that are worked through before the next head's turn. The heads of some thousand
   * tokens lie in the same blocks: so a block of a file that does not fit RAM is read once in a step,
   * and not once for each head.
   */
  private static final int STRETCH = 16;

  // By sequence, shortest first.
  private int[] numbers = new int[0];
  private KvView[] views = new KvView[0];
  private long[] lengths = new long[0];
  private int[] leaders = new int[0];
  private int[] sharedSplits = new int[0];
  private int[] sinkSplits = new int[0];
  private int[] windowSplits = new int[0];
  private int[] splits = new int[0];
  private int[] firstPieces = new int[0];
  private long[] firstPartials = new long[0];

  /** Splits that are not yet worked through, {@code [sequences][kvHeads]}. */
  private AtomicIntegerArray left = new AtomicIntegerArray(0);

  // The call under way.
  private boolean apart; // no sequences share memory
  private int pieces;
  private int piecesPerTask;
  private long call;
  private int sequences;
  private int layer;
  private MemorySegment q;
  private MemorySegment out;
  private MemorySegment store; // [sequences][kvHeads][visible splits][group][storedFloats]

  DecodeBatch(HeadGroups groups, int storedFloats) {
    this.groups = groups;
    this.partialBytes = (long) groups.group() * storedFloats * Float.BYTES;
    this.partials = new Partials(groups.kvHeads() * partialBytes);
    this.members = new int[groups.workers().length][groups.queriesPerTask()];
  }

  /** Begins a call: forgets the sequences of the last one. */
  void begin(long newCall, int newLayer, int capacity) {
    call = newCall;
    layer = newLayer;
    sequences = 0;
    if (capacity > numbers.length) {
      numbers = new int[capacity];
      views = new KvView[capacity];
      lengths = new long[capacity];
      leaders = new int[capacity];
      sharedSplits = new int[capacity];
      sinkSplits = new int[capacity];
      windowSplits = new int[capacity];
      splits = new int[capacity];
      firstPieces = new int[capacity];
      firstPartials = new long[capacity];
      left = new AtomicIntegerArray(Math.multiplyExact(capacity, groups.kvHeads()));
    }
  }

  /** Adds the next sequence, keeping the shortest first. */
  void add(KvView view) {
    long length = view.length(layer);
    int at = sequences;
    while (at > 0 && lengths[at - 1] > length) {
      numbers[at] = numbers[at - 1];
      views[at] = views[at - 1];
      lengths[at] = lengths[at - 1];
      at--;
    }
    numbers[at] = sequences++;
    views[at] = view;
    lengths[at] = length;
  }

  /** Does it: q f32 {@code [sequences][numHeads][keyDim]}, out {@code [..][numHeads][valueDim]}. */
  void run(Team team, MemorySegment newQ, MemorySegment newOut) {
    q = newQ;
    out = newOut;
    try {
      pieces = plan();
      piecesPerTask = Math.max(1, pieces / (team.threads() * SHARES));
      team.run(Math.ceilDiv(pieces, piecesPerTask), task);
    } finally {
      q = null;
      out = null;
      Arrays.fill(views, 0, sequences, null);
    }
  }

  private int plan() {
    int tasks = 0;
    long stored = 0;
    apart = true;
    for (int i = 0; i < sequences; i++) {
      long position = lengths[i] - 1;
      splits[i] = Math.toIntExact(position / RowBlock.SPLIT + 1);
      windowSplits[i] = (int) (groups.options().windowStart(position) / RowBlock.SPLIT);
      long sinks = Math.ceilDiv((long) groups.options().sinkTokens(), RowBlock.SPLIT);
      sinkSplits[i] = (int) Math.min(windowSplits[i], sinks);
      findLeader(i);
      apart &= sharedSplits[i] == 0;
      firstPieces[i] = tasks;
      tasks = Math.addExact(tasks, Math.multiplyExact(ownSplits(i), groups.kvHeads()));
      firstPartials[i] = stored;
      stored += visibleSplits(i);
      for (int head = 0; head < groups.kvHeads(); head++) {
        left.set(name(i, head), visibleSplits(i));
      }
    }
    store = partials.of(stored);
    return tasks;
  }

  private void findLeader(int sequence) {
    leaders[sequence] = sequence;
    sharedSplits[sequence] = 0;
    for (int earlier = 0; earlier < sequence; earlier++) {
      long tokens = Math.min(lengths[earlier], sharedTokens(views[earlier], views[sequence]));
      int shared = (int) (tokens / RowBlock.SPLIT);
      if (shared > sharedSplits[sequence]) {
        sharedSplits[sequence] = shared;
        leaders[sequence] = earlier;
      }
    }
  }

  /** Tokens from the first on whose rows lie in the same memory. */
  private static long sharedTokens(KvView a, KvView b) {
    long shared = 0;
    int runs = Math.min(a.runs(), b.runs());
    for (int run = 0; run < runs; run++) {
      if (a.runStart(run) != b.runStart(run) || !a.keys(run).equals(b.keys(run))) {
        break;
      }
      shared = a.runStart(run) + Math.min(a.runTokens(run), b.runTokens(run));
    }
    return shared;
  }

  /** The first sequence whose memory of this split is also that of {@code sequence}. */
  private int leader(int sequence, int split) {
    int at = sequence;
    while (split < sharedSplits[at]) {
      at = leaders[at];
    }
    return at;
  }

  private boolean sees(int sequence, int split) {
    return split < sinkSplits[sequence]
        || split >= windowSplits[sequence] && split < splits[sequence];
  }

  /** The splits that a sequence sees: those with sink tokens, then those of the window. */
  private int visibleSplits(int sequence) {
    return sinkSplits[sequence] + splits[sequence] - windowSplits[sequence];
  }

  private int visibleIndex(int sequence, int split) {
    int sinks = sinkSplits[sequence];
    return split < sinks ? split : sinks + split - windowSplits[sequence];
  }

  /** How many of the splits that it sees no earlier sequence works through. */
  private int ownSplits(int sequence) {
    return ownSinks(sequence)
        + splits[sequence]
        - Math.max(windowSplits[sequence], sharedSplits[sequence]);
  }

  private int ownSinks(int sequence) {
    return Math.max(0, sinkSplits[sequence] - sharedSplits[sequence]);
  }

  private int ownSplit(int sequence, int index) {
    int sinks = ownSinks(sequence);
    return index < sinks
        ? sharedSplits[sequence] + index
        : Math.max(windowSplits[sequence], sharedSplits[sequence]) + index - sinks;
  }

  /**
   * Works through pieces that follow each other. A sequence has them stretch by stretch, head by head
   * in a stretch, split by split: {@code [stretches][kvHeads][STRETCH]}, fewer in the last. Within a
   * head one piece's rows are brought in while the one before is worked on.
   */
  private void task(int number, int worker) {
    int from = number * piecesPerTask;
    int to = Math.min(from + piecesPerTask, pieces);
    int runEnd = from;
    for (int piece = from; piece < to; piece++) {
      int sequence = sequenceOf(piece);
      int index = piece - firstPieces[sequence];
      int start = index / (STRETCH * groups.kvHeads()) * STRETCH;
      int width = Math.min(STRETCH, ownSplits(sequence) - start);
      int inStretch = index - start * groups.kvHeads();
      int own = start + inStretch % width;
      if (piece == runEnd) {
        runEnd = Math.min(to, piece + width - inStretch % width);
        int last = ownSplit(sequence, own + runEnd - 1 - piece);
        groups.workers()[worker].restart((last + 1L) * RowBlock.SPLIT);
      }
      int head = inStretch / width;
      int split = ownSplit(sequence, own);
      int more = apart ? several(worker, sequence, head, split, runEnd - piece) : 0;
      if (more > 0) {
        piece += more - 1;
      } else {
        piece(worker, sequence, head, split);
      }
    }
  }

  /**
   * Works several splits of a sequence through at once, if that can be done; returns how many.
   *
   * @param most splits that this worker has of the head, from {@code split} on
   */
  private int several(int worker, int sequence, int head, int split, int most) {
    // Between the sinks and a window there are splits that are not seen.
    int sinks = sinkSplits[sequence];
    int seen = split < sinks ? sinks - split : most;
    RowBlock rows = groups.workers()[worker];
    int name = name(sequence, head);
    if (!rows.holds(call, name)) {
      rows.begin(call, name);
      groups.add(rows, q, numbers[sequence], head, lengths[sequence] - 1);
      rows.ready();
    }
    int done =
        rows.splits(
            views[sequence],
            layer,
            head,
            (long) split * RowBlock.SPLIT,
            Math.min(most, seen),
            store,
            partialOffset(sequence, head, visibleIndex(sequence, split)),
            partialBytes);
    if (done > 0 && left.addAndGet(name, -done) == 0) {
      merge(rows, 0, sequence, head);
    }
    return done;
  }

  /** Names a head of a sequence within a call. */
  private int name(int sequence, int head) {
    return sequence * groups.kvHeads() + head;
  }

  private void piece(int worker, int sequence, int head, int split) {
    for (int next = sequence; next < sequences; ) {
      next = work(worker, sequence, next, head, split);
    }
  }

  private int sequenceOf(int number) {
    int low = 0;
    int high = sequences - 1;
    while (low < high) {
      int middle = (low + high + 1) >>> 1;
      if (firstPieces[middle] <= number) {
        low = middle;
      } else {
        high = middle - 1;
      }
    }
    return low;
  }

  /**
   * Works a split through for the sequences from {@code from} on that {@code leader} leads, as many
   * as there is room for; returns the one to go on with.
   */
  private int work(int worker, int leader, int from, int head, int split) {
    int[] mine = members[worker];
    int count = 0;
    int next = from;
    for (; next < sequences && count < mine.length; next++) {
      if (sees(next, split) && leader(next, split) == leader) {
        mine[count++] = next;
      }
    }
    if (count == 0) {
      return next;
    }
    RowBlock rows = groups.workers()[worker];
    // Rows of a single sequence stay as they are from one split to the next.
    int name = count == 1 ? name(mine[0], head) : -1;
    if (name < 0 || !rows.holds(call, name)) {
      rows.begin(call, name);
      for (int i = 0; i < count; i++) {
        groups.add(rows, q, numbers[mine[i]], head, lengths[mine[i]] - 1);
      }
      rows.ready();
    }
    rows.split(views[leader], layer, head, (long) split * RowBlock.SPLIT);
    for (int i = 0; i < count; i++) {
      long at = partialOffset(mine[i], head, visibleIndex(mine[i], split));
      rows.store(i * groups.group(), groups.group(), store, at);
    }
    for (int i = 0; i < count; i++) {
      if (left.decrementAndGet(name(mine[i], head)) == 0) {
        merge(rows, i * groups.group(), mine[i], head);
      }
    }
    return next;
  }

  /** The last one to finish a split merges those of the sequence and head, in their order. */
  private void merge(RowBlock rows, int at, int sequence, int head) {
    rows.mergeStored(
        at,
        groups.group(),
        store,
        partialOffset(sequence, head, 0),
        partialBytes,
        visibleSplits(sequence));
    groups.finish(
        rows,
        at,
        views[sequence],
        layer,
        null,
        q,
        out,
        numbers[sequence],
        head,
        lengths[sequence] - 1);
  }

  private long partialOffset(int sequence, int head, int visible) {
    long split =
        firstPartials[sequence] * groups.kvHeads()
            + (long) head * visibleSplits(sequence)
            + visible;
    return split * partialBytes;
  }

  void close() {
    partials.close();
  }
}
