package io.gatun.bench.scaling;

import io.gatun.bench.work.Heads;
import io.gatun.bench.work.Storage;
import io.gatun.cache.KvLayout;
import io.gatun.cache.KvType;
import io.gatun.tools.config.AttentionShape;
import io.gatun.tools.plan.Plan;
import java.util.Locale;

/**
 * One cache whose context grows.
 *
 * @param storage where it lies
 * @param type element type of K and V
 * @param heads heads of a layer
 * @param layers its layers
 * @param ramLimit bytes of RAM that the process may use; 0 for no limit
 */
public record Series(Storage storage, KvType type, Heads heads, int layers, long ramLimit) {
  /** How its files and memory are called in tables. */
  public String storageName() {
    return ramLimit > 0 ? "larger-than-ram" : storage.name().toLowerCase(Locale.ROOT);
  }

  /** Its name. */
  public String name() {
    return "%s %s %s, %d layer%s"
        .formatted(storageName(), type.label(), heads, layers, layers == 1 ? "" : "s");
  }

  /** Where its rows lie. */
  public KvLayout layout() {
    return KvLayout.of(heads.shape(layers), type);
  }

  /** Bytes of its blocks at a context. */
  public long blockBytes(long context) {
    KvLayout layout = layout();
    return Math.multiplyExact(
        Math.ceilDiv(context, (long) layout.blockTokens()), layout.blockBytes());
  }

  /** What the planner says of it. */
  public Plan plan(long context, double bandwidth) {
    AttentionShape model =
        new AttentionShape(
            name(),
            heads.numHeads(),
            heads.numKvHeads(),
            heads.headDim(),
            heads.headDim(),
            null,
            AttentionShape.fullAttention(layers),
            0,
            0,
            AttentionShape.Source.GIVEN);
    return new Plan(model, type, context, 1, 0, bandwidth);
  }
}
