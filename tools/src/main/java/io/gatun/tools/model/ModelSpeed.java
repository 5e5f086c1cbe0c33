package io.gatun.tools.model;

import io.gatun.attention.Team;
import io.gatun.cache.GatunException;
import io.gatun.cache.KvCache;
import io.gatun.cache.KvType;
import io.gatun.tools.config.ModelConfig;
import io.gatun.tools.matrix.Matrix;
import io.gatun.tools.matrix.MatrixProduct;
import io.gatun.tools.yardstick.FmaPeak;
import io.gatun.tools.yardstick.ReadCeiling;
import io.gatun.tools.yardstick.Workers;
import java.lang.foreign.MemorySegment;
import java.util.Arrays;
import java.util.List;
import java.util.Random;

/**
 * Measures a model's decode and prefill beside the roof of the same run: the time that a plain read
 * of the same weights takes, and the FMAs that the same threads reach. Rounds alternate, so that a
 * busy machine slows both sides alike; figures are medians over the rounds.
 *
 * @param tokensPerSecond of decode at a short context
 * @param readShare time of the plain read over the time of the decode's weight products
 * @param readBytesPerSecond of the plain read
 * @param weightsShare share of a decode step in products of weights
 * @param attentionShare share of a decode step in attention
 * @param prefillTokensPerSecond of batches of {@link #PREFILL} tokens
 * @param fmaShare operations per second of the prefill's weight products over the FMA peak
 * @param fmaPerSecond the FMA peak
 */
record ModelSpeed(
    double tokensPerSecond,
    Range readShare,
    double readBytesPerSecond,
    double weightsShare,
    double attentionShare,
    double prefillTokensPerSecond,
    Range fmaShare,
    double fmaPerSecond) {
  /** Median, 10th and 90th percentile over the rounds. */
  record Range(double median, double low, double high) {
    static Range of(double[] values) {
      double[] sorted = values.clone();
      Arrays.sort(sorted);
      int last = sorted.length - 1;
      return new Range(ModelSpeed.median(values), sorted[last / 10], sorted[last - last / 10]);
    }
  }

  /** Tokens of a prefill. */
  static final int PREFILL = Decoder.DEFAULT_BATCH;

  private static final int STEPS = 4;

  /** Runs of the FMA peak before each prefill, and behind it. */
  private static final int PEAK_SAMPLES = 5;

  /** Measures; takes seconds for a model of a billion weights. */
  static ModelSpeed of(Model model, Team team, int rounds) {
    if (!MatrixProduct.vectorised()) {
      throw new GatunException(
          "speed is measured on the Vector API; start the JVM with"
              + " --add-modules=jdk.incubator.vector");
    }
    model.config().requirePlain("the measurement of speed");
    List<MemorySegment> weights = model.weights().streamed().stream().map(Matrix::data).toList();
    int[] tokens = new Random(1).ints(PREFILL, 0, model.config().vocabSize()).toArray();
    double[] step = new double[rounds];
    double[] read = new double[rounds];
    double[] readShare = new double[rounds];
    double[] weightsShare = new double[rounds];
    double[] attentionShare = new double[rounds];
    double[] prefill = new double[rounds];
    double[] fmaShare = new double[rounds];
    double[] fma = new double[rounds];
    // Without embedding and output layer: of a prefill they read one row each.
    double flops = 2.0 * PREFILL * layerWeights(model.config());
    try (KvCache cache = KvCache.builder(model.kvShape()).type(KvType.BF16).build();
        Decoder decoder = new Decoder(model, cache, team);
        Workers workers = new Workers(team.threads())) {
      ReadCeiling ceiling = new ReadCeiling(weights, workers);
      FmaPeak peak = new FmaPeak(workers, FmaPeak.PIECES);
      decoder.decode(0);
      for (int round = -1; round < rounds; round++) {
        int i = Math.max(0, round); // the first round only warms up
        Timings t = decoder.timings();
        cache.truncate(1);
        t.reset();
        long from = System.nanoTime();
        for (int k = 0; k < STEPS; k++) {
          decoder.decode(tokens[k]);
        }
        step[i] = (System.nanoTime() - from) * 1e-9 / STEPS;
        from = System.nanoTime();
        ceiling.read();
        read[i] = (System.nanoTime() - from) * 1e-9;
        readShare[i] = read[i] / (t.weightsNanos() * 1e-9 / STEPS);
        weightsShare[i] = t.weightsNanos() * 1e-9 / STEPS / step[i];
        attentionShare[i] = t.attentionNanos() * 1e-9 / STEPS / step[i];
        cache.truncate(1);
        t.reset();
        double before = best(peak);
        from = System.nanoTime();
        decoder.prefill(tokens, 0, PREFILL);
        prefill[i] = (System.nanoTime() - from) * 1e-9;
        fma[i] = Math.max(before, best(peak));
        // The output layer's part is a plain read of its bytes; it is taken out.
        double output = read[i] * model.weights().output().bytes() / model.weightBytesPerStep();
        fmaShare[i] = flops / (t.weightsNanos() * 1e-9 - output) / fma[i];
      }
    }
    return new ModelSpeed(
        1 / median(step),
        Range.of(readShare),
        model.weightBytesPerStep() / median(read),
        median(weightsShare),
        median(attentionShare),
        PREFILL / median(prefill),
        Range.of(fmaShare),
        median(fma));
  }

  /**
   * Operations per second of the best of some samples: each is short beside a prefill, and a peak
   * that is disturbed by other work is none.
   */
  private static double best(FmaPeak peak) {
    double best = 0;
    for (int sample = 0; sample < PEAK_SAMPLES; sample++) {
      long from = System.nanoTime();
      peak.run();
      best = Math.max(best, peak.operations() / ((System.nanoTime() - from) * 1e-9));
    }
    return best;
  }

  /** Weights of all layers; of the last one, a prefill computes K and V for all tokens only. */
  private static double layerWeights(ModelConfig config) {
    double hidden = config.hiddenSize();
    double whole =
        hidden * (2.0 * config.queryDim() + 2.0 * config.kvDim())
            + 3 * hidden * config.intermediateSize();
    double last = hidden * (config.queryDim() + 2.0 * config.kvDim());
    return (config.layers() - 1) * whole + last;
  }

  private static double median(double[] values) {
    double[] sorted = values.clone();
    Arrays.sort(sorted);
    return sorted[sorted.length / 2];
  }
}
