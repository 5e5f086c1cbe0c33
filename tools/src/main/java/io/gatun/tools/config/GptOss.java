package io.gatun.tools.config;

import io.gatun.attention.RopeConfig;
import io.gatun.cache.GatunException;
import io.gatun.tools.config.AttentionForm.Heads;
import io.gatun.tools.config.FeedForward.Activation;
import io.gatun.tools.config.FeedForward.ExpertTensors;
import io.gatun.tools.config.FeedForward.Experts;
import io.gatun.tools.config.FeedForward.GroupScore;
import io.gatun.tools.config.FeedForward.Router;
import io.gatun.tools.config.FeedForward.Scoring;

/**
 * gpt-oss: each head has a learned sink, layers with a window take turns with layers without one,
 * and experts with biases stand in place of every MLP, weighed by a softmax over the chosen ones.
 * Their weights are F32, F16 or BF16; the published MXFP4 ones are refused as quantized.
 */
final class GptOss {
  private static final double CLAMP = 7;

  private GptOss() {}

  static ModelConfig read(ModelFields f) {
    JsonFields json = f.json();
    boolean bias = json.flag("attention_bias", true);
    Heads heads = f.heads().withBiases(bias, bias).withSinks();
    f.activation("hidden_act", Activation.SILU, Activation.SILU);
    if (json.positive("swiglu_limit", CLAMP) != CLAMP) {
      throw new GatunException(
          "%s: swiglu_limit is %s, and Gatun computes %s"
              .formatted(json.where(), json.get("swiglu_limit"), CLAMP));
    }
    int count = json.count("num_local_experts", 1, 1 << 16, 128);
    int chosen =
        json.count(
            "num_experts_per_tok",
            1,
            count,
            json.count("experts_per_token", 1, count, Math.min(4, count)));
    Router router =
        new Router(chosen, Scoring.SOFTMAX_OF_CHOSEN, 1, 1, GroupScore.BEST, true, false, false, 1);
    Experts experts =
        new Experts(
            count,
            f.intermediateSize(),
            0,
            Activation.CLAMPED_SWIGLU,
            router,
            ExpertTensors.PACKED);
    RopeConfig rope = f.rope().whole(heads.headDim(), 150_000);
    return f.config(
        heads, ResidualStream.PLAIN, ModelFields.layers(f.windows(), rope, experts), 1e-5, false);
  }
}
