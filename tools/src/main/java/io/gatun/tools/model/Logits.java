package io.gatun.tools.model;

import io.gatun.attention.Team;
import io.gatun.tools.config.ResidualStream;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;

/** What a model does with its logits: it divides them, or caps them softly, or neither. */
final class Logits {
  private static final ValueLayout.OfFloat FLOAT = ValueLayout.JAVA_FLOAT_UNALIGNED;
  private static final int BLOCK = 4096;

  private final Step step;
  private final float divisor;
  private final double softCap;
  private final Team.Task task = (block, _) -> finish(block);

  // The call under way.
  private MemorySegment logits;
  private long count;

  Logits(Step step, ResidualStream stream) {
    this.step = step;
    this.divisor = (float) stream.logits();
    this.softCap = stream.softCap();
  }

  /**
   * Finishes logits in place.
   *
   * @param logits f32 {@code [count]}
   */
  void finish(MemorySegment logits, long count) {
    if (divisor != 1 || softCap != 0) {
      this.logits = logits;
      this.count = count;
      step.run(Math.toIntExact(Math.ceilDiv(count, BLOCK)), task);
    }
  }

  private void finish(int block) {
    long end = Math.min(count, (block + 1L) * BLOCK);
    for (long i = (long) block * BLOCK; i < end; i++) {
      float value = logits.get(FLOAT, 4 * i) / divisor;
      // In double: near 0 a tanh made of an f32 exponential has no digits left.
      logits.set(
          FLOAT, 4 * i, softCap == 0 ? value : (float) (softCap * Math.tanh(value / softCap)));
    }
  }
}
