package io.gatun.bench.work;

import io.gatun.cache.KvLayout;
import io.gatun.cache.KvView;
import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.List;

/** The bytes that a decode step of one layer has to read, as slices of the cache's own memory. */
public final class LayerBytes {
  private LayerBytes() {}

  /**
   * Per run and KV head the keys, then the values, each with its scales, if it has any: run by run,
   * so that a file larger than RAM is read once, as decoding does it.
   */
  public static List<MemorySegment> of(KvView view, int layer) {
    KvLayout layout = view.layout();
    List<MemorySegment> slices = new ArrayList<>();
    for (int run = 0; run < view.runs(); run++) {
      long rows = view.runTokens(run);
      for (int head = 0; head < layout.shape().kvHeads(); head++) {
        add(
            slices,
            view.keys(run),
            layout.keyOffset(layer, head, 0),
            rows * layout.keyRowBytes(),
            layout.keyScaleOffset(layer, head, 0),
            rows * layout.keyScaleBytes());
        if (!layout.shape().valuesInKeys()) {
          add(
              slices,
              view.values(run),
              layout.valueOffset(layer, head, 0),
              rows * layout.valueRowBytes(),
              layout.valueScaleOffset(layer, head, 0),
              rows * layout.valueScaleBytes());
        }
      }
    }
    return slices;
  }

  private static void add(
      List<MemorySegment> slices,
      MemorySegment from,
      long offset,
      long bytes,
      long scaleOffset,
      long scaleBytes) {
    slices.add(from.asSlice(offset, bytes));
    if (scaleBytes > 0) {
      slices.add(from.asSlice(scaleOffset, scaleBytes));
    }
  }
}
