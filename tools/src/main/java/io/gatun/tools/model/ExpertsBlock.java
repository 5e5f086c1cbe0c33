package io.gatun.tools.model;

import io.gatun.attention.Team;
import io.gatun.tools.config.FeedForward.Experts;
import io.gatun.tools.matrix.Activations;
import io.gatun.tools.matrix.PackedExperts;
import io.gatun.tools.matrix.ProjectionGroup;
import io.gatun.tools.model.FeedWeights.Gated;
import io.gatun.tools.model.FeedWeights.Mixture;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.ArrayList;
import java.util.List;

/**
 * Experts: a router chooses some for each token, and what they give is weighed and summed.
 *
 * <p>Design note: the tokens of a batch are gathered by expert, so that an expert's weights are
 * read once for all of them. A token's sum runs over the shared layer, then over its experts by
 * index, whatever the batch, so its bits do not depend on the batch.
 */
final class ExpertsBlock implements FeedBlock {
  private static final ValueLayout.OfFloat FLOAT = ValueLayout.JAVA_FLOAT_UNALIGNED;

  private final MemorySegment routed; // [tokens][experts], the router's output
  private final Activations gathered; // [tokens][hidden], those of one expert
  private final MemorySegment given; // [tokens][hidden], what the expert gives for them
  private final int[] chosen; // [tokens][chosen], ascending
  private final float[] weights; // [tokens][chosen]
  private final int[] members; // [tokens], the tokens of one expert
  private final float[] memberWeights; // [tokens]
  private final ProjectionGroup[] routers; // [layers], null where a layer has no experts
  private final int[] firstOf; // [layers], index of a layer's first expert
  private final Mixture[] mixtures; // [layers]

  private final Step step;
  private final StreamRows stream;
  private final int hidden;
  private final int count;
  private final int perToken;
  private final ExpertChoice choice;
  private final FeedBlock experts;
  private final GatedBlock shared; // null for none
  private final Team.Task sumTask = this::sum;

  /**
   * @param layers the weights of each layer; null where it has no experts of this form
   */
  ExpertsBlock(
      Step step, StreamRows stream, Experts form, Mixture[] layers, int tokens, Arena arena) {
    this.step = step;
    this.stream = stream;
    this.hidden = stream.normed.cols();
    this.count = form.count();
    this.perToken = form.router().chosen();
    this.choice = new ExpertChoice(form.router(), count);
    this.mixtures = layers.clone();
    routed = Step.floats(tokens, count, arena);
    // A single token needs no gathering.
    gathered = tokens == 1 ? stream.normed : new Activations(tokens, hidden, arena);
    given = Step.floats(tokens, hidden, arena);
    chosen = new int[tokens * perToken];
    weights = new float[tokens * perToken];
    members = new int[tokens];
    memberWeights = new float[tokens];
    routers = new ProjectionGroup[layers.length];
    firstOf = new int[layers.length];
    List<Gated> single = new ArrayList<>();
    List<PackedExperts> packed = new ArrayList<>();
    Gated[] sharedOf = new Gated[layers.length];
    int first = 0;
    for (int i = 0; i < layers.length; i++) {
      if (layers[i] != null) {
        routers[i] = ProjectionGroup.of(layers[i].router().to(routed, false));
        firstOf[i] = first;
        first += count;
        single.addAll(layers[i].experts());
        sharedOf[i] = layers[i].shared();
        if (layers[i].packed() != null) {
          packed.add(layers[i].packed());
        }
      }
    }
    experts =
        packed.isEmpty()
            ? new GatedBlock(
                step,
                gathered,
                form.intermediate(),
                form.activation(),
                single.toArray(Gated[]::new),
                given,
                false,
                tokens,
                arena)
            : new PackedBlock(step, gathered, packed, given, tokens, arena);
    shared =
        form.sharedIntermediate() == 0
            ? null
            : new GatedBlock(
                step,
                stream.normed,
                form.sharedIntermediate(),
                form.activation(),
                sharedOf,
                stream.branch,
                false,
                tokens,
                arena);
  }

  @Override
  public void run(int layer, int tokens) {
    step.multiply(routers[layer], stream.normed, tokens);
    long from = System.nanoTime();
    choose(mixtures[layer].correction(), tokens);
    step.timings.other(from);
    if (shared == null) {
      clear(tokens);
    } else {
      shared.run(layer, tokens);
    }
    for (int expert = 0; expert < count; expert++) {
      int own = gather(expert, tokens);
      if (own > 0) {
        experts.run(firstOf[layer] + expert, own);
        step.run(own, sumTask);
      }
    }
  }

  private void clear(int tokens) {
    // A slice is an object: a decode step does without one.
    MemorySegment rows =
        tokens == members.length ? stream.branch : stream.branch.asSlice(0, 4L * tokens * hidden);
    rows.fill((byte) 0);
  }

  private void choose(MemorySegment correction, int tokens) {
    for (int token = 0; token < tokens; token++) {
      int[] own = choice.choose(routed, 4L * token * count, correction);
      for (int k = 0; k < perToken; k++) {
        chosen[token * perToken + k] = own[k];
        weights[token * perToken + k] = choice.weight(own[k]);
      }
    }
  }

  /** Brings the tokens that chose an expert together; how many they are. */
  private int gather(int expert, int tokens) {
    int own = 0;
    for (int i = 0; i < tokens * perToken; i++) {
      if (chosen[i] == expert) {
        members[own] = i / perToken;
        memberWeights[own] = weights[i];
        if (gathered != stream.normed) {
          gathered.set(own, stream.normed, i / perToken);
        }
        own++;
      }
    }
    return own;
  }

  /** Adds what the expert gave for one token. */
  private void sum(int member, int worker) {
    float weight = memberWeights[member];
    long to = 4L * members[member] * hidden;
    long from = 4L * member * hidden;
    for (int i = 0; i < hidden; i++) {
      long o = to + 4L * i;
      float value = Math.fma(weight, given.get(FLOAT, from + 4L * i), stream.branch.get(FLOAT, o));
      stream.branch.set(FLOAT, o, value);
    }
  }

  @Override
  public boolean adds() {
    return false;
  }
}
