package io.gatun.tools.config;

import io.gatun.cache.GatunException;
import java.util.ArrayList;
import java.util.List;
import java.util.Objects;
import java.util.function.IntUnaryOperator;
import java.util.function.UnaryOperator;
import java.util.stream.Stream;

/**
 * What a model keeps of a sequence, layer by layer: all that the size of its cache depends on.
 *
 * @param name as people call it
 * @param rules the rules of which architecture its layers follow, for people; empty if none do
 * @param layers one entry for each layer
 * @param hiddenSize width of the residual stream (d_model), 0 if not known
 * @param contextLimit tokens that the model was made for, 0 if not known
 * @param source how well the numbers are known
 * @param notes sentences that belong to the figures
 */
public record ModelCache(
    String name,
    String rules,
    List<LayerCache> layers,
    int hiddenSize,
    long contextLimit,
    AttentionShape.Source source,
    List<String> notes) {
  /** Copies the lists. */
  public ModelCache {
    layers = List.copyOf(layers);
    notes = List.copyOf(notes);
  }

  /** The layers of a model whose heads are alike. */
  public static ModelCache of(AttentionShape shape) {
    List<LayerCache> layers = new ArrayList<>();
    for (long window : shape.windows()) {
      layers.add(layer(shape, window));
    }
    return new ModelCache(
        shape.name(),
        "",
        layers,
        shape.hiddenSize(),
        shape.contextLimit(),
        shape.source(),
        List.of());
  }

  private static LayerCache layer(AttentionShape shape, long window) {
    if (window == AttentionShape.NO_KV) {
      return LayerCache.NOTHING;
    }
    Span span = window == AttentionShape.FULL ? Span.ALL : Span.window(window);
    AttentionShape.Latent latent = shape.latent();
    return LayerCache.of(
        latent != null
            ? new Kept.Latent(
                shape.numHeads(),
                latent.latentDim(),
                latent.ropeDim(),
                shape.keyDim(),
                shape.valueDim(),
                span)
            : new Kept.Heads(
                shape.numHeads(), shape.numKvHeads(), shape.keyDim(), shape.valueDim(), span));
  }

  /** The same with these rows in every layer that has rows. */
  private ModelCache withRows(UnaryOperator<Kept.Rows> change) {
    List<LayerCache> changed =
        layers.stream()
            .map(layer ->
                new LayerCache(
                    layer.kept().stream()
                        .map(kept -> kept instanceof Kept.Rows rows ? change.apply(rows) : kept)
                        .filter(Objects::nonNull)
                        .toList()))
            .toList();
    return new ModelCache(name, rules, changed, hiddenSize, contextLimit, source, notes);
  }

  /**
   * The same layers and windows with another number of KV heads, each head cached as it is.
   *
   * @throws GatunException if a layer's query heads cannot share them evenly
   */
  public ModelCache withKvHeads(int kvHeads) {
    return withHeads(_ -> kvHeads);
  }

  /** The same layers and windows with a KV head for every query head. */
  public ModelCache asMultiHead() {
    return withHeads(queryHeads -> queryHeads);
  }

  private ModelCache withHeads(IntUnaryOperator kvHeads) {
    return withRows(rows ->
        switch (rows) {
          case Kept.Heads h -> shared(h.queryHeads(), kvHeads, h.keyDim(), h.valueDim(), h.span());
          case Kept.Latent l ->
              shared(l.queryHeads(), kvHeads, l.headKeyDim(), l.headValueDim(), l.span());
          // Only attention that chooses its rows has an indexer.
          case Kept.IndexKeys _ -> null;
        });
  }

  private Kept.Heads shared(
      int queryHeads, IntUnaryOperator kvHeads, int keyDim, int valueDim, Span span) {
    int kv = kvHeads.applyAsInt(queryHeads);
    if (kv < 1 || queryHeads % kv != 0) {
      throw new GatunException(
          "%s: %d query heads cannot be shared out evenly among %d KV heads"
              .formatted(name, queryHeads, kv));
    }
    return new Kept.Heads(queryHeads, kv, keyDim, valueDim, span);
  }

  /** The same rows, where every layer that has rows keeps those of a window. */
  public ModelCache withWindow(long window) {
    return withSpans(span -> span.kind() == Span.Kind.EVERY ? span : Span.window(window));
  }

  /** The same rows, where every layer that has rows keeps those of every token. */
  public ModelCache withoutWindows() {
    return withSpans(span -> span.bounded() ? Span.ALL : span);
  }

  private ModelCache withSpans(UnaryOperator<Span> change) {
    return withRows(rows ->
        switch (rows) {
          case Kept.Heads h ->
              new Kept.Heads(
                  h.queryHeads(), h.kvHeads(), h.keyDim(), h.valueDim(), change.apply(h.span()));
          case Kept.Latent l ->
              new Kept.Latent(
                  l.queryHeads(),
                  l.latentDim(),
                  l.ropeDim(),
                  l.headKeyDim(),
                  l.headValueDim(),
                  change.apply(l.span()));
          case Kept.IndexKeys k -> new Kept.IndexKeys(k.dim(), change.apply(k.span()));
        });
  }

  /** Everything of one sort that the layers keep. */
  public <T extends Kept> Stream<T> all(Class<T> sort) {
    return layers.stream().flatMap(layer -> layer.all(sort));
  }

  /** Layers that have a window or chunks. */
  public int boundedLayers() {
    return (int)
        layers.stream()
            .filter(layer -> layer.rows().anyMatch(rows -> rows.span().bounded()))
            .count();
  }

  /** Bytes of all states of one sequence. */
  public long stateBytes() {
    return layers.stream().mapToLong(LayerCache::stateBytes).sum();
  }

  /**
   * The heads that all layers with K/V have in common, windows aside, for callers that compute with
   * one shape.
   *
   * @throws GatunException if the rows of two layers differ in more than their windows, or are not
   *     of heads
   */
  public Kept.Heads heads() {
    List<Kept.Rows> shapes = withoutWindows().all(Kept.Rows.class).distinct().toList();
    if (shapes.size() != 1 || !(shapes.getFirst() instanceof Kept.Heads heads)) {
      throw new GatunException(
          "%s: its layers keep rows of %d shapes (%s), and one shape of heads for all layers is possible here"
              .formatted(name, shapes.size(), shapes));
    }
    return heads;
  }
}
