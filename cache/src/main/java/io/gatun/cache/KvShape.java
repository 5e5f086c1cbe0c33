package io.gatun.cache;

/**
 * What one token leaves in a KV cache: per layer and KV head, one key row and one value row.
 *
 * @param layers transformer layers, at least 1
 * @param kvHeads key/value heads per layer, at least 1; numHeads query heads share them in groups
 * @param keyDim values in one key row, at least 1
 * @param valueDim values in one value row, at least 1
 * @param valuesInKeys whether a value row is the first {@code valueDim} values of the key row, so
 *     that no value plane exists (latent attention: DeepSeek-V2, section 2.1, in its absorbed form)
 */
public record KvShape(int layers, int kvHeads, int keyDim, int valueDim, boolean valuesInKeys) {
  /** Largest count of layers or heads, and largest row width. */
  static final int MAX = 1 << 16;

  /** Checks every number; the message names the one that is wrong. */
  public KvShape {
    check("layers", layers);
    check("kvHeads", kvHeads);
    check("keyDim", keyDim);
    check("valueDim", valueDim);
    if (valuesInKeys && valueDim > keyDim) {
      throw new IllegalArgumentException(
          "valueDim is %d, but values that lie in the keys can be at most keyDim = %d wide"
              .formatted(valueDim, keyDim));
    }
  }

  /** A shape with separate keys and values, as in MHA, GQA and MQA. */
  public KvShape(int layers, int kvHeads, int keyDim, int valueDim) {
    this(layers, kvHeads, keyDim, valueDim, false);
  }

  /**
   * The latent cache of multi-head latent attention: one row of {@code latentDim + ropeDim} values
   * per token and layer, whose first {@code latentDim} values are also the value row.
   */
  public static KvShape latent(int layers, int latentDim, int ropeDim) {
    return new KvShape(layers, 1, Math.addExact(latentDim, ropeDim), latentDim, true);
  }

  private static void check(String name, int value) {
    if (value < 1 || value > MAX) {
      throw new IllegalArgumentException("%s is %d, not in 1 to %d".formatted(name, value, MAX));
    }
  }

  @Override
  public String toString() {
    return "%d layers x %d KV heads x %d key dims, %d value dims%s"
        .formatted(layers, kvHeads, keyDim, valueDim, valuesInKeys ? " (in the keys)" : "");
  }
}
