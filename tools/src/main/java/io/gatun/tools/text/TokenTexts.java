package io.gatun.tools.text;

import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import java.util.BitSet;

/**
 * The text of every token of a vocabulary, as the tokenizer's file spells it. One array of bytes
 * holds them: a vocabulary of 256,000 tokens takes 4 MB of heap. Filled once, then any thread.
 */
final class TokenTexts {
  private byte[] bytes = new byte[1 << 12];
  private int used;
  private int[] starts = new int[1 << 9];
  private int[] lengths = new int[1 << 9];
  private final BitSet known = new BitSet();
  private final BitSet special = new BitSet();

  /** Gives a token its text, again if it has one. */
  void put(int id, String text) {
    byte[] utf8 = text.getBytes(StandardCharsets.UTF_8);
    if (bytes.length - used < utf8.length) {
      bytes = Arrays.copyOf(bytes, Math.max(2 * bytes.length, used + utf8.length));
    }
    if (id >= starts.length) {
      int size = Math.max(id + 1, starts.length + (starts.length >> 1));
      starts = Arrays.copyOf(starts, size);
      lengths = Arrays.copyOf(lengths, size);
    }
    System.arraycopy(utf8, 0, bytes, used, utf8.length);
    starts[id] = used;
    lengths[id] = utf8.length;
    used += utf8.length;
    known.set(id);
  }

  /** Says that a token stands for no text, but for the end of one, for instance. */
  void setSpecial(int id) {
    special.set(id);
  }

  boolean isSpecial(int id) {
    return special.get(id);
  }

  /** The text of a token; null if there is no such token. */
  String text(int id) {
    return id >= 0 && known.get(id)
        ? new String(bytes, starts[id], lengths[id], StandardCharsets.UTF_8)
        : null;
  }

  /** The id of the token with exactly this text; -1 if there is none. */
  int idOf(String text) {
    byte[] wanted = text.getBytes(StandardCharsets.UTF_8);
    for (int id = known.nextSetBit(0); id >= 0; id = known.nextSetBit(id + 1)) {
      int start = starts[id];
      if (lengths[id] == wanted.length
          && Arrays.equals(bytes, start, start + wanted.length, wanted, 0, wanted.length)) {
        return id;
      }
    }
    return -1;
  }
}
