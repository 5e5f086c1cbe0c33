package io.gatun.tools.config;

/** What a layer computes behind its attention. */
public sealed interface FeedForward {
  /** The function between the projections. */
  enum Activation {
    /** {@code silu(gate) * up}. */
    SILU,
    /** {@code gelu(gate) * up}, with the tanh approximation of gelu. */
    GELU_TANH,
    /** {@code (up + 1) * gate * sigmoid(1.702 gate)}, both clamped to 7 first (gpt-oss). */
    CLAMPED_SWIGLU
  }

  /** Width of the widest hidden layer. */
  int widest();

  /**
   * One gated layer for all tokens.
   *
   * @param intermediate width of its hidden layer
   * @param activation between the projections
   * @param bias whether the projections add a bias
   * @param fused whether gate and up are one tensor, {@code gate_up_proj} (Phi-3)
   */
  record Dense(int intermediate, Activation activation, boolean bias, boolean fused)
      implements FeedForward {
    /** Without biases, gate and up apart. */
    public static Dense of(int intermediate, Activation activation) {
      return new Dense(intermediate, activation, false, false);
    }

    @Override
    public int widest() {
      return intermediate;
    }
  }

  /**
   * Many gated layers, of which a router chooses some for each token.
   *
   * @param count experts
   * @param intermediate width of an expert's hidden layer
   * @param sharedIntermediate width of the layer that every token passes beside them; 0 for none
   * @param activation between the projections
   * @param router how experts are chosen
   * @param tensors how their weights are stored
   */
  record Experts(
      int count,
      int intermediate,
      int sharedIntermediate,
      Activation activation,
      Router router,
      ExpertTensors tensors)
      implements FeedForward {
    @Override
    public int widest() {
      return Math.max(intermediate, sharedIntermediate);
    }
  }

  /** How the weights of experts are stored. */
  enum ExpertTensors {
    /**
     * {@code gate_proj}, {@code up_proj}, {@code down_proj} of each expert; the router's is gate.
     */
    SINGLE,
    /** All experts in one tensor with inputs outermost, gate and up in turns; biases (gpt-oss). */
    PACKED
  }

  /** How a score for each expert comes from the router's output. */
  enum Scoring {
    /** Softmax over all experts. */
    SOFTMAX,
    /** Softmax over the chosen experts alone. */
    SOFTMAX_OF_CHOSEN,
    /** Sigmoid of each. */
    SIGMOID
  }

  /** What stands for a group of experts where groups are chosen first. */
  enum GroupScore {
    /** Its best expert. */
    BEST,
    /** The sum of its two best ones. */
    SUM_OF_TWO
  }

  /**
   * How a token's experts are chosen and weighed.
   *
   * @param chosen experts for each token
   * @param scoring of the experts
   * @param groups into which the experts are divided, 1 for none
   * @param chosenGroups groups that stay
   * @param groupScore what stands for a group
   * @param bias whether the router adds a bias
   * @param correction whether a bias enters the choice, but not the weights (DeepSeek-V3)
   * @param normalised whether the weights of the chosen ones are divided by their sum
   * @param scaling factor of the weights
   */
  record Router(
      int chosen,
      Scoring scoring,
      int groups,
      int chosenGroups,
      GroupScore groupScore,
      boolean bias,
      boolean correction,
      boolean normalised,
      double scaling) {
    /** Without groups and biases. */
    public static Router of(int chosen, Scoring scoring, boolean normalised) {
      return new Router(chosen, scoring, 1, 1, GroupScore.BEST, false, false, normalised, 1);
    }
  }
}
