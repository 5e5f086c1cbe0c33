package io.gatun.tools.text;

/**
 * Turns tokens into text as they come, and never gives out half of a character: where the bytes of a
 * UTF-8 sequence are spread over tokens, the text waits for the last of them. The texts of all
 * tokens together are the decoded whole, wherever it is cut. One thread.
 */
public final class TextStream {
  private final Detokenizer.Run run;
  private final Utf8Text bytes = new Utf8Text();

  TextStream(Detokenizer.Run run) {
    this.run = run;
  }

  /**
   * Takes tokens that stand before those that are to be shown. What they leave of a character that
   * is not complete is shown with the token that completes it.
   */
  public void follow(int... tokens) {
    for (int token : tokens) {
      next(token);
    }
  }

  /** The text that this token completes; may be empty. */
  public String next(int token) {
    StringBuilder text = new StringBuilder();
    bytes.decode(run.next(token), text);
    return text.toString();
  }

  /** What is still held back of a character that nothing completes any more: U+FFFD, or nothing. */
  public String end() {
    StringBuilder text = new StringBuilder();
    bytes.end(text);
    return text.toString();
  }
}
