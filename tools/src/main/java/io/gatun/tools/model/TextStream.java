package io.gatun.tools.model;

import java.util.Arrays;

/**
 * Turns tokens into text as they come, and never gives out half of a character: where the bytes of a
 * UTF-8 sequence are spread over tokens, the text waits for the last of them. One thread.
 *
 * <p>Design note: tokens since the last clean point are decoded together, because a decoder may
 * look at its neighbours (a leading space, a byte sequence). At the end of such a text, U+FFFD may be
 * a character that is not complete yet, so up to three of them are held back: an incomplete sequence
 * has at most three bytes.
 */
public final class TextStream {
  private static final char BROKEN = '\uFFFD';
  private static final int MAX_INCOMPLETE = 3;

  /** The window begins anew after this many tokens, whatever they are. */
  private static final int MAX_WINDOW = 64;

  /** Gives the text of tokens. */
  @FunctionalInterface
  interface Decode {
    String text(int[] ids, int from, int count);
  }

  private final Decode decode;
  private final int[] window = new int[MAX_WINDOW];
  private int count;

  /** Characters of the window's text that were given out. */
  private int given;

  TextStream(Decode decode) {
    this.decode = decode;
  }

  /** The text that this token completes; may be empty. */
  public String next(int token) {
    window[count++] = token;
    String text = decode.text(window, 0, count);
    int complete = text.length();
    while (complete > 0
        && text.length() - complete < MAX_INCOMPLETE
        && text.charAt(complete - 1) == BROKEN) {
      complete--;
    }
    boolean clean = complete == text.length() || count == MAX_WINDOW;
    String fresh = from(text, clean ? text.length() : complete);
    if (clean) {
      // The last token stays, as context for the next.
      window[0] = token;
      count = 1;
      given = decode.text(window, 0, 1).length();
    }
    return fresh;
  }

  /** What is still held back at the end, for good or broken. */
  public String end() {
    String text = decode.text(window, 0, count);
    String rest = from(text, text.length());
    Arrays.fill(window, 0);
    count = 0;
    given = 0;
    return rest;
  }

  private String from(String text, int to) {
    // A text that got shorter was broken before: nothing of it is new.
    String fresh = text.substring(Math.min(given, to), to);
    given = Math.max(given, to);
    return fresh;
  }
}
