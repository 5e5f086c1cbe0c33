package io.gatun.tools.text;

import ai.djl.huggingface.tokenizers.HuggingFaceTokenizer;
import io.gatun.cache.GatunException;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;

/**
 * Text to token ids and back, as {@code tokenizer.json} says, by the Hugging Face tokenizers library.
 * Makes no network connection. Any thread.
 */
public final class Tokenizer implements AutoCloseable {
  /** Long texts are encoded in pieces of about this many characters, where that changes nothing. */
  private static final int PIECE_CHARS = 1 << 16;

  /** Heap that the library takes for each byte of a piece, at worst. */
  private static final long HEAP_PER_BYTE = 160;

  static {
    // Without it the library asks the network for usage statistics and files.
    System.setProperty("ai.djl.offline", "true");
  }

  private final HuggingFaceTokenizer library;
  private final boolean inPieces;
  private final TokenTexts texts;

  /** Null for a decoder that has to see all tokens at once. */
  private final Detokenizer detokenizer;

  private final SurroundingTokens surrounding;
  private final int endId;

  private Tokenizer(HuggingFaceTokenizer library, TokenizerFile file, TokenizerConfig config) {
    this.library = library;
    this.inPieces = file.splitsAtLines();
    this.texts = file.texts();
    this.detokenizer = Detokenizer.of(file);
    String end = config.special("eos_token");
    this.endId = end == null ? -1 : texts.idOf(end);
    this.surrounding =
        SurroundingTokens.of(
            library.encode("a", true, false).getIds(),
            library.encode("a", false, false).getIds(),
            config,
            texts);
  }

  /**
   * Opens the tokenizer of a model folder.
   *
   * @throws GatunException if {@code tokenizer.json} is missing or wrong, or the library's native
   *     part cannot be loaded
   */
  public static Tokenizer load(Path folder) {
    Path file = folder.resolve("tokenizer.json");
    if (!Files.exists(file)) {
      boolean older = Files.exists(folder.resolve("tokenizer.model"));
      throw new GatunException(
          "%s is not there%s; download the whole folder, or one of the model's versions that has it"
              .formatted(file, older ? ", and Gatun does not read the older tokenizer.model" : ""));
    }
    // The library's own message for broken JSON names no file.
    TokenizerFile json = TokenizerFile.read(file);
    try {
      HuggingFaceTokenizer library =
          HuggingFaceTokenizer.builder()
              .optTokenizerPath(folder)
              .optTruncation(false)
              .optPadding(false)
              .build();
      return new Tokenizer(library, json, TokenizerConfig.read(folder));
    } catch (LinkageError e) {
      throw noLibrary(e);
    } catch (GatunException e) {
      throw e;
    } catch (IOException | RuntimeException e) {
      if (e.getCause() instanceof LinkageError || e.getCause() instanceof IOException) {
        throw noLibrary(e);
      }
      throw new GatunException(
          "%s is not one that the tokenizers library reads (%s); download it again"
              .formatted(file, e.getMessage()),
          e);
    }
  }

  private static GatunException noLibrary(Throwable e) {
    Throwable cause = e;
    while (cause.getCause() != null) {
      cause = cause.getCause();
    }
    return new GatunException(
        "the native part of the tokenizers library cannot be loaded on %s %s: %s; it is unpacked to the folder that DJL_CACHE_DIR names (%s), which must be writable"
            .formatted(
                System.getProperty("os.name"),
                System.getProperty("os.arch"),
                cause.getMessage(),
                System.getenv().getOrDefault("DJL_CACHE_DIR", "by default ~/.djl.ai")),
        e);
  }

  /**
   * The token ids of a text.
   *
   * @param addSpecials whether to add what the tokenizer puts around a text, a begin-of-text token
   *     for instance, as its file says and {@code add_bos_token} and {@code add_eos_token} of
   *     {@code tokenizer_config.json}; special tokens that the text itself spells out are
   *     recognised in any case
   * @throws GatunException if the text is too long for the heap
   */
  public int[] encode(String text, boolean addSpecials) {
    int[] bare = encodeBare(text);
    return addSpecials ? surrounding.around(bare) : bare;
  }

