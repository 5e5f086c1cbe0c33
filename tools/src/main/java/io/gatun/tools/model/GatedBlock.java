package io.gatun.tools.model;

import io.gatun.attention.Team;
import io.gatun.tools.config.FeedForward.Activation;
import io.gatun.tools.matrix.Activations;
import io.gatun.tools.matrix.ProjectionGroup;
import io.gatun.tools.model.FeedWeights.Gated;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;

/** Gated layers of one width: {@code Wdown (activation(Wgate x) * Wup x)}. */
final class GatedBlock implements FeedBlock {
  private final MemorySegment gate; // [tokens][intermediate]
  private final MemorySegment up; // [tokens][intermediate]
  private final Activations mixed; // [tokens][intermediate]
  private final ProjectionGroup[] gateUp; // null where a layer has other weights
  private final ProjectionGroup[] down;

  private final Step step;
  private final Activations input;
  private final int inner;
  private final boolean gelu;
  private final boolean adds;
  private final Team.Task mixTask = this::mix;

  /**
   * @param input what it reads, {@code [tokens][hidden]}
   * @param weights one for each layer, or for each expert; null where there is none
   * @param out where it writes, {@code [tokens][hidden]}
   * @param adds whether it adds to what stands there
   */
  GatedBlock(
      Step step,
      Activations input,
      int inner,
      Activation activation,
      Gated[] weights,
      MemorySegment out,
      boolean adds,
      int tokens,
      Arena arena) {
    this.step = step;
    this.input = input;
    this.inner = inner;
    this.gelu = activation == Activation.GELU_TANH;
    this.adds = adds;
    gate = Step.floats(tokens, inner, arena);
    up = Step.floats(tokens, inner, arena);
    mixed = new Activations(tokens, inner, arena);
    gateUp = new ProjectionGroup[weights.length];
    down = new ProjectionGroup[weights.length];
    for (int i = 0; i < weights.length; i++) {
      Gated w = weights[i];
      if (w != null) {
        gateUp[i] = ProjectionGroup.of(w.gate().to(gate, false), w.up().to(up, false));
        down[i] = ProjectionGroup.of(w.down().to(out, adds));
      }
    }
  }

  @Override
  public void run(int index, int tokens) {
    step.multiply(gateUp[index], input, tokens);
    step.run(tokens * Math.ceilDiv(inner, Activations.BLOCK), mixTask);
    step.multiply(down[index], mixed, tokens);
  }

  private void mix(int task, int worker) {
    int blocks = Math.ceilDiv(inner, Activations.BLOCK);
    int token = task / blocks;
    long at = 4L * token * inner;
    int block = task % blocks * Activations.BLOCK;
    if (gelu) {
      Norms.geGlu(gate, up, at, mixed, token, block);
    } else {
      Norms.swiGlu(gate, up, at, mixed, token, block);
    }
  }

  @Override
  public boolean adds() {
    return adds;
  }
}
