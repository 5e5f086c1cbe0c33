package io.gatun.tools.config;

import java.util.List;
import java.util.stream.Stream;

/**
 * What one layer keeps of a sequence; several things where it has several mixers, and nothing where
 * it is an MLP alone.
 *
 * @param kept the things, in the order in which the layer computes them
 */
public record LayerCache(List<Kept> kept) {
  /** A layer that keeps nothing. */
  public static final LayerCache NOTHING = new LayerCache(List.of());

  /** Copies the list. */
  public LayerCache {
    kept = List.copyOf(kept);
  }

  /** A layer that keeps these. */
  public static LayerCache of(Kept... kept) {
    return new LayerCache(List.of(kept));
  }

  /** The rows of its cache. */
  public Stream<Kept.Rows> rows() {
    return all(Kept.Rows.class);
  }

  /** Whether it has rows of its own. */
  public boolean hasRows() {
    return rows().findAny().isPresent();
  }

  /** Bytes of its states for one sequence. */
  public long stateBytes() {
    return all(Kept.State.class).mapToLong(Kept.State::bytes).sum();
  }

  /** What it keeps of one sort. */
  public <T extends Kept> Stream<T> all(Class<T> sort) {
    return kept.stream().filter(sort::isInstance).map(sort::cast);
  }
}