  /**
   * The token ids of two texts, encoded apart: the first has the same ids whatever follows.
   *
   * @param addSpecials whether to add what the tokenizer puts around a text
   */
  public int[] encode(String first, String second, boolean addSpecials) {
    int[] front = first.isEmpty() ? new int[0] : encodeBare(first);
    int[] rest = second.isEmpty() ? new int[0] : encodeBare(second);
    int[] both = Arrays.copyOf(front, front.length + rest.length);
    System.arraycopy(rest, 0, both, front.length, rest.length);
    return addSpecials && both.length > 0 ? surrounding.around(both) : both;
  }

  private int[] encodeBare(String text) {
    int[] ids = new int[Math.max(16, text.length() / 2)];
    int count = 0;
    for (int from = 0; from == 0 || from < text.length(); ) {
      int to = inPieces ? pieceEnd(text, from) : text.length();
      long[] piece = encodePiece(text.substring(from, to));
      if (ids.length - count < piece.length) {
        ids = Arrays.copyOf(ids, Math.max(count + piece.length, ids.length + (ids.length >> 1)));
      }
      for (long id : piece) {
        ids[count++] = Math.toIntExact(id);
      }
      from = Math.max(to, 1);
    }
    return Arrays.copyOf(ids, count);
  }

  private long[] encodePiece(String text) {
    long bytes = text.length() < 1 << 16 ? 0 : text.getBytes(StandardCharsets.UTF_8).length;
    if (bytes * HEAP_PER_BYTE > Runtime.getRuntime().maxMemory()) {
      throw new GatunException(
          "a text of %,d bytes takes up to %,d MB of heap to tokenize, and the limit is %,d MB; raise it with -Xmx, or give the text in smaller parts"
              .formatted(
                  bytes, bytes * HEAP_PER_BYTE >> 20, Runtime.getRuntime().maxMemory() >> 20));
    }
    return library.encode(text, false, false).getIds();
  }

  /** The first place for a cut behind {@code PIECE_CHARS} characters: x, line break, | letter. */
  private static int pieceEnd(String text, int from) {
    for (int i = from + PIECE_CHARS; i < text.length() - 1; i++) {
      if (text.charAt(i - 1) == '\n'
          && !Character.isWhitespace(text.charAt(i - 2))
          && Character.isLetter(text.charAt(i))) {
        return i;
      }
    }
    return text.length();
  }

  /**
   * The text of some tokens, as if nothing stood before them. Bytes that are no UTF-8 become U+FFFD.
   *
   * @param keepSpecials whether special tokens are spelt out; else they are left out
   */
  public String decode(int[] ids, int from, int count, boolean keepSpecials) {
    TextStream stream = stream(keepSpecials);
    StringBuilder text = new StringBuilder();
    for (int i = from; i < from + count; i++) {
      text.append(stream.next(ids[i]));
    }
    return text.append(stream.end()).toString();
  }

  /** Decodes token by token, special tokens left out; see {@link TextStream}. */
  public TextStream stream() {
    return stream(false);
  }

  private TextStream stream(boolean keepSpecials) {
    return new TextStream(
        detokenizer == null
            ? new WholeText(ids -> library.decode(ids, !keepSpecials))
            : detokenizer.begin(keepSpecials));
  }

  /** The id of the token that stands for exactly this text; -1 if there is none. */
  public int idOf(String token) {
    return texts.idOf(token);
  }

  /** The id of the token that ends a text by the tokenizer's own word; -1 if it names none. */
  public int endId() {
    return endId;
  }

  /** Frees the library's part. */
  @Override
  public void close() {
    library.close();
  }
}
