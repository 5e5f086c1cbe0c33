package io.gatun.tools.config;

/**
 * The kinds of layers that keep a state of constant size. The numbers are those of the published
 * layers: a recurrent state for each head or channel, and the inputs that the short convolution
 * before it still needs, one less than its width for each channel.
 */
final class StateMixers {
  private StateMixers() {}

  /** Mamba: channels = expand x hidden size, each with its own state. */
  static Mixer mamba(String expand, String stateSize, String convolution) {
    return (keys, _) -> {
      long channels = (long) keys.count(expand) * keys.hiddenSize();
      return state(
          "Mamba", channels * keys.count(stateSize), channels * (keys.count(convolution) - 1));
    };
  }

  /** Mamba-2: heads of channels, and groups that share what enters and leaves the state. */
  static Mixer mamba2(
      String heads, String headDim, String groups, String stateSize, String convolution) {
    return (keys, _) -> {
      int count = keys.count(heads);
      int state = keys.count(stateSize);
      int width = 0;
      if (headDim != null) {
        // "auto" is written where the width follows from the others.
        keys.json().mentions(headDim);
        boolean auto = keys.json().has(headDim) && keys.json().get(headDim).isTextual();
        width = auto ? 0 : keys.count(headDim, 0);
      }
      if (width == 0) {
        width = keys.count("mamba_expand") * keys.hiddenSize() / count;
      }
      long channels = (long) count * width;
      return state(
          "Mamba-2",
          channels * state,
          (channels + 2L * keys.count(groups) * state) * (keys.count(convolution) - 1));
    };
  }

  /** Gated delta rule (Qwen3-Next): a matrix for each value head. */
  static Mixer gatedDelta() {
    return (keys, _) -> {
      long keyWidth = (long) keys.count("linear_num_key_heads") * keys.count("linear_key_head_dim");
      long valueWidth =
          (long) keys.count("linear_num_value_heads") * keys.count("linear_value_head_dim");
      return state(
          "gated delta rule",
          valueWidth * keys.count("linear_key_head_dim"),
          (2 * keyWidth + valueWidth) * (keys.count("linear_conv_kernel_dim") - 1));
    };
  }

  /** Kimi delta attention: a matrix for each head, and convolutions of query, key and value. */
  static Mixer kimiDelta() {
    return (keys, _) -> {
      JsonFields own = keys.json().object("linear_attn_config");
      ModelKeys at = own == null ? keys : new ModelKeys(own, Architectures.GENERIC);
      String prefix = own == null ? "linear_" : "";
      long heads = at.count(prefix + "num_heads");
      long width = at.count(own == null ? "linear_head_dim" : "head_dim");
      int kernel = at.count(own == null ? "linear_conv_kernel_dim" : "short_conv_kernel_size");
      return state("Kimi delta attention", heads * width * width, 3 * heads * width * (kernel - 1));
    };
  }

  /** Linear attention with a decay (MiniMax, Ring): a matrix for each query head. */
  static Mixer lightning() {
    return (keys, layer) -> {
      long heads = keys.heads(layer);
      long width = keys.headDim(layer, (int) heads);
      return state("linear attention", heads * width * width, 0);
    };
  }

  /** A short convolution (LFM2). */
  static Mixer convolution(String width) {
    return (keys, _) ->
        state("short convolution", 0, (long) keys.hiddenSize() * (keys.count(width) - 1));
  }

  /** A real-gated linear recurrent unit (RecurrentGemma). */
  static Mixer recurrentUnit() {
    return (keys, _) -> {
      long width = keys.count("lru_width", keys.hiddenSize());
      return state("recurrent unit", width, width * (keys.count("conv1d_width") - 1));
    };
  }

  private static LayerCache state(String kind, long recurrent, long convolution) {
    return LayerCache.of(new Kept.State(kind, recurrent, convolution));
  }
}
