package io.gatun.cache;

import java.lang.foreign.MemorySegment;
import java.util.List;
import java.util.concurrent.atomic.AtomicBoolean;

/** An immutable view; holds a reference to each of its blocks. Any thread. */
final class SnapshotView implements KvView {
  private final KvLayout layout;
  private final KvRun[] runs;
  private final long[] starts;
  private final long length;
  private final AtomicBoolean closed = new AtomicBoolean();

  /** A view of runs whose rows were frozen and whose blocks nobody releases meanwhile. */
  SnapshotView(KvLayout layout, List<KvRun> promised) {
    this.layout = layout;
    this.runs = promised.toArray(KvRun[]::new);
    this.starts = new long[runs.length];
    long position = 0;
    for (int run = 0; run < runs.length; run++) {
      runs[run].block().retain();
      starts[run] = position;
      position += runs[run].tokens();
    }
    this.length = position;
  }

  @Override
  public KvLayout layout() {
    return layout;
  }

  @Override
  public long length() {
    return length;
  }

  @Override
  public long length(int layer) {
    return length;
  }

  @Override
  public int runs() {
    return runs.length;
  }

  @Override
  public long runStart(int run) {
    return starts[run];
  }

  @Override
  public int runTokens(int run) {
    return runs[run].tokens();
  }

  @Override
  public MemorySegment keys(int run) {
    checkOpen();
    return runs[run].block().keys();
  }

  @Override
  public MemorySegment values(int run) {
    checkOpen();
    return runs[run].block().values();
  }

  private void checkOpen() {
    if (closed.get()) {
      throw new IllegalStateException("the view is closed");
    }
  }

  @Override
  public void close() {
    if (closed.compareAndSet(false, true)) {
      for (KvRun run : runs) {
        run.block().release();
      }
    }
  }
}
