package io.gatun.tools.plan;

import io.gatun.cache.GatunException;
import io.gatun.cache.KvLayout;
import io.gatun.cache.KvType;
import io.gatun.tools.config.AttentionShape;
import java.util.Map;
import java.util.OptionalLong;
import java.util.TreeMap;

/**
 * The bytes of a model's keys and values, from the row sizes of {@link KvLayout}:
 *
 * <pre>
 *   bytes(context) = batch x sum over layers of  rowBytes x min(context, window of the layer)
 *   rowBytes       = numKvHeads x (key row + value row)     latent attention: one row, values in it
 * </pre>
 *
 * What weights, activations and the machine itself need comes on top.
 */
public final class CacheCost {
  private final AttentionShape model;
  private final KvType type;
  private final int batch;
  private final long rowBytes;

  /** Layers by window; {@link AttentionShape#NO_KV} is left out. */
  private final Map<Long, Integer> layersByWindow = new TreeMap<>();

  private CacheCost(AttentionShape model, KvType type, int batch) {
    this.model = model;
    this.type = type;
    this.batch = batch;
    this.rowBytes = KvLayout.of(model.kvShape(1), type).bytesPerToken();
    for (long window : model.windows()) {
      if (window != AttentionShape.NO_KV) {
        layersByWindow.merge(window, 1, Integer::sum);
      }
    }
  }

  /**
   * The cost of {@code batch} sequences of this model.
   *
   * @throws GatunException if the model's rows cannot be stored in this type
   */
  public static CacheCost of(AttentionShape model, KvType type, int batch) {
    if (batch < 1) {
      throw new GatunException("a batch of %d sequences, not at least 1".formatted(batch));
    }
    try {
      return new CacheCost(model, type, batch);
    } catch (IllegalArgumentException e) {
      throw new GatunException("%s: %s".formatted(model.name(), e.getMessage()), e);
    }
  }

  /** Bytes that one more token of one sequence takes over all layers while it is in all windows. */
  public long bytesPerToken() {
    return Math.multiplyExact(rowBytes, (long) model.kvLayers());
  }

  /** Bytes of all sequences at {@code tokens} tokens each. */
  public long bytesAt(long tokens) {
    try {
      return exactBytesAt(tokens);
    } catch (ArithmeticException e) {
      throw new GatunException(
          "%s: %,d tokens x %d sequences pass 2^63 bytes".formatted(model.name(), tokens, batch),
          e);
    }
  }

  private long exactBytesAt(long tokens) {
    long sum = 0;
    for (Map.Entry<Long, Integer> entry : layersByWindow.entrySet()) {
      long window = entry.getKey();
      long kept = window == AttentionShape.FULL ? tokens : Math.min(tokens, window);
      sum = Math.addExact(sum, Math.multiplyExact(kept, (long) entry.getValue()));
    }
    return Math.multiplyExact(Math.multiplyExact(sum, rowBytes), (long) batch);
  }

  /** The longest context whose bytes fit; empty if windows keep the cache below the budget forever. */
  public OptionalLong maxTokens(long budget) {
    if (!layersByWindow.containsKey(AttentionShape.FULL)) {
      long widest = layersByWindow.keySet().stream().max(Long::compare).orElse(0L);
      if (fits(widest, budget)) {
        return OptionalLong.empty();
      }
    }
    long low = 0;
    long high = Long.MAX_VALUE;
    while (low < high) {
      long middle = low + (high - low) / 2 + 1;
      if (fits(middle, budget)) {
        low = middle;
      } else {
        high = middle - 1;
      }
    }
    return OptionalLong.of(low);
  }

  private boolean fits(long tokens, long budget) {
    try {
      return exactBytesAt(tokens) <= budget;
    } catch (ArithmeticException e) {
      return false;
    }
  }

  /**
   * Bytes that a Gatun cache of this model takes in memory or on disk: whole blocks, every token of
   * every layer kept, since a window only says what attention reads.
   */
  public long gatunBytes(long tokens) {
    int layers = model.kvLayers();
    if (layers == 0) {
      return 0;
    }
    KvLayout layout = KvLayout.of(model.kvShape(layers), type);
    long blocks = Math.ceilDiv(tokens, layout.blockTokens());
    try {
      return Math.multiplyExact(Math.multiplyExact(blocks, layout.blockBytes()), (long) batch);
    } catch (ArithmeticException e) {
      throw new GatunException("%s: %,d tokens pass 2^63 bytes".formatted(model.name(), tokens), e);
    }
  }
}
