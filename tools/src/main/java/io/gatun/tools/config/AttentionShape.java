package io.gatun.tools.config;

import io.gatun.cache.GatunException;
import io.gatun.cache.KvShape;
import io.gatun.tools.cli.Amounts;
import java.util.Collections;
import java.util.List;

/**
 * What the size of a model's KV cache depends on, and no more of the model.
 *
 * @param name as people call it
 * @param numHeads query heads of a layer
 * @param numKvHeads KV heads of a layer; divides numHeads
 * @param keyDim width of one head's key
 * @param valueDim width of one head's value
 * @param latent the row of latent attention that is cached instead of heads, or null
 * @param windows one entry for each layer: {@link #FULL}, {@link #NO_KV} or a window in tokens
 * @param hiddenSize width of the residual stream (d_model), 0 if not known
 * @param contextLimit tokens that the model was made for, 0 if not known
 * @param source how well the numbers are known
 */
public record AttentionShape(
    String name,
    int numHeads,
    int numKvHeads,
    int keyDim,
    int valueDim,
    Latent latent,
    List<Long> windows,
    int hiddenSize,
    long contextLimit,
    Source source) {
  /** A layer that attends to every token before. */
  public static final long FULL = 0;

  /** A layer without keys and values (linear attention, convolution). */
  public static final long NO_KV = -1;

  /** How well a model's numbers are known. */
  public enum Source {
    /** Read from the model's published config when the table was made. */
    CHECKED("checked against its published config"),
    /** Not checked. */
    MEMORY("from memory, not checked"),
    /** Read from the config.json that the user gave. */
    CONFIG("read from the given config"),
    /** Given on the command line. */
    GIVEN("as given");

    private final String text;

    Source(String text) {
      this.text = text;
    }

    /** For people. */
    public String text() {
      return text;
    }
  }

  /**
   * One row per token and layer: the latent, whose up-projections give keys and values, and the
   * rotated key that all heads share (DeepSeek-V2, section 2.1).
   *
   * @param latentDim kv_lora_rank
   * @param ropeDim qk_rope_head_dim
   */
  public record Latent(int latentDim, int ropeDim) {}

  /** Checks the numbers against each other; the message names the wrong one. */
  public AttentionShape {
    windows = List.copyOf(windows);
    if (windows.isEmpty()) {
      throw new GatunException("%s: layers is 0, not at least 1".formatted(name));
    }
    positive(name, "numHeads", numHeads);
    positive(name, "numKvHeads", numKvHeads);
    positive(name, "keyDim", keyDim);
    positive(name, "valueDim", valueDim);
    if (numHeads % numKvHeads != 0) {
      throw new GatunException(
          "%s: %d query heads cannot be shared out evenly among %d KV heads"
              .formatted(name, numHeads, numKvHeads));
    }
    for (long window : windows) {
      if (window < NO_KV) {
        throw new GatunException("%s: a sliding window of %d tokens".formatted(name, window));
      }
    }
  }

  private static void positive(String name, String what, int value) {
    if (value < 1) {
      throw new GatunException("%s: %s is %d, not at least 1".formatted(name, what, value));
    }
  }

  /** Windows of a model whose layers all attend to everything. */
  public static List<Long> fullAttention(int layers) {
    return Collections.nCopies(layers, FULL);
  }

  /** Transformer layers, those without keys and values included. */
  public int layers() {
    return windows.size();
  }

  /** Layers that hold keys and values. */
  public int kvLayers() {
    return (int) windows.stream().filter(w -> w != NO_KV).count();
  }

  /** Layers that forget what lies behind a window. */
  public int slidingLayers() {
    return (int) windows.stream().filter(w -> w > 0).count();
  }

  /** Query heads that share a KV head. */
  public int groupSize() {
    return latent != null ? numHeads : numHeads / numKvHeads;
  }

  /** The cache of {@code layers} layers. */
  public KvShape kvShape(int layers) {
    return latent == null
        ? new KvShape(layers, numKvHeads, keyDim, valueDim)
        : KvShape.latent(layers, latent.latentDim, latent.ropeDim);
  }

  /** The same layers and windows with another number of KV heads, each head cached as it is. */
  public AttentionShape withKvHeads(int kvHeads) {
    return new AttentionShape(
        name, numHeads, kvHeads, keyDim, valueDim, null, windows, hiddenSize, contextLimit, source);
  }

  /** The same heads where every layer attends to everything. */
  public AttentionShape withoutWindows() {
    List<Long> open = windows.stream().map(w -> w > 0 ? FULL : w).toList();
    return new AttentionShape(
        name,
        numHeads,
        numKvHeads,
        keyDim,
        valueDim,
        latent,
        open,
        hiddenSize,
        contextLimit,
        source);
  }

  /** The same heads where every layer that holds K/V has this window. */
  public AttentionShape withWindow(long window) {
    List<Long> all = windows.stream().map(w -> w == NO_KV ? NO_KV : window).toList();
    return new AttentionShape(
        name,
        numHeads,
        numKvHeads,
        keyDim,
        valueDim,
        latent,
        all,
        hiddenSize,
        contextLimit,
        source);
  }

  /** The shape in one line. */
  public String describe() {
    String heads =
        latent != null
            ? "%d query heads on one latent row of %d + %d dims"
                .formatted(numHeads, latent.latentDim, latent.ropeDim)
            : numKvHeads == numHeads
                ? "%d heads (MHA)".formatted(numHeads)
                : numKvHeads == 1
                    ? "%d query heads on 1 KV head (MQA)".formatted(numHeads)
                    : "%d query heads on %d KV heads (groups of %d)"
                        .formatted(numHeads, numKvHeads, groupSize());
    String dims =
        latent != null
            ? ""
            : keyDim == valueDim
                ? ", head dim " + keyDim
                : ", key dim %d, value dim %d".formatted(keyDim, valueDim);
    return "%d layers, %s%s%s".formatted(layers(), heads, dims, describeWindows());
  }

  private String describeWindows() {
    StringBuilder text = new StringBuilder();
    if (slidingLayers() > 0) {
      long smallest = windows.stream().filter(w -> w > 0).min(Long::compare).orElseThrow();
      long largest = Collections.max(windows);
      String range =
          smallest == largest
              ? Amounts.grouped(largest)
              : Amounts.grouped(smallest) + " to " + Amounts.grouped(largest);
      text.append(", %d with a window of %s tokens".formatted(slidingLayers(), range));
    }
    if (kvLayers() < layers()) {
      text.append(", %d without K/V".formatted(layers() - kvLayers()));
    }
    return text.toString();
  }
}
