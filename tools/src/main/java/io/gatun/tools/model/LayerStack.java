package io.gatun.tools.model;

import io.gatun.tools.config.FeedForward.Dense;
import io.gatun.tools.config.FeedForward.Experts;
import io.gatun.tools.config.ModelConfig;
import io.gatun.tools.model.FeedWeights.Gated;
import io.gatun.tools.model.FeedWeights.Mixture;
import java.lang.foreign.Arena;
import java.util.HashMap;
import java.util.Map;

/** The layers of a model for batches of one size: buffers, and the parts that work on them. */
final class LayerStack {
  final StreamRows stream;
  private final Weights weights;
  private final AttentionBlock attention;
  private final FeedBlock[] feeds; // [layers]

  LayerStack(StreamRows stream, AttentionBlock attention, FeedBlock[] feeds, Weights weights) {
    this.stream = stream;
    this.attention = attention;
    this.feeds = feeds;
    this.weights = weights;
  }

  /** What follows attention in each layer; layers of one form share their buffers. */
  static FeedBlock[] feeds(
      Step step, StreamRows stream, ModelConfig config, Weights weights, int tokens, Arena arena) {
    Map<Object, FeedBlock> made = new HashMap<>();
    FeedBlock[] feeds = new FeedBlock[config.layers()];
    for (int i = 0; i < feeds.length; i++) {
      feeds[i] =
          switch (config.layerForms().get(i).feedForward()) {
            case Dense dense ->
                made.computeIfAbsent(
                    dense, form -> dense(step, stream, config, dense, weights, tokens, arena));
            case Experts experts ->
                made.computeIfAbsent(
                    experts,
                    form -> experts(step, stream, config, experts, weights, tokens, arena));
          };
    }
    return feeds;
  }

  private static FeedBlock dense(
      Step step,
      StreamRows stream,
      ModelConfig config,
      Dense form,
      Weights weights,
      int tokens,
      Arena arena) {
    Gated[] layers = new Gated[config.layers()];
    for (int i = 0; i < layers.length; i++) {
      if (config.layerForms().get(i).feedForward().equals(form)) {
        layers[i] = (Gated) weights.layers().get(i).feed();
      }
    }
    return new GatedBlock(
        step,
        stream.normed,
        form.intermediate(),
        form.activation(),
        layers,
        stream.target(),
        stream.direct(),
        tokens,
        arena);
  }

  private static FeedBlock experts(
      Step step,
      StreamRows stream,
      ModelConfig config,
      Experts form,
      Weights weights,
      int tokens,
      Arena arena) {
    Mixture[] layers = new Mixture[config.layers()];
    for (int i = 0; i < layers.length; i++) {
      if (form.equals(config.experts(i))) {
        layers[i] = (Mixture) weights.layers().get(i).feed();
      }
    }
    return new ExpertsBlock(step, stream, form, layers, tokens, arena);
  }

  /** Queries, keys and values of the tokens, turned by position. */
  void project(int layer, int tokens) {
    stream.read(weights.layers().get(layer).beforeAttention(), tokens);
    attention.project(layer, tokens);
  }

  /** Appends keys and values to the cache. */
  void append(int layer, int tokens) {
    attention.append(layer, tokens);
  }

  /** Attention and what follows it. */
  void finish(int layer, int tokens) {
    LayerWeights w = weights.layers().get(layer);
    attention.attend(layer, tokens);
    if (!stream.direct()) {
      stream.add(w.behindAttention(), tokens);
    }
    stream.read(w.beforeFeed(), tokens);
    feeds[layer].run(layer, tokens);
    if (!feeds[layer].adds()) {
      stream.add(w.behindFeed(), tokens);
    }
  }

  /** Copies what {@link #finish} needs of the last token to another size's first. */
  void copyLast(int tokens, LayerStack to) {
    attention.copyLast(tokens, to.attention);
    stream.copyLast(tokens, to.stream);
  }
}
