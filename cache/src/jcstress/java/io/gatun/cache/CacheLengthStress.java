package io.gatun.cache;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import org.openjdk.jcstress.annotations.Actor;
import org.openjdk.jcstress.annotations.Expect;
import org.openjdk.jcstress.annotations.JCStressTest;
import org.openjdk.jcstress.annotations.Outcome;
import org.openjdk.jcstress.annotations.State;
import org.openjdk.jcstress.infra.results.II_Result;

/**
 * Fault 10: the length of a cache is published behind the rows. One thread appends and advances,
 * another takes a view and reads the last row that it promises.
 */
@JCStressTest
@Outcome(id = "0, 0", expect = Expect.ACCEPTABLE, desc = "before the advance")
@Outcome(id = "1, 42", expect = Expect.ACCEPTABLE, desc = "one token, whole")
@Outcome(id = "2, 43", expect = Expect.ACCEPTABLE, desc = "two tokens, whole")
@Outcome(expect = Expect.FORBIDDEN, desc = "a length without its rows")
@State
public class CacheLengthStress {
  private static final KvLayout LAYOUT =
      new KvLayout(new KvShape(1, 1, 8, 8), KvType.F32, KvType.F32, 16);

  /** Blocks on the heap: a state has to be cheap. */
  private static final BlockSource HEAP =
      new BlockSource() {
        @Override
        public KvLayout layout() {
          return LAYOUT;
        }

        @Override
        public KvBlock allocate() {
          MemorySegment memory = MemorySegment.ofArray(new long[(int) LAYOUT.blockBytes() / 8]);
          return BlockMemory.block(0, LAYOUT, memory, 0, this);
        }

        @Override
        public void release(KvBlock block) {}

        @Override
        public void close() {}
      };

  private final KvCache cache = KvCache.of(HEAP);

  private void step(float value) {
    MemorySegment row = MemorySegment.ofArray(new float[8]);
    for (int i = 0; i < 8; i++) {
      row.setAtIndex(ValueLayout.JAVA_FLOAT_UNALIGNED, i, value);
    }
    cache.append(0, row, row, 1);
    cache.advance(1);
  }

  /** Two tokens. */
  @Actor
  public void writer() {
    step(42);
    step(43);
  }

  /** What a view shows. */
  @Actor
  public void reader(II_Result result) {
    try (KvView view = cache.view()) {
      result.r1 = (int) view.length();
      if (result.r1 > 0) {
        float[] row = new float[8];
        RowReader.value(view, 0, 0, view.length() - 1, row);
        result.r2 = (int) row[0];
        for (float value : row) {
          // A row that is partly there shows as a value that none has.
          result.r2 = value == row[0] ? result.r2 : -1;
        }
      }
    }
  }
}
