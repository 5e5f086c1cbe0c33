package io.gatun.tools.jinja;

import java.util.Iterator;
import java.util.function.Supplier;

/**
 * A generator or iterator of Python: runs when it is read and can be read once. It is true, has no
 * length and no text.
 */
final class Lazy {
  private final String kind;
  private final Supplier<Iterator<Object>> start;
  private Iterator<Object> iterator;

  /**
   * A lazy sequence.
   *
   * @param kind what Python calls its type
   */
  Lazy(String kind, Supplier<Iterator<Object>> start) {
    this.kind = kind;
    this.start = start;
  }

  String kind() {
    return kind;
  }

  /** The rest of it; always the same iterator. */
  Iterator<Object> iterator() {
    if (iterator == null) {
      iterator = start.get();
    }
    return iterator;
  }
}
