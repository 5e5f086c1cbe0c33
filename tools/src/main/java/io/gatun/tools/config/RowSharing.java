package io.gatun.tools.config;

import java.util.List;

/** Tells which layers read the rows of an earlier layer instead of keeping their own. */
@FunctionalInterface
interface RowSharing {
  /** Every layer keeps its own rows. */
  RowSharing NONE = (_, _, layer) -> layer;

  /** The layer whose rows a layer reads; the layer itself if it keeps its own. */
  int source(ModelKeys keys, List<String> kinds, int layer);

  /** The last layers read those of the last layer before them that is of their kind (Gemma 3n). */
  static RowSharing lastLayers(String key) {
    return (keys, kinds, layer) -> {
      int first = kinds.size() - keys.count(key, 0);
      if (layer < first) {
        return layer;
      }
      int source = first < 1 ? -1 : kinds.subList(0, first).lastIndexOf(kinds.get(layer));
      if (source < 0) {
        throw keys.refused(
            "%s is %d of %d layers, and no layer before them is of the kind of layer %d, '%s'",
            key, keys.count(key, 0), kinds.size(), layer, kinds.get(layer));
      }
      return source;
    };
  }

  /** Groups of layers read those of their first one (cross-layer attention, Hunyuan). */
  static RowSharing groups(String flag, String factor) {
    return (keys, _, layer) -> {
      boolean on = keys.flag(flag, false);
      int size = keys.count(factor, 1);
      return on && size > 1 ? layer - layer % size : layer;
    };
  }

  /** What a layer keeps of {@code own} after sharing. */
  default LayerCache apply(ModelKeys keys, List<String> kinds, int layer, LayerCache own) {
    int source = source(keys, kinds, layer);
    if (source == layer) {
      return own;
    }
    return new LayerCache(
        own.kept().stream()
            .map(kept -> kept instanceof Kept.Rows ? new Kept.Shared(source) : kept)
            .toList());
  }
}
