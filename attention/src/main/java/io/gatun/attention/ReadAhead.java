package io.gatun.attention;

import io.gatun.attention.code.Call;
import io.gatun.cache.KvLayout;
import io.gatun.cache.KvView;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;

/**
 * Brings key rows, or value rows, into the caches before the kernels want them: {@link #next} asks
 * for a few at a time.
 *
 * <p>Where {@link Prefetch} is to be had, asking is prefetching. Elsewhere one value of each cache
 * line is read, and the whole range at once in {@link #begin}: a plain load holds up what comes
 * after it until its line is there, so among the arithmetic it would do harm, but a loop that does
 * nothing but read keeps as many loads under way as the processor can.
 *
 * <p>Thread rules: scratch of one worker.
 */
final class ReadAhead {
  private static final long LINE = 64;
  private static final ValueLayout.OfLong WORD = ValueLayout.JAVA_LONG_UNALIGNED;

  private final boolean ofKeys;
  private final boolean scalesApart;
  private final int rowBytes;
  private final int scaleBytes;

  private KvView view;
  private int layer;
  private int kvHead;
  private long at;
  private long end;
  private int run;

  /** Where the current run lies. */
  private MemorySegment segment;

  /** Bytes of the current run that are still to be asked for: from here to there. */
  private long address;

  private long addressEnd;

  /** What was read, so that the reads cannot be left out. */
  private long sink;

  ReadAhead(KvLayout layout, boolean ofKeys, boolean scalesApart) {
    this.scalesApart = scalesApart;
    this.ofKeys = ofKeys;
    boolean none = !ofKeys && layout.shape().valuesInKeys();
    rowBytes = none ? 0 : ofKeys ? layout.keyRowBytes() : layout.valueRowBytes();
    scaleBytes = none ? 0 : ofKeys ? layout.keyScaleBytes() : layout.valueScaleBytes();
  }

  /** Sets out for the rows {@code [from, to)} of a layer and head. */
  void begin(KvView newView, int newLayer, int newHead, long from, long to) {
    view = newView;
    layer = newLayer;
    kvHead = newHead;
    at = from;
    end = rowBytes == 0 ? from : to;
    run = from < end ? newView.runAt(from) : 0;
    address = 0;
    addressEnd = 0;
    if (!Prefetch.available()) {
      while (nextRun()) {
        sink |= read(segment, address - segment.address(), addressEnd - address);
      }
      address = addressEnd;
    }
  }

  /** Finds the next run; false if there is no more to ask for. */
  private boolean nextRun() {
    if (at >= end) {
      return false;
    }
    while (at >= view.runStart(run) + view.runTokens(run)) {
      run++;
    }
    KvLayout layout = view.layout();
    int row = (int) (at - view.runStart(run));
    long rows = Math.min(end - at, view.runTokens(run) - row);
    at += rows;
    segment = ofKeys ? view.keys(run) : view.values(run);
    address =
        segment.address()
            + (ofKeys
                ? layout.keyOffset(layer, kvHead, row)
                : layout.valueOffset(layer, kvHead, row));
    addressEnd = address + rows * rowBytes;
    if (scaleBytes != 0 && !scalesApart) {
      long scales =
          ofKeys
              ? layout.keyScaleOffset(layer, kvHead, row)
              : layout.valueScaleOffset(layer, kvHead, row);
      scales(scales, rows * scaleBytes);
    }
    return true;
  }

  /** Asks for scales: few bytes, so all at once. */
  private void scales(long offset, long bytes) {
    if (Prefetch.available()) {
      long from = segment.address() + offset;
      Prefetch.lines(from, from + bytes);
    } else {
      sink |= read(segment, offset, bytes);
    }
  }

  /**
   * Asks for the next {@code tokens} rows, at least 1, or those that are left. Costs some
   * nanoseconds if there are none.
   */
  void next(int tokens) {
    long from = from();
    long to = take(tokens);
    if (from < to) {
      Prefetch.lines(from, to);
    }
  }

  /** Where the next row to be asked for lies; goes on to the next run where one has ended. */
  long from() {
    if (address >= addressEnd) {
      nextRun();
    }
    return address;
  }

  /**
   * Has a call ask for the next {@code tokens} rows, which may lie in two runs; what lies in a third
   * one is left.
   *
   * @param here address of a row that the call reads anyway, to ask for where there is no other
   */
  void ask(Call call, Call.Field first, int tokens, long here) {
    long from = from();
    int inRun = rows();
    if (inRun == 0) {
      call.ask(first, here, here + 1, here, here + 1);
      return;
    }
    long end = take(tokens);
    if (inRun >= tokens) {
      call.ask(first, from, end, here, here + 1);
      return;
    }
    long next = from();
    if (rows() == 0) {
      call.ask(first, from, end, here, here + 1);
      return;
    }
    call.ask(first, from, end, next, take(tokens - inRun));
  }

  /** Rows of this run that are still to be asked for, after {@link #from}. */
  private int rows() {
    return rowBytes == 0 ? 0 : (int) ((addressEnd - address) / rowBytes);
  }

  /** Counts as asked for so many rows, or those that are left, of this run; returns their end. */
  long take(int tokens) {
    address = Math.min(addressEnd, address + (long) tokens * rowBytes);
    return address;
  }

  /** Asks for what is left. */
  void finish() {
    while (address < addressEnd || at < end) {
      next(1 << 20);
    }
    view = null;
    segment = null;
  }

  /**
   * Takes a value that a kernel read as a scalar. A compiled method that has such a read gets its
   * faults as an {@link InternalError}, those of its vector loads too (seen, not promised): so each
   * kernel makes one, and this keeps the compiler from leaving it out.
   */
  void saw(long value) {
    sink |= value;
  }

  /** Reads {@code bytes} from {@code offset} on; the result means nothing but must be used. */
  private static long read(MemorySegment from, long offset, long bytes) {
    long a = 0;
    long b = 0;
    long c = 0;
    long d = 0;
    long i = 0;
    for (; i + 4 * LINE <= bytes; i += 4 * LINE) {
      a |= from.get(WORD, offset + i);
      b |= from.get(WORD, offset + i + LINE);
      c |= from.get(WORD, offset + i + 2 * LINE);
      d |= from.get(WORD, offset + i + 3 * LINE);
    }
    for (; i < bytes; i += LINE) {
      a |= from.get(ValueLayout.JAVA_BYTE, offset + i);
    }
    return a | b | c | d;
  }
}
