package io.gatun.tools.model;

import io.gatun.tools.matrix.Matrix;
import io.gatun.tools.matrix.Projection;
import io.gatun.tools.matrix.ProjectionGroup;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;

/** Logits of several tokens, outside the heap: made when drafts are verified, not before. */
final class DraftLogits implements AutoCloseable {
  private final Arena arena = Arena.ofShared();
  private final int tokens;
  private final MemorySegment memory; // f32 [tokens][vocab]
  private final ProjectionGroup group;

  /** Room for so many tokens. */
  DraftLogits(Matrix output, int tokens) {
    this.tokens = tokens;
    this.memory = arena.allocate(4L * tokens * output.rows(), 64);
    this.group = ProjectionGroup.of(Projection.of(output, memory));
  }

  int tokens() {
    return tokens;
  }

  MemorySegment memory() {
    return memory;
  }

  /** The product that writes them. */
  ProjectionGroup group() {
    return group;
  }

  @Override
  public void close() {
    arena.close();
  }
}
