package io.gatun.tools.model;

/**
 * Where a decoder's time went. Written by the decoder's thread; reading it from another thread gives
 * figures that may be a step old.
 */
public final class Timings {
  private long weightsNanos;
  private long attentionNanos;
  private long otherNanos;
  private long tokens;

  Timings() {}

  void weights(long from) {
    weightsNanos += System.nanoTime() - from;
  }

  void attention(long from) {
    attentionNanos += System.nanoTime() - from;
  }

  void other(long from) {
    otherNanos += System.nanoTime() - from;
  }

  void tokens(int count) {
    tokens += count;
  }

  /** Nanoseconds in products of weights and activations. */
  public long weightsNanos() {
    return weightsNanos;
  }

  /** Nanoseconds in attention over the cache. */
  public long attentionNanos() {
    return attentionNanos;
  }

  /** Nanoseconds in norms, rotations, activation functions and appending to the cache. */
  public long otherNanos() {
    return otherNanos;
  }

  /** Tokens read. */
  public long tokens() {
    return tokens;
  }

  /** Begins anew, for instance between prefill and decode. */
  public void reset() {
    weightsNanos = 0;
    attentionNanos = 0;
    otherNanos = 0;
    tokens = 0;
  }
}
