package io.gatun.tools.model;

import io.gatun.attention.Team;
import io.gatun.tools.matrix.Activations;
import io.gatun.tools.matrix.InputMajor;
import io.gatun.tools.matrix.PackedExperts;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.List;

/** Experts whose weights lie inputs outermost, with gpt-oss's clamped SwiGLU between them. */
final class PackedBlock implements FeedBlock {
  private final MemorySegment gateUp; // [tokens][intermediate][2]
  private final Activations mixed; // [tokens][intermediate]
  private final InputMajor[] first; // [layers * experts]
  private final InputMajor[] second; // [layers * experts]

  private final Step step;
  private final Activations input;
  private final int inner;
  private final MemorySegment out;
  private final Team.Task mixTask = this::mix;

  /**
   * @param input what it reads, {@code [tokens][hidden]}
   * @param layers their experts, all of one shape
   * @param out where it writes, {@code [tokens][hidden]}
   */
  PackedBlock(
      Step step,
      Activations input,
      List<PackedExperts> layers,
      MemorySegment out,
      int tokens,
      Arena arena) {
    this.step = step;
    this.input = input;
    this.inner = layers.getFirst().inner();
    this.out = out;
    int count = layers.getFirst().count();
    gateUp = Step.floats(tokens, 2 * inner, arena);
    mixed = new Activations(tokens, inner, arena);
    first = new InputMajor[layers.size() * count];
    second = new InputMajor[layers.size() * count];
    for (int i = 0; i < first.length; i++) {
      first[i] = layers.get(i / count).gateUp(i % count);
      second[i] = layers.get(i / count).down(i % count);
    }
  }

  /** Computes expert {@code index % experts} of layer {@code index / experts}. */
  @Override
  public void run(int index, int tokens) {
    step.multiply(first[index], input, tokens, gateUp);
    step.run(tokens * Math.ceilDiv(inner, Activations.BLOCK), mixTask);
    step.multiply(second[index], mixed, tokens, out);
  }

  private void mix(int task, int worker) {
    int blocks = Math.ceilDiv(inner, Activations.BLOCK);
    int token = task / blocks;
    int block = task % blocks * Activations.BLOCK;
    Norms.clampedSwiGlu(gateUp, 8L * token * inner, mixed, token, block);
  }

  @Override
  public boolean adds() {
    return false;
  }
}
