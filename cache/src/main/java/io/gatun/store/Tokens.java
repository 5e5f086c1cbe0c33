package io.gatun.store;

import java.util.Arrays;
import java.util.Objects;

/**
 * The token ids of a conversation, from position 0. The store writes, everybody may read; each call
 * sees one state, two calls may see two. Any thread.
 */
public final class Tokens {
  private int[] ids;
  private int count;

  Tokens() {
    ids = new int[64];
  }

  private Tokens(int[] ids) {
    this.ids = ids;
  }

  /** Tokens of which only the count is known. */
  static Tokens counting() {
    return new Tokens(null);
  }

  /** Whether the ids are kept, not only counted. */
  boolean kept() {
    return ids != null;
  }

  /** Token ids known. */
  public synchronized int count() {
    return count;
  }

  /**
   * The token id at a position.
   *
   * @throws IndexOutOfBoundsException if the position is not below {@link #count}
   */
  public synchronized int get(int position) {
    return ids[Objects.checkIndex(position, count)];
  }

  /** Copies the ids at {@code [from, from + length)} to {@code target[at ...]}. */
  public synchronized void copy(int from, int[] target, int at, int length) {
    Objects.checkFromIndexSize(from, length, count);
    System.arraycopy(ids, from, target, at, length);
  }

  /** All ids, copied. */
  public synchronized int[] toArray() {
    return Arrays.copyOf(ids, count);
  }

  /** How many ids at the front equal the front of {@code other[0 .. length)}. */
  public synchronized int commonPrefix(int[] other, int length) {
    int end = Math.min(count, length);
    int mismatch = Arrays.mismatch(ids, 0, end, other, 0, end);
    return mismatch < 0 ? end : mismatch;
  }

  /** Cuts the sequence at {@code from} and goes on with {@code more[at .. at + length)}. */
  synchronized void replace(int from, int[] more, int at, int length) {
    int newCount = Math.addExact(from, length);
    if (ids == null) {
      count = newCount;
      return;
    }
    if (newCount > ids.length) {
      ids =
          Arrays.copyOf(ids, (int) Math.min(Integer.MAX_VALUE - 8, Math.max(newCount, 2L * from)));
    }
    System.arraycopy(more, at, ids, from, length);
    count = newCount;
  }
}
