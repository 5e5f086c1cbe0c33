package io.gatun.tools.text;

import java.nio.ByteBuffer;
import java.nio.CharBuffer;
import java.nio.charset.CharsetDecoder;
import java.nio.charset.CodingErrorAction;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;

/**
 * Turns tokens into text as they come, and never gives out half of a character: where the bytes of a
 * UTF-8 sequence are spread over tokens, the text waits for the last of them. The texts of all
 * tokens together are the decoded whole, wherever it is cut. One thread.
 */
public final class TextStream {
  private final Detokenizer.Run run;
  private final CharsetDecoder decoder =
      StandardCharsets.UTF_8
          .newDecoder()
          .onMalformedInput(CodingErrorAction.REPLACE)
          .onUnmappableCharacter(CodingErrorAction.REPLACE);

  /** Bytes of a character that is not complete yet. */
  private byte[] pending = new byte[0];

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
    return decode(run.next(token), false);
  }

  /** What is still held back of a character that nothing completes any more: U+FFFD, or nothing. */
  public String end() {
    return decode(new byte[0], true);
  }

  private String decode(byte[] bytes, boolean end) {
    if (bytes.length == 0 && !end) {
      return "";
    }
    byte[] all = Arrays.copyOf(pending, pending.length + bytes.length);
    System.arraycopy(bytes, 0, all, pending.length, bytes.length);
    ByteBuffer in = ByteBuffer.wrap(all);
    CharBuffer out = CharBuffer.allocate(all.length + 1);
    decoder.reset();
    decoder.decode(in, out, end);
    if (end) {
      decoder.flush(out);
    }
    pending = Arrays.copyOfRange(all, in.position(), all.length);
    return out.flip().toString();
  }
}
