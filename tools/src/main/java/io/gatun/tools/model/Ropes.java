package io.gatun.tools.model;

import io.gatun.attention.Rope;
import io.gatun.attention.RopeConfig;
import io.gatun.tools.config.ModelConfig;
import java.util.HashMap;
import java.util.Map;

/** The rotary embeddings of a model's layers; equal ones are one. */
final class Ropes {
  private Ropes() {}

  /**
   * One for each layer; null where nothing is turned.
   *
   * @param interleaved whether the pairs that turn are neighbours
   */
  static Rope[] of(ModelConfig config, boolean interleaved) {
    Map<RopeConfig, Rope> made = new HashMap<>();
    Rope[] ropes = new Rope[config.layers()];
    for (int i = 0; i < ropes.length; i++) {
      RopeConfig rope = config.layerForms().get(i).rope();
      if (rope != null) {
        ropes[i] =
            made.computeIfAbsent(
                rope, angles -> interleaved ? Rope.interleaved(angles) : Rope.of(angles));
      }
    }
    return ropes;
  }
}
