package io.gatun.tools.config;

import com.fasterxml.jackson.databind.JsonNode;
import io.gatun.attention.RopeConfig;
import io.gatun.cache.GatunException;
import io.gatun.tools.config.AttentionForm.Heads;
import io.gatun.tools.config.FeedForward.Activation;
import io.gatun.tools.config.FeedForward.Dense;
import java.util.ArrayList;
import java.util.List;

/** SmolLM3: a Llama of which some layers, every fourth by default, turn nothing by position. */
final class SmolLm3 {
  private SmolLm3() {}

  static ModelConfig read(ModelFields f) {
    boolean bias = f.json().flag("attention_bias", false);
    Heads heads = f.heads().withBiases(bias, bias);
    Activation activation = f.activation("hidden_act", Activation.SILU, Activation.SILU);
    Dense mlp =
        new Dense(f.intermediateSize(), activation, f.json().flag("mlp_bias", false), false);
    RopeConfig rope = f.rope().whole(heads.headDim(), 2_000_000);
    List<Boolean> turns = turns(f);
    List<Integer> windows = f.windows();
    List<LayerForm> layers = new ArrayList<>();
    for (int layer = 0; layer < f.layers(); layer++) {
      layers.add(new LayerForm(windows.get(layer), turns.get(layer) ? rope : null, mlp));
    }
    return f.config(heads, ResidualStream.PLAIN, layers, 1e-6, true);
  }

  /** {@code no_rope_layers} has, against its name, a 1 for each layer that turns. */
  private static List<Boolean> turns(ModelFields f) {
    List<Boolean> turns = new ArrayList<>();
    JsonNode node = f.json().get("no_rope_layers");
    int period = f.json().count("no_rope_layer_interval", 1, 1 << 16, 4);
    for (int layer = 0; layer < f.layers(); layer++) {
      turns.add(node == null ? (layer + 1) % period != 0 : node.path(layer).asInt(0) != 0);
    }
    if (node != null && (!node.isArray() || node.size() != f.layers())) {
      throw new GatunException(
          "%s: no_rope_layers is %s, not a list of a number for each of the %d layers"
              .formatted(f.json().where(), node, f.layers()));
    }
    return turns;
  }
}
