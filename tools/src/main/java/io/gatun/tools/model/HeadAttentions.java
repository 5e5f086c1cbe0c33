package io.gatun.tools.model;

import io.gatun.attention.AttentionOptions;
import io.gatun.attention.GqaAttention;
import io.gatun.attention.Team;
import io.gatun.cache.KvLayout;
import io.gatun.tools.config.AttentionForm.Heads;
import io.gatun.tools.config.ModelConfig;
import io.gatun.tools.model.AttentionWeights.OfHeads;
import java.lang.foreign.ValueLayout;

/**
 * Attention over the cache for each layer of a model with heads. Layers that attend alike share
 * one; a layer with sinks has its own.
 */
final class HeadAttentions implements AutoCloseable {
  private final GqaAttention[] layers;

  HeadAttentions(ModelConfig config, Heads heads, Weights weights, KvLayout layout, Team team) {
    AttentionOptions options =
        new AttentionOptions(
            heads.numHeads(), (float) heads.scale(), 0, 0, (float) heads.softCap());
    layers = new GqaAttention[config.layers()];
    try {
      for (int i = 0; i < layers.length; i++) {
        AttentionOptions own = options.withWindow(config.windows().get(i));
        if (heads.sinks()) {
          OfHeads w = (OfHeads) weights.layers().get(i).attention();
          float[] sinks = w.sinks().toArray(ValueLayout.JAVA_FLOAT);
          layers[i] = GqaAttention.create(layout, own, sinks, team);
        } else {
          GqaAttention same = sameWindow(config, i);
          layers[i] = same != null ? same : GqaAttention.create(layout, own, team);
        }
      }
    } catch (RuntimeException | Error e) {
      close();
      throw e;
    }
  }

  private GqaAttention sameWindow(ModelConfig config, int layer) {
    for (int i = 0; i < layer; i++) {
      if (config.windows().get(i).equals(config.windows().get(layer))) {
        return layers[i];
      }
    }
    return null;
  }

  GqaAttention of(int layer) {
    return layers[layer];
  }

  @Override
  public void close() {
    for (GqaAttention attention : layers) {
      if (attention != null) {
        // Of shared ones every closing but the first does nothing.
        attention.close();
      }
    }
  }
}
