package io.gatun.tools.plan;

import io.gatun.cache.GatunException;
import io.gatun.cache.KvLayout;
import io.gatun.cache.KvShape;
import io.gatun.cache.KvType;
import io.gatun.tools.config.AttentionShape;
import io.gatun.tools.config.Kept;
import io.gatun.tools.config.LayerCache;
import io.gatun.tools.config.ModelCache;
import io.gatun.tools.config.Span;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.OptionalLong;

/**
 * The bytes of a model's keys and values, from the row sizes of {@link KvLayout}:
 *
 * <pre>
 *   bytes(context) = batch x sum over layers of  rowBytes x rows(context) of the layer
 *   rows(context)  = context, or the window if that is less, or one for every n tokens
 *   rowBytes       = numKvHeads x (key row + value row)     latent attention: one row, values in it
 * </pre>
 *
 * What weights, activations and the machine itself need comes on top.
 */
public final class CacheCost {
  private final String name;
  private final KvType type;
  private final int batch;

  /** Rows of one kind, and how many layers have them. */
  private final Map<Kept.Rows, Integer> layersByRows = new LinkedHashMap<>();

  private CacheCost(ModelCache model, KvType type, int batch) {
    this.name = model.name();
    this.type = type;
    this.batch = batch;
    for (LayerCache layer : model.layers()) {
      layer.rows().forEach(rows -> layersByRows.merge(rows, 1, Integer::sum));
    }
    layersByRows.keySet().forEach(rows -> rowBytes(rows, type));
  }

  /**
   * The cost of {@code batch} sequences of this model.
   *
   * @throws GatunException if the model's rows cannot be stored in this type
   */
  public static CacheCost of(ModelCache model, KvType type, int batch) {
    if (batch < 1) {
      throw new GatunException("a batch of %d sequences, not at least 1".formatted(batch));
    }
    try {
      return new CacheCost(model, type, batch);
    } catch (GatunException e) {
      throw new GatunException("%s: %s".formatted(model.name(), e.getMessage()), e);
    }
  }

  /** The cost of a model whose heads are alike. */
  public static CacheCost of(AttentionShape shape, KvType type, int batch) {
    return of(ModelCache.of(shape), type, batch);
  }

  /** Bytes of one row of one layer. */
  static long rowBytes(Kept.Rows rows, KvType type) {
    try {
      return KvLayout.of(shape(rows, 1), type).bytesPerToken();
    } catch (IllegalArgumentException e) {
      throw new GatunException("%s cannot be stored: %s".formatted(rows, e.getMessage()), e);
    }
  }

  private static KvShape shape(Kept.Rows rows, int layers) {
    return switch (rows) {
      case Kept.Heads heads ->
          new KvShape(layers, heads.kvHeads(), heads.keyDim(), heads.valueDim());
      case Kept.Latent latent -> KvShape.latent(layers, latent.latentDim(), latent.ropeDim());
      case Kept.IndexKeys keys -> KvShape.latent(layers, keys.dim(), 0);
    };
  }

  /** Bytes that one more token of one sequence takes over all layers while it is in all windows. */
  public long bytesPerToken() {
    long sum = 0;
    for (Map.Entry<Kept.Rows, Integer> entry : layersByRows.entrySet()) {
      Span span = entry.getKey().span();
      long all = Math.multiplyExact(rowBytes(entry.getKey(), type), (long) entry.getValue());
      sum = Math.addExact(sum, span.kind() == Span.Kind.EVERY ? all / span.tokens() : all);
    }
    return sum;
  }

  /** Bytes of all sequences at {@code tokens} tokens each. */
  public long bytesAt(long tokens) {
    try {
      return exactBytesAt(tokens);
    } catch (ArithmeticException e) {
      throw tooMany(tokens, e);
    }
  }

  private long exactBytesAt(long tokens) {
    long sum = 0;
    for (Map.Entry<Kept.Rows, Integer> entry : layersByRows.entrySet()) {
      long rows = Math.multiplyExact(entry.getKey().span().rows(tokens), (long) entry.getValue());
      sum = Math.addExact(sum, Math.multiplyExact(rows, rowBytes(entry.getKey(), type)));
    }
    return Math.multiplyExact(sum, (long) batch);
  }

  private GatunException tooMany(long tokens, ArithmeticException e) {
    return new GatunException(
        "%s: %,d tokens x %d sequences pass 2^63 bytes".formatted(name, tokens, batch), e);
  }

  /** The longest context whose bytes fit; empty if windows keep the cache below the budget forever. */
  public OptionalLong maxTokens(long budget) {
    if (layersByRows.keySet().stream().allMatch(rows -> rows.span().bounded())) {
      long widest =
          layersByRows.keySet().stream().mapToLong(rows -> rows.span().tokens()).max().orElse(0);
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
   * Bytes that Gatun's own caches of this model take in memory or on disk: one cache for each shape
   * of rows, in whole blocks, with every token of every layer kept, since a window only says what
   * attention reads.
   */
  public long gatunBytes(long tokens) {
    Map<Kept.Rows, Integer> layersByShape = new LinkedHashMap<>();
    layersByRows.forEach(
        (rows, layers) -> layersByShape.merge(unbounded(rows), layers, Integer::sum));
    try {
      long sum = 0;
      for (Map.Entry<Kept.Rows, Integer> entry : layersByShape.entrySet()) {
        KvLayout layout = KvLayout.of(shape(entry.getKey(), entry.getValue()), type);
        long rows = entry.getKey().span().rows(tokens);
        long blocks = Math.ceilDiv(rows, layout.blockTokens());
        sum = Math.addExact(sum, Math.multiplyExact(blocks, layout.blockBytes()));
      }
      return Math.multiplyExact(sum, (long) batch);
    } catch (ArithmeticException e) {
      throw tooMany(tokens, e);
    }
  }

  /** Shapes of rows, each of which takes a cache of its own. */
  long gatunCaches() {
    return layersByRows.keySet().stream().map(CacheCost::unbounded).distinct().count();
  }

  /** The same rows of every token; what the query heads are does not matter. */
  private static Kept.Rows unbounded(Kept.Rows rows) {
    Span span = rows.span().bounded() ? Span.ALL : rows.span();
    return switch (rows) {
      case Kept.Heads h -> new Kept.Heads(1, h.kvHeads(), h.keyDim(), h.valueDim(), span);
      case Kept.Latent l -> new Kept.Latent(1, l.latentDim(), l.ropeDim(), 1, 1, span);
      case Kept.IndexKeys k -> new Kept.IndexKeys(k.dim(), span);
    };
  }
}
