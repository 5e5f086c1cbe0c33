package io.gatun.tools.model;

import io.gatun.tools.matrix.Matrix;
import io.gatun.tools.matrix.PackedExperts;
import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.List;
import java.util.function.UnaryOperator;

/** The weights behind a layer's attention. */
sealed interface FeedWeights {
  /** The same with every matrix that is {@link #streamed} in another form. */
  FeedWeights inForm(UnaryOperator<Matrix> form);

  /** The matrices, each of which is read from end to end where it is read. */
  List<Matrix> streamed();

  /** Bytes that a decode step of one token reads. */
  long bytesPerStep();

  /**
   * One gated layer.
   *
   * @param gate {@code [intermediate][hidden]}
   * @param up {@code [intermediate][hidden]}
   * @param down {@code [hidden][intermediate]}
   */
  record Gated(Linear gate, Linear up, Linear down) implements FeedWeights {
    @Override
    public Gated inForm(UnaryOperator<Matrix> form) {
      return new Gated(gate.inForm(form), up.inForm(form), down.inForm(form));
    }

    @Override
    public List<Matrix> streamed() {
      return List.of(gate.weight(), up.weight(), down.weight());
    }

    @Override
    public long bytesPerStep() {
      return gate.weight().bytes() + up.weight().bytes() + down.weight().bytes();
    }
  }

  /**
   * Experts and their router.
   *
   * @param chosen experts for each token
   * @param router {@code [experts][hidden]}
   * @param correction f32 {@code [experts]} for the choice alone; null for none
   * @param experts one each; empty if they are packed
   * @param packed all of them, inputs outermost; null if they are single
   * @param shared the layer that every token passes; null for none
   */
  record Mixture(
      int chosen,
      Linear router,
      MemorySegment correction,
      List<Gated> experts,
      PackedExperts packed,
      Gated shared)
      implements FeedWeights {
    @Override
    public Mixture inForm(UnaryOperator<Matrix> form) {
      return new Mixture(
          chosen,
          router.inForm(form),
          correction,
          experts.stream().map(expert -> expert.inForm(form)).toList(),
          packed,
          shared == null ? null : shared.inForm(form));
    }

    @Override
    public List<Matrix> streamed() {
      List<Matrix> matrices = new ArrayList<>();
      matrices.add(router.weight());
      experts.forEach(expert -> matrices.addAll(expert.streamed()));
      if (shared != null) {
        matrices.addAll(shared.streamed());
      }
      return matrices;
    }

    @Override
    public long bytesPerStep() {
      long expert = packed != null ? packed.expertBytes() : experts.getFirst().bytesPerStep();
      return router.weight().bytes()
          + chosen * expert
          + (shared == null ? 0 : shared.bytesPerStep());
    }
  }
}
