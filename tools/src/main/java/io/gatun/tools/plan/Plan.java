package io.gatun.tools.plan;

import com.fasterxml.jackson.databind.json.JsonMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.gatun.cache.KvType;
import io.gatun.tools.config.AttentionShape;
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
    AttentionShape model,
    KvType kvType,
    long contextTokens,
    int batch,
    long budget,
    double bandwidth) {
  private static final JsonMapper JSON = new JsonMapper();

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
    return CacheCost.of(model.withoutWindows(), kvType, batch).bytesAt(contextTokens);
  }

  /** The same with a KV head for every query head (multi-head attention). */
  public long mhaBytes() {
    return withKvHeads(model.numHeads());
  }

  /** The same with one KV head for all query heads (multi-query attention). */
  public long mqaBytes() {
    return withKvHeads(1);
  }

  private long withKvHeads(int kvHeads) {
    return CacheCost.of(model.withKvHeads(kvHeads), kvType, batch).bytesAt(contextTokens);
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
    json.put("layers", model.layers());
    json.put("numHeads", model.numHeads());
    json.put("numKvHeads", model.numKvHeads());
    json.put("headDim", model.keyDim());
    json.put("valueDim", model.valueDim());
    if (model.latent() != null) {
      json.put("latentDim", model.latent().latentDim());
      json.put("ropeDim", model.latent().ropeDim());
    }
    json.put("slidingLayers", model.slidingLayers());
    json.put("kvType", kvType.label());
    json.put("contextTokens", contextTokens);
    json.put("batch", batch);
    json.put("bytesPerToken", bytesPerToken());
    json.put("totalBytes", totalBytes());
    json.put("totalBytesWithoutWindows", bytesWithoutWindows());
    json.put("mhaBytes", mhaBytes());
    json.put("mqaBytes", mqaBytes());
    json.put("savedAgainstMha", savedAgainstMha());
    json.put("gatunBytes", gatunBytes());
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
    return json;
  }
}
