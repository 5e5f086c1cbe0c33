package io.gatun.tools.config;

import io.gatun.cache.GatunException;
import java.util.ArrayList;
import java.util.List;

/**
 * What a model keeps of a sequence, layer by layer: all that the size of its cache depends on.
 *
 * @param name as people call it
 * @param rules the rules of which architecture its layers follow, for people
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
        shape.source().text(),
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

  /**
   * The heads that all layers have in common, for callers that compute with one shape.
   *
   * @throws GatunException if the layers differ in more than their windows
   */
  public Kept.Heads heads() {
    Kept.Heads common = null;
    for (int i = 0; i < layers.size(); i++) {
      List<Kept> kept = layers.get(i).kept();
      if (kept.size() != 1 || !(kept.getFirst() instanceof Kept.Heads own)) {
        throw new GatunException(
            "%s: layer %d keeps %s, and only layers of attention with heads of one shape are possible here"
                .formatted(name, i, kept));
      }
      Kept.Heads plain =
          new Kept.Heads(own.queryHeads(), own.kvHeads(), own.keyDim(), own.valueDim(), Span.ALL);
      if (common != null && !common.equals(plain)) {
        throw new GatunException(
            "%s: the heads of layer %d differ from those of layer 0 (%s and %s), and only heads of one shape are possible here"
                .formatted(name, i, plain, common));
      }
      common = plain;
    }
    return common;
  }
}
