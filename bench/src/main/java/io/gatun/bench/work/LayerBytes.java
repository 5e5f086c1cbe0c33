package io.gatun.bench.work;

import io.gatun.cache.KvLayout;
import io.gatun.cache.KvView;
import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.List;

/** The bytes that a decode step of one layer has to read, as slices of the cache's own memory. */
public final class LayerBytes {
  private LayerBytes() {}

  /** Per run and KV head the keys, then the values: the order in which a kernel walks them. */
  public static List<MemorySegment> of(KvView view, int layer) {
    KvLayout layout = view.layout();
    List<MemorySegment> slices = new ArrayList<>();
    for (int head = 0; head < layout.shape().kvHeads(); head++) {
      for (int run = 0; run < view.runs(); run++) {
        long rows = view.runTokens(run);
        slices.add(
            view.keys(run).asSlice(layout.keyOffset(layer, head, 0), rows * layout.keyRowBytes()));
        if (!layout.shape().valuesInKeys()) {
          slices.add(
              view.values(run)
                  .asSlice(layout.valueOffset(layer, head, 0), rows * layout.valueRowBytes()));
        }
      }
    }
    return slices;
  }
}
