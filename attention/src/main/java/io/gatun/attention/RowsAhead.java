package io.gatun.attention;

import io.gatun.attention.code.Call;
import io.gatun.cache.KvLayout;
import io.gatun.cache.KvView;

/**
 * Brings the rows to come into the caches, the kernels' arithmetic running meanwhile: a kernel calls
 * {@link #amongKeys} or {@link #amongValues} after every few tokens.
 *
 * <p>What a core can have under way at once is some 10 to 16 lines, and what is asked for beyond that
 * holds up the arithmetic behind it. So requests are to be spread evenly. A key kernel can stop for
 * one after every few tokens, but a value kernel only where it is worth bringing all its sums to and
 * from the registers; therefore three values of four are asked for while keys are worked on, and one
 * while values are.
 *
 * <p>Thread rules: scratch of one worker.
 */
final class RowsAhead {
  /** Value rows of a tile that are asked for before its first keys are worked on. */
  private static final int FIRST_VALUES = 4;

  private final boolean valuesApart;
  private final Call call = new Call();
  private final ReadAhead keys;
  private final ReadAhead values;

  /**
   * Scratch for one worker.
   *
   * @param valuesApart see {@link Kernels#asksForValues}
   */
  RowsAhead(KvLayout layout, boolean valuesApart) {
    this.valuesApart = valuesApart;
    keys = new ReadAhead(layout, true, valuesApart);
    values = new ReadAhead(layout, false, valuesApart);
  }

  /**
   * Sets out for the key rows {@code [keyFrom, keyTo)} and the value rows {@code [valueFrom,
   * valueTo)} of a layer and head.
   */
  void begin(
      KvView view, int layer, int kvHead, long keyFrom, long keyTo, long valueFrom, long valueTo) {
    keys.begin(view, layer, kvHead, keyFrom, keyTo);
    values.begin(view, layer, kvHead, valueFrom, valueTo);
    if (!valuesApart) {
      values.next(FIRST_VALUES);
    }
  }

  /** What a machine code kernel of this worker is called with. */
  Call call() {
    return call;
  }

  /**
   * Has the call ask for so many keys.
   *
   * @param here address of the first key that the call works on
   */
  void askForKeys(int tokens, long here) {
    keys.ask(call, Call.Field.KEY_AHEAD, tokens, here);
  }

  /** Has the call ask for so many values; as {@link #askForKeys}. */
  void askForValues(int tokens, long here) {
    values.ask(call, Call.Field.VALUE_AHEAD, tokens, here);
  }

  /** To be called by a key kernel when it has taken in {@code tokens} keys. */
  void amongKeys(int tokens) {
    long key = keys.from();
    long keysEnd = keys.take(tokens);
    long value = valuesApart ? 0 : values.from();
    long valuesEnd = valuesApart ? 0 : values.take(Math.max(1, tokens * 3 / 4));
    if (key < keysEnd || value < valuesEnd) {
      Prefetch.lines(key, keysEnd, value, valuesEnd);
    }
  }

  /**
   * To be called by a value kernel when it has taken in some part of so many values.
   *
   * @param parts of a row, after each of which this is called
   */
  void amongValues(int tokens, int parts) {
    values.next(Math.ceilDiv(tokens, (valuesApart ? 1 : 4) * parts));
  }

  /** Asks for what is left. */
  void finish() {
    keys.finish();
    values.finish();
  }

  /** See {@link ReadAhead#saw}. */
  void saw(long value) {
    keys.saw(value);
  }
}
