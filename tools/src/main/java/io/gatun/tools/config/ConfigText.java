package io.gatun.tools.config;

import io.gatun.attention.RopeConfig;

/**
 * The numbers of a configuration that enter keys and values, as text. Plain decoders have the form
 * in which they were always written, so that conversations of earlier versions open; others are
 * spelt out whole.
 */
final class ConfigText {
  private ConfigText() {}

  static String of(ModelConfig config) {
    if (!config.isPlain()) {
      return String.join(
          "; ",
          "gatun model 2",
          "hidden " + config.hiddenSize() + ", eps " + config.rmsNormEps(),
          config.attention().toString(),
          config.stream().toString(),
          config.layerForms().toString());
    }
    return String.join(
        "; ",
        "gatun model 1",
        "hidden %d, intermediate %d, layers %d"
            .formatted(config.hiddenSize(), config.intermediateSize(), config.layers()),
        "heads " + config.numHeads() + "/" + config.numKvHeads() + " of " + config.headDim(),
        "eps " + config.rmsNormEps() + ", qk-norm " + config.qkNorm(),
        "biases " + config.qkvBias() + " " + config.outputBias() + " " + config.mlpBias(),
        "windows " + config.windows(),
        rope(config.rope()));
  }

  private static String rope(RopeConfig rope) {
    return "theta %s, rotary %s, %s"
        .formatted(rope.theta(), rope.rotaryDim(), scaling(rope.scaling()));
  }

  private static String scaling(RopeConfig.Scaling scaling) {
    return switch (scaling) {
      case RopeConfig.None none -> "unscaled";
      case RopeConfig.Linear linear -> "linear " + linear.factor();
      case RopeConfig.Llama3 llama ->
          "llama3 %s %s %s %d"
              .formatted(
                  llama.factor(),
                  llama.lowFreqFactor(),
                  llama.highFreqFactor(),
                  llama.originalMaxPositions());
      case RopeConfig.Dynamic dynamic -> dynamic.toString();
      case RopeConfig.Yarn yarn -> yarn.toString();
      case RopeConfig.LongRope longRope -> longRope.toString();
    };
  }
}
