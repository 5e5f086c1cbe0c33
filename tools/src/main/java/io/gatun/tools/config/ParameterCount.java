package io.gatun.tools.config;

import io.gatun.tools.config.AttentionForm.Heads;
import io.gatun.tools.config.AttentionForm.Latent;
import io.gatun.tools.config.FeedForward.Dense;
import io.gatun.tools.config.FeedForward.ExpertTensors;
import io.gatun.tools.config.FeedForward.Experts;

/** Counts the weights that a configuration asks for. */
final class ParameterCount {
  private ParameterCount() {}

  static long of(ModelConfig config) {
    long hidden = config.hiddenSize();
    long sum = Math.multiplyExact(config.vocabSize() * hidden, config.tiedEmbeddings() ? 1 : 2);
    sum = Math.addExact(sum, hidden);
    long perLayer = attention(config) + norms(config);
    for (LayerForm layer : config.layerForms()) {
      sum = Math.addExact(sum, perLayer + feedForward(layer.feedForward(), hidden));
    }
    return sum;
  }

  private static long norms(ModelConfig config) {
    return (config.stream().norms() == ResidualStream.NormPlaces.AROUND ? 4L : 2L)
        * config.hiddenSize();
  }

  private static long attention(ModelConfig config) {
    long hidden = config.hiddenSize();
    return switch (config.attention()) {
      case Heads h -> {
        long norms =
            switch (h.norm()) {
              case NONE -> 0;
              case PER_HEAD -> 2L * h.headDim();
              case WHOLE -> (long) h.queryDim() + h.kvDim();
            };
        yield hidden * (2L * h.queryDim() + 2L * h.kvDim())
            + (h.qkvBias() ? h.queryDim() + 2L * h.kvDim() : 0)
            + (h.outputBias() ? hidden : 0)
            + (h.sinks() ? h.numHeads() : 0)
            + norms;
      }
      case Latent l -> {
        long rank = l.queryRank();
        long queries =
            rank == 0
                ? hidden * l.queryDim()
                : hidden * rank + rank + rank * l.queryDim() + (l.bias() ? rank : 0);
        long row = (long) l.latentDim() + l.ropeDim();
        yield queries
            + hidden * row
            + (l.bias() ? row + hidden : 0)
            + l.latentDim()
            + (long) l.upDim() * l.latentDim()
            + hidden * l.outputDim();
      }
    };
  }

  private static long feedForward(FeedForward form, long hidden) {
    return switch (form) {
      case Dense d -> gated(hidden, d.intermediate(), d.bias());
      case Experts e -> {
        boolean bias = e.tensors() == ExpertTensors.PACKED;
        yield e.count() * (gated(hidden, e.intermediate(), bias) + hidden)
            + (e.router().bias() ? e.count() : 0)
            + (e.router().correction() ? e.count() : 0)
            + (e.sharedIntermediate() == 0 ? 0 : gated(hidden, e.sharedIntermediate(), false));
      }
    };
  }

  private static long gated(long hidden, long inner, boolean bias) {
    return 3 * hidden * inner + (bias ? 2 * inner + hidden : 0);
  }
}
