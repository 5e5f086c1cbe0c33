package io.gatun.tools.text;

import com.fasterxml.jackson.databind.JsonNode;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;

/**
 * How a tokenizer's tokens become bytes of text, one after the other.
 *
 * <p>Design note: the text of a conversation is one stream of bytes. The decoders of published
 * tokenizers add to it token by token; all that they know of a token's neighbours is whether it is
 * the first. So the bytes that are known never change, whatever comes after them, and a text may be
 * shown as it grows and go on in another process. The tokenizers library decodes a whole list: a
 * broken byte at its end would turn earlier characters of a byte-fallback vocabulary into U+FFFD.
 */
final class Detokenizer {
  /** The bytes that tokens add, in their order. */
  interface Run {
    /** The bytes of the next token. */
    byte[] next(int token);
  }

  /** How pieces are joined. */
  enum Join {
    /** Each is a spelling of bytes. */
    BYTE_LEVEL,
    /** As they are. */
    PIECES,
    /** As they are; the marks of blanks in the very first piece go. */
    METASPACE,
    /** With blanks between them, except before those that have the mark of a continuation. */
    WORD_PIECE,
    /** With blanks between them. */
    WORDS
  }

  private final TokenTexts texts;
  private Join join = Join.PIECES;
  private final List<String[]> replacements = new ArrayList<>();
  private boolean byteFallback;
  private boolean fused;
  private byte strippedByte;
  private int stripped;
  private String mark = "##";
  private boolean tidy;

  private Detokenizer(TokenTexts texts) {
    this.texts = texts;
  }

  /** The decoder of a tokenizer; null if it is of a kind that needs all tokens at once. */
  static Detokenizer of(TokenizerFile file) {
    Detokenizer detokenizer = new Detokenizer(file.texts());
    JsonNode decoder = file.decoder();
    if (decoder == null) {
      detokenizer.join = Join.WORDS;
      return detokenizer;
    }
    if (!decoder.path("type").asText().equals("Sequence")) {
      return detokenizer.step(decoder) ? detokenizer : null;
    }
    for (JsonNode step : decoder.path("decoders")) {
      if (!detokenizer.step(step)) {
        return null;
      }
    }
    return detokenizer;
  }

  /** Takes a step of the decoder in; false if it cannot be done token by token. */
  private boolean step(JsonNode step) {
    // A mark of the first or last token holds for the list: nothing but Strip may follow it.
    boolean joined = join != Join.PIECES || fused;
    switch (step.path("type").asText()) {
      case "ByteLevel" -> {
        join = Join.BYTE_LEVEL;
        return !joined && replacements.isEmpty() && !byteFallback;
      }
      case "Replace" -> {
        JsonNode from = step.path("pattern").path("String");
        replacements.add(new String[] {from.asText(), step.path("content").asText()});
        return !joined && !byteFallback && from.isTextual();
      }
      case "ByteFallback" -> {
        byteFallback = true;
        return !joined;
      }
      case "Fuse" -> {
        fused = true;
        return true;
      }
      case "Strip" -> {
        String content = step.path("content").asText();
        stripped = step.path("start").asInt();
        strippedByte = content.isEmpty() ? 0 : (byte) content.charAt(0);
        boolean simple = content.length() == 1 && content.charAt(0) < 0x80;
        return fused && simple && step.path("stop").asInt() == 0;
      }
      case "Metaspace" -> {
        join = Join.METASPACE;
        mark = step.path("replacement").asText("\u2581");
        boolean kept =
            step.path("prepend_scheme").asText().equals("never")
                || step.has("add_prefix_space") && !step.path("add_prefix_space").asBoolean();
        if (kept) {
          join = Join.PIECES;
          replacements.add(new String[] {mark, " "});
        }
        return !joined && !byteFallback;
      }
      case "WordPiece" -> {
        join = Join.WORD_PIECE;
        mark = step.path("prefix").asText("##");
        tidy = step.path("cleanup").asBoolean();
        return !joined && !byteFallback;
      }
      default -> {
        return false;
      }
    }
  }

  /**
   * Begins a text.
   *
   * @param keepSpecials whether special tokens are spelt out
   */
  Run begin(boolean keepSpecials) {
    return new Pieces(keepSpecials);
  }

  private final class Pieces implements Run {
    private final boolean keepSpecials;
    private boolean first = true;
    private int toStrip = stripped;

    Pieces(boolean keepSpecials) {
      this.keepSpecials = keepSpecials;
    }

    @Override
    public byte[] next(int token) {
      String text = texts.text(token);
      if (text == null || !keepSpecials && texts.isSpecial(token)) {
        return new byte[0];
      }
      byte[] bytes = bytes(text);
      first = false;
      int from = 0;
      while (toStrip > 0 && from < bytes.length) {
        if (bytes[from] != strippedByte) {
          toStrip = 0;
          break;
        }
        from++;
        toStrip--;
      }
      return from == 0 ? bytes : Arrays.copyOfRange(bytes, from, bytes.length);
    }

    private byte[] bytes(String token) {
      if (join == Join.BYTE_LEVEL) {
        return ByteLevel.bytes(token);
      }
      String text = token;
      for (String[] replacement : replacements) {
        text = text.replace(replacement[0], replacement[1]);
      }
      int value = byteFallback ? PieceTexts.byteOf(text) : -1;
      if (value >= 0) {
        return new byte[] {(byte) value};
      }
      return PieceTexts.utf8(
          switch (join) {
            case METASPACE -> PieceTexts.metaspace(text, mark, first);
            case WORD_PIECE -> PieceTexts.wordPiece(text, mark, first, tidy);
            case WORDS -> first ? text : " " + text;
            default -> text;
          });
    }
  }
}
