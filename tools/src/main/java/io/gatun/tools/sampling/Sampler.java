package io.gatun.tools.sampling;

import io.gatun.cache.GatunException;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;

/**
 * Chooses tokens: divides logits by the temperature, keeps the {@code topK} largest, turns them into
 * probabilities, keeps the most likely ones up to {@code topP}, draws one of those. Ties go to the
 * lower id, everywhere.
 *
 * <p>Random numbers are those of {@link java.util.SplittableRandom} (Steele, Lea and Flood, 2014)
 * with the seed, the n-th for position n: a conversation that was interrupted and resumed draws the
 * same numbers as one that was not.
 *
 * <p>One thread. Allocates nothing per token.
 */
public final class Sampler {
  private static final ValueLayout.OfFloat FLOAT = ValueLayout.JAVA_FLOAT_UNALIGNED;

  /** The increment of SplitMix64, the odd number next to 2^64 divided by the golden ratio. */
  private static final long GOLDEN_GAMMA = 0x9e37_79b9_7f4a_7c15L;

  private final SamplingOptions options;
  private final int vocab;

  /** A binary heap of token ids; the root is the first to go. Its order is {@link #before}. */
  private final int[] heap;

  /** Weights of all tokens: their logits, later e^(logit - largest) / temperature. */
  private final float[] weights;

  private int size;
  private boolean largestFirst;

  /**
   * A sampler.
   *
   * @param vocab token ids, at least 1
   */
  public Sampler(SamplingOptions options, int vocab) {
    this.options = options;
    this.vocab = vocab;
    this.heap = options.isGreedy() ? null : new int[vocab];
    this.weights = options.isGreedy() ? null : new float[vocab];
  }

  /**
   * The next token.
   *
   * @param logits f32 {@code [vocab]}
   * @param position of the token that is chosen, in the whole sequence
   * @throws GatunException if a logit is not a number or infinitely large
   */
  public int sample(MemorySegment logits, long position) {
    int best = mostLikely(logits);
    return options.isGreedy() ? best : draw(logits, best, position);
  }

  private int mostLikely(MemorySegment logits) {
    int best = 0;
    float largest = Float.NEGATIVE_INFINITY;
    boolean valid = true;
    for (int id = 0; id < vocab; id++) {
      float logit = logits.get(FLOAT, 4L * id);
      valid &= logit < Float.POSITIVE_INFINITY;
      if (logit > largest) {
        largest = logit;
        best = id;
      }
    }
    if (!valid) {
      throw notFinite(logits);
    }
    return best;
  }

  private GatunException notFinite(MemorySegment logits) {
    int id = 0;
    while (logits.get(FLOAT, 4L * id) < Float.POSITIVE_INFINITY) {
      id++;
    }
    return new GatunException(
        "the model gave token %d the logit %s; its weights hold such values, or its numbers are too large for f32"
            .formatted(id, logits.get(FLOAT, 4L * id)));
  }

  private int draw(MemorySegment logits, int best, long position) {
    MemorySegment.copy(logits, FLOAT, 0, weights, 0, vocab);
    takeTopK();
    double sum = toProbabilities(weights[best]);
    if (options.topP() == 1) {
      return pick(0, size, uniform(position) * sum, best);
    }
    // Tokens too unlikely to be among the kept ones need not be put in order.
    drop(sum * (1 - options.topP()) / vocab);
    largestFirst = true;
    heapify();
    // Tokens leave the heap in order and then lie behind it.
    int end = size;
    double kept = 0;
    while (size > 0 && kept < sum * options.topP()) {
      kept += weights[pop()];
    }
    return pick(size, end, uniform(position) * kept, best);
  }

  /** The token of {@code heap[from .. to)} at which the weights add up to more than the target. */
  private int pick(int from, int to, double target, int best) {
    double left = target;
    for (int i = from; i < to; i++) {
      left -= weights[heap[i]];
      if (left < 0) {
        return heap[i];
      }
    }
    return best; // only rounding leads here
  }

  /** Fills the heap with the ids of the {@code topK} largest logits. */
  private void takeTopK() {
    int k = options.topK() == 0 ? vocab : Math.min(options.topK(), vocab);
    size = k;
    for (int id = 0; id < k; id++) {
      heap[id] = id;
    }
    if (k == vocab) {
      return;
    }
    largestFirst = false;
    heapify();
    for (int id = k; id < vocab; id++) {
      if (before(heap[0], id)) {
        heap[0] = id;
        sift(0);
      }
    }
  }

  /** Turns logits into weights relative to the largest one; gives their sum. */
  private double toProbabilities(float largest) {
    double sum = 0;
    for (int i = 0; i < size; i++) {
      int id = heap[i];
      weights[id] = (float) Math.exp((weights[id] - (double) largest) / options.temperature());
      sum += weights[id];
    }
    return sum;
  }

  private void drop(double least) {
    int kept = 0;
    for (int i = 0; i < size; i++) {
      if (weights[heap[i]] >= least) {
        heap[kept++] = heap[i];
      }
    }
    size = kept;
  }

  /** Takes the root out and leaves it behind the heap. */
  private int pop() {
    int root = heap[0];
    size--;
    heap[0] = heap[size];
    heap[size] = root;
    sift(0);
    return root;
  }

  private void heapify() {
    for (int i = size / 2 - 1; i >= 0; i--) {
      sift(i);
    }
  }

  private void sift(int from) {
    int at = from;
    int id = heap[at];
    while (2 * at + 1 < size) {
      int child = 2 * at + 1;
      if (child + 1 < size && before(heap[child + 1], heap[child])) {
        child++;
      }
      if (!before(heap[child], id)) {
        break;
      }
      heap[at] = heap[child];
      at = child;
    }
    if (size > 0) {
      heap[at] = id;
    }
  }

  /** Whether {@code a} leaves the heap before {@code b}. */
  private boolean before(int a, int b) {
    boolean aIsMoreLikely = weights[a] > weights[b] || (weights[a] == weights[b] && a < b);
    return aIsMoreLikely == largestFirst;
  }

  /** The random number of a position, in [0, 1). */
  private double uniform(long position) {
    long z = options.seed() + (position + 1) * GOLDEN_GAMMA;
    z = (z ^ (z >>> 30)) * 0xbf58_476d_1ce4_e5b9L;
    z = (z ^ (z >>> 27)) * 0x94d0_49bb_1331_11ebL;
    return ((z ^ (z >>> 31)) >>> 11) * 0x1p-53;
  }
}
