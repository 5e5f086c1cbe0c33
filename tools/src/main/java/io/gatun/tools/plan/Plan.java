package io.gatun.tools.plan;

import com.fasterxml.jackson.databind.json.JsonMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.gatun.cache.KvLayout;
import io.gatun.cache.KvType;
import io.gatun.tools.config.AttentionShape;
import io.gatun.tools.config.Kept;
import io.gatun.tools.config.ModelCache;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.OptionalLong;

/**
 * What one model's cache costs.
 *
 * @param model whose
 * @param kvType element type of keys and values
 * @param contextTokens tokens of each sequence
 * @param batch sequences
 * @param budget bytes that the cache may take
 * @param bandwidth bytes read per second by this machine, 0 if not asked for
 */
public record Plan(
    ModelCache model, KvType kvType, long contextTokens, int batch, long budget, double bandwidth) {
  private static final JsonMapper JSON = new JsonMapper();

  /** The cost of a model whose heads are alike. */
  public Plan(
      AttentionShape shape,
      KvType kvType,
      long contextTokens,
      int batch,
      long budget,
      double bandwidth) {
    this(ModelCache.of(shape), kvType, contextTokens, batch, budget, bandwidth);
  }

  private CacheCost cost() {
    return CacheCost.of(model, kvType, batch);
  }

  /** Bytes that a further token of one sequence takes, over all layers. */
  public long bytesPerToken() {
    return cost().bytesPerToken();
  }

  /** Bytes at the context, sliding windows counted. */
  public long totalBytes() {
    return cost().bytesAt(contextTokens);
  }

  /** The same if every layer kept every token. */
  public long bytesWithoutWindows() {
    return bytesAt(model.withoutWindows());
  }

  /** The same with a KV head for every query head (multi-head attention). */
  public long mhaBytes() {
    return bytesAt(model.asMultiHead());
  }

  /** The same with one KV head for all query heads (multi-query attention). */
  public long mqaBytes() {
    return bytesAt(model.withKvHeads(1));
  }

  private long bytesAt(ModelCache other) {
    return CacheCost.of(other, kvType, batch).bytesAt(contextTokens);
  }

  /** Bytes of states that do not grow, of all sequences; no part of {@link #totalBytes}. */
  public long stateBytes() {
    return Math.multiplyExact(model.stateBytes(), (long) batch);
  }

  /** Bytes that each position of an encoder or an image takes, once for each sequence. */
  public long crossBytesPerPosition() {
    return model
        .all(Kept.Cross.class)
        .mapToLong(cross -> LayerKinds.crossBytes(cross, kvType))
        .sum();
  }

  /** The part of {@link #mhaBytes} that is saved. */
  public double savedAgainstMha() {
    long mha = mhaBytes();
    return mha == 0 ? 0 : 1 - (double) totalBytes() / mha;
  }

  /** Bytes of Gatun's own blocks at the context. */
  public long gatunBytes() {
    return cost().gatunBytes(contextTokens);
  }

  /** Why {@link #gatunBytes} and {@link #totalBytes} differ; empty if they do not. */
  public String gatunReason() {
    if (gatunBytes() == totalBytes()) {
      return "";
    }
    List<String> reasons = new ArrayList<>();
    if (bytesWithoutWindows() != totalBytes()) {
      reasons.add(
          "Gatun keeps every token of every layer, windows or not, so that a conversation can be"
              + " cut back or forked anywhere");
    }
    if (gatunBytes() != bytesWithoutWindows()) {
      reasons.add("it stores whole blocks of %,d tokens".formatted(KvLayout.DEFAULT_BLOCK_TOKENS));
    }
    if (cost().gatunCaches() > 1) {
      reasons.add("it takes %d caches, one for each shape of rows".formatted(cost().gatunCaches()));
    }
    return String.join("; ", reasons);
  }

  /** The longest context within the budget; empty if windows keep the cache below it forever. */
  public OptionalLong maxTokensInBudget() {
    return cost().maxTokens(budget);
  }

  /**
   * Seconds that attention takes at least in one decode step of the batch: every byte of {@link
   * #totalBytes} read once. 0 without a bandwidth.
   */
  public double attentionFloorSeconds() {
    return bandwidth > 0 ? totalBytes() / bandwidth : 0;
  }

  /** All of it as a JSON object; sizes in bytes, times in seconds. */
  public ObjectNode toJson() {
    ObjectNode json = JSON.createObjectNode();
    json.put("model", model.name());
    json.put("source", model.source().name().toLowerCase(Locale.ROOT));
    if (!model.rules().isEmpty()) {
      json.put("rules", model.rules());
    }
    json.put("layers", model.layers().size());
    LayerKinds.putShape(model, json);
    json.set("layerKinds", LayerKinds.toJson(model, kvType));
    json.put("slidingLayers", model.boundedLayers());
    json.put("kvType", kvType.label());
    json.put("contextTokens", contextTokens);
    json.put("batch", batch);
    json.put("bytesPerToken", bytesPerToken());
    json.put("totalBytes", totalBytes());
    json.put("totalBytesWithoutWindows", bytesWithoutWindows());
    json.put("mhaBytes", mhaBytes());
    json.put("mqaBytes", mqaBytes());
    json.put("savedAgainstMha", savedAgainstMha());
    json.put("stateBytes", stateBytes());
    json.put("crossBytesPerPosition", crossBytesPerPosition());
    json.put("gatunBytes", gatunBytes());
    if (!gatunReason().isEmpty()) {
      json.put("gatunReason", gatunReason());
    }
    json.put("budgetBytes", budget);
    OptionalLong max = maxTokensInBudget();
    if (max.isPresent()) {
      json.put("maxTokensInBudget", max.getAsLong());
    } else {
      json.putNull("maxTokensInBudget");
    }
    if (bandwidth > 0) {
      json.put("readBytesPerSecond", Math.round(bandwidth));
      json.put("attentionFloorSeconds", attentionFloorSeconds());
    }
    if (!model.notes().isEmpty()) {
      model.notes().forEach(json.putArray("notes")::add);
    }
    return json;
  }
}
