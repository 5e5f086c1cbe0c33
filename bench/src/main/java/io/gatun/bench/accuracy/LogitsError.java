package io.gatun.bench.accuracy;

import io.gatun.attention.Team;
import io.gatun.cache.KvCache;
import io.gatun.cache.KvType;
import io.gatun.tools.model.Decoder;
import io.gatun.tools.model.Model;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;

/**
 * What an element type of the cache changes in a model's next-token distribution, against the same
 * model with an F32 cache, over the same given tokens.
 */
public final class LogitsError implements AutoCloseable {
  /**
   * The change over all decoded tokens.
   *
   * @param meanKl mean of KL(F32 || type) = sum p ln(p / q), in nats
   * @param maxKl the largest
   * @param sameTop share of tokens whose most likely next token is the same
   */
  public record Change(double meanKl, double maxKl, double sameTop) {}

  private final Arena arena = Arena.ofShared();
  private final Model model;
  private final int[] tokens;
  private final int prefill;
  private final int vocab;
  private final Team team;
  private final MemorySegment reference; // f32 [decoded][vocab]

  /**
   * Runs the model with an F32 cache.
   *
   * @param tokens given to the model: the first {@code prefill} at once, the others one by one
   */
  public LogitsError(Model model, int[] tokens, int prefill, Team team) {
    this.model = model;
    this.tokens = tokens.clone();
    this.prefill = prefill;
    this.vocab = model.config().vocabSize();
    this.team = team;
    this.reference = run(KvType.F32);
  }

  private MemorySegment run(KvType type) {
    int decoded = tokens.length - prefill;
    long rowBytes = 4L * vocab;
    MemorySegment all = arena.allocate(decoded * rowBytes, 64);
    try (KvCache cache = KvCache.builder(model.kvShape()).type(type).build();
        Decoder decoder = new Decoder(model, cache, team)) {
      decoder.prefill(tokens, 0, prefill);
      for (int i = 0; i < decoded; i++) {
        MemorySegment logits = decoder.decode(tokens[prefill + i]);
        MemorySegment.copy(logits, 0, all, i * rowBytes, rowBytes);
      }
    }
    return all;
  }

  /** The change that K and V of this type make. */
  public Change of(KvType type) {
    MemorySegment logits = run(type);
    int decoded = tokens.length - prefill;
    double sum = 0;
    double most = 0;
    int same = 0;
    for (int i = 0; i < decoded; i++) {
      long at = (long) i * vocab;
      int top = top(reference, at);
      int other = top(logits, at);
      same += top == other ? 1 : 0;
      double kl = kl(at, logits, value(reference, at + top), value(logits, at + other));
      sum += kl;
      most = Math.max(most, kl);
    }
    return new Change(sum / decoded, most, (double) same / decoded);
  }

  /** With the maxima of both rows, so that no power overflows. */
  private double kl(long at, MemorySegment logits, double maxP, double maxQ) {
    double totalP = 0;
    double totalQ = 0;
    for (int i = 0; i < vocab; i++) {
      totalP += Math.exp(value(reference, at + i) - maxP);
      totalQ += Math.exp(value(logits, at + i) - maxQ);
    }
    double logP = maxP + Math.log(totalP);
    double logQ = maxQ + Math.log(totalQ);
    double kl = 0;
    for (int i = 0; i < vocab; i++) {
      double p = value(reference, at + i) - logP;
      kl += Math.exp(p) * (p - (value(logits, at + i) - logQ));
    }
    return Math.max(0, kl);
  }

  private int top(MemorySegment logits, long at) {
    int best = 0;
    for (int i = 1; i < vocab; i++) {
      if (value(logits, at + i) > value(logits, at + best)) {
        best = i;
      }
    }
    return best;
  }

  private static double value(MemorySegment logits, long index) {
    return logits.getAtIndex(ValueLayout.JAVA_FLOAT, index);
  }

  @Override
  public void close() {
    arena.close();
  }
}
