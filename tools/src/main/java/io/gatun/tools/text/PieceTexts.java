package io.gatun.tools.text;

import java.nio.charset.StandardCharsets;

/** What the decoders of the tokenizers library make of one token. */
final class PieceTexts {
  /** Pairs that WordPiece's cleanup replaces, in its order. */
  private static final String[][] CLEANUP = {
    {" .", "."},
    {" ?", "?"},
    {" !", "!"},
    {" ,", ","},
    {" ' ", "'"},
    {" n't", "n't"},
    {" 'm", "'m"},
    {" do not", " don't"},
    {" 's", "'s"},
    {" 've", "'ve"},
    {" 're", "'re"}
  };

  private PieceTexts() {}

  static byte[] utf8(String text) {
    return text.getBytes(StandardCharsets.UTF_8);
  }

  /** The byte that a token such as {@code <0xE2>} stands for; -1 if it is none. */
  static int byteOf(String token) {
    if (token.length() != 6 || !token.startsWith("<0x") || token.charAt(5) != '>') {
      return -1;
    }
    int high = Character.digit(token.charAt(3), 16);
    int low = Character.digit(token.charAt(4), 16);
    return high < 0 || low < 0 ? -1 : 16 * high + low;
  }

  static String metaspace(String token, String mark, boolean first) {
    return token.replace(mark, first ? "" : " ");
  }

  static String wordPiece(String token, String mark, boolean first, boolean tidy) {
    String text = token;
    if (!first) {
      text = token.startsWith(mark) ? token.substring(mark.length()) : " " + token;
    }
    if (tidy) {
      for (String[] pair : CLEANUP) {
        text = text.replace(pair[0], pair[1]);
      }
    }
    return text;
  }
}
