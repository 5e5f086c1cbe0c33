package io.gatun.store;

import io.gatun.cache.GatunException;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;

/**
 * What the records of a journal add up to: token ids, the runs of committed K/V, and whether the
 * last writer closed it. Applied in order; a record that makes no sense where it stands is refused
 * and changes nothing. One thread.
 */
final class JournalState {
  private final int owner;
  private final int blockTokens;
  private final Tokens tokens;
  private final List<RunState> runs = new ArrayList<>();

  /** The same, immutable, for those who ask; null if the runs have changed since. */
  private List<RunState> published = List.of();

  private long committed;
  private boolean openTail;
  private boolean closed = true;
  private long time;
  private int nextNumber;
  private final Set<Long> foreign = new HashSet<>();
  private final Map<Long, Long> stamps = new HashMap<>();

  /** The state before any record, of the conversation that makes its blocks as {@code owner}. */
  JournalState(int owner, int blockTokens) {
    this(owner, blockTokens, true);
  }

  /** As above; without {@code keepIds} token ids are counted and not kept. */
  JournalState(int owner, int blockTokens, boolean keepIds) {
    this.owner = owner;
    this.blockTokens = blockTokens;
    this.tokens = keepIds ? new Tokens() : Tokens.counting();
  }

  /** Rows of a block. */
  int blockTokens() {
    return blockTokens;
  }

  /** Whether token ids are kept, not only counted. */
  boolean keepsIds() {
    return tokens.kept();
  }

  /** The blocks of other owners that the records ever named, those given up included. */
  Set<Long> foreignBlocks() {
    return Set.copyOf(foreign);
  }

  /**
   * A number above those of all blocks of the owner that the journal ever named, the ones that are
   * long gone included. Others may have taken note of those and still mean them: a fork that is about
   * to remove one, a reader that has one mapped.
   */
  int nextNumber() {
    return nextNumber;
  }

  /** The token ids known. */
  Tokens tokens() {
    return tokens;
  }

  /** The runs that hold the committed rows. Immutable. */
  List<RunState> runs() {
    if (published == null) {
      published = List.copyOf(runs);
    }
    return published;
  }

  /** Tokens whose K/V is committed. */
  long committed() {
    return committed;
  }

  /** Whether the conversation may write behind the last run's rows. */
  boolean openTail() {
    return openTail;
  }

  /** Whether the last writer closed the conversation. */
  boolean closed() {
    return closed;
  }

  /** What a block's file looked like when its rows were last known to be right; 0 for unknown. */
  long stamp(long block) {
    return stamps.getOrDefault(block, FileStamp.UNKNOWN);
  }

  /** The known stamps of the blocks that the state names. */
  Map<Long, Long> stampsOfRuns() {
    return stampsOf(runs);
  }

  /** The known stamps of the blocks of some runs. */
  Map<Long, Long> stampsOf(List<RunState> some) {
    Map<Long, Long> known = new LinkedHashMap<>();
    for (RunState run : some) {
      if (stamp(run.block()) != FileStamp.UNKNOWN) {
        known.put(run.block(), stamp(run.block()));
      }
    }
    return known;
  }

  /** Milliseconds since 1970 of the last commit, opening or closing. */
  long time() {
    return time;
  }

  /**
   * Takes the next record.
   *
   * @throws GatunException if it makes no sense here; nothing has changed
   */
  void apply(JournalRecord record) {
    switch (record) {
      case JournalRecord.Ids ids -> apply(ids);
      case JournalRecord.Rows rows -> apply(rows);
      case JournalRecord.Mark mark -> {
        closed = mark.code == JournalRecord.Mark.CLOSED;
        time = mark.time;
      }
      case JournalRecord.Stamps files -> stamps.putAll(files.stamps);
      case JournalRecord.NextNumber next -> nextNumber = Math.max(nextNumber, next.number);
    }
  }

  private void apply(JournalRecord.Ids ids) {
    if (ids.from > tokens.count()) {
      throw new GatunException(
          "token ids from position %d, but only %d are known".formatted(ids.from, tokens.count()));
    }
    tokens.replace(ids.from, ids.ids, ids.at, ids.count);
    if (ids.from < committed) {
      cut(ids.from);
    }
  }

  /** The blocks of the runs that hold no row before a position. */
  Set<Long> blocksFrom(long position) {
    Set<Long> blocks = new HashSet<>();
    long start = 0;
    for (RunState run : runs) {
      if (start >= position) {
        blocks.add(run.block());
      }
      start += run.tokens();
    }
    return blocks;
  }

  /** Drops the rows from a position on. */
  private void cut(long position) {
    while (!runs.isEmpty() && position <= committed - runs.getLast().tokens()) {
      committed -= runs.removeLast().tokens();
    }
    if (position < committed) {
      RunState last = runs.removeLast();
      runs.add(last.cut((int) (last.tokens() - (committed - position))));
    }
    committed = position;
    published = null;
    // Whoever may write there says so in a record of its own, after it has made sure of it.
    openTail = false;
  }

  /** Looks at the runs that change only: a long conversation has as many commits as blocks. */
  private void apply(JournalRecord.Rows rows) {
    if (rows.keptRuns > runs.size()) {
      throw new GatunException("%d runs are kept of %d".formatted(rows.keptRuns, runs.size()));
    }
    long total = committed;
    for (int i = rows.keptRuns; i < runs.size(); i++) {
      total -= runs.get(i).tokens();
    }
    List<RunState> changed = new ArrayList<>(rows.runs.size());
    for (JournalRecord.RunChange change : rows.runs) {
      int place = rows.keptRuns + changed.size();
      RunState run = RunState.of(change, place < runs.size() ? runs.get(place) : null, blockTokens);
      changed.add(run);
      total += run.tokens();
    }
    if (total > tokens.count()) {
      throw new GatunException(
          "K/V of %d tokens, but only %d token ids are known".formatted(total, tokens.count()));
    }
    for (RunState run : changed) {
      if (BlockFolder.owner(run.block()) == owner) {
        nextNumber = Math.max(nextNumber, (int) run.block() + 1);
      } else {
        foreign.add(run.block());
      }
    }
    runs.subList(rows.keptRuns, runs.size()).clear();
    runs.addAll(changed);
    published = null;
    committed = total;
    openTail = rows.openTail;
    time = rows.time;
  }

  /** The record that leads from this state to these runs. */
  JournalRecord.Rows change(List<RunState> to, boolean tailOpen, long now) {
    JournalRecord.Rows rows = new JournalRecord.Rows();
    rows.time = now;
    rows.openTail = tailOpen;
    while (rows.keptRuns < Math.min(runs.size(), to.size())
        && runs.get(rows.keptRuns).equals(to.get(rows.keptRuns))) {
      rows.keptRuns++;
    }
    for (int i = rows.keptRuns; i < to.size(); i++) {
      RunState run = to.get(i);
      RunState before = i < runs.size() ? runs.get(i) : null;
      boolean same = before != null && before.block() == run.block();
      rows.runs.add(run.change(same ? run.sharedPieces(before) : 0));
    }
    return rows;
  }
}
