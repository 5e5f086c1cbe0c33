package io.gatun.bench.peer;

/**
 * Somebody else's decode step over the same keys, values and queries. It holds its own copy of
 * them, in the layout that suits it. Thread rules: one caller at a time; inside it may use as many
 * threads as its {@link PeerWork} says.
 */
public interface Peer extends AutoCloseable {
  /** Attention of the query over all tokens of one layer. */
  void decode(int layer);

  /**
   * What the last {@link #decode} gave.
   *
   * @param out {@code [numHeads][headDim]}
   */
  void output(float[] out);

  /** Frees what it holds. */
  @Override
  void close();
}
