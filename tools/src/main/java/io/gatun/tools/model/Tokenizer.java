package io.gatun.tools.model;

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

  private Tokenizer(HuggingFaceTokenizer library, boolean inPieces) {
    this.library = library;
    this.inPieces = inPieces;
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
      return new Tokenizer(library, json.splitsAtLines());
    } catch (LinkageError e) {
      throw noLibrary(e);
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
   *     for instance; special tokens that the text itself spells out are recognised in any case
   * @throws GatunException if the text is too long for the heap
   */
  public int[] encode(String text, boolean addSpecials) {
    int[] ids = new int[Math.max(16, text.length() / 2)];
    int count = 0;
    boolean pieces = inPieces && (!addSpecials || specialsComeFirst());
    for (int from = 0; from == 0 || from < text.length(); ) {
      int to = pieces ? pieceEnd(text, from) : text.length();
      long[] piece = encodePiece(text.substring(from, to), addSpecials && from == 0);
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

  private long[] encodePiece(String text, boolean addSpecials) {
    long bytes = text.length() < 1 << 16 ? 0 : text.getBytes(StandardCharsets.UTF_8).length;
    if (bytes * HEAP_PER_BYTE > Runtime.getRuntime().maxMemory()) {
      throw new GatunException(
          "a text of %,d bytes takes up to %,d MB of heap to tokenize, and the limit is %,d MB; raise it with -Xmx, or give the text in smaller parts"
              .formatted(
                  bytes, bytes * HEAP_PER_BYTE >> 20, Runtime.getRuntime().maxMemory() >> 20));
    }
    return library.encode(text, addSpecials, false).getIds();
  }

  private boolean specialsComeFirst() {
    long[] with = library.encode("a", true, false).getIds();
    long[] without = library.encode("a", false, false).getIds();
    return with.length >= without.length
        && Arrays.equals(
            without, Arrays.copyOfRange(with, with.length - without.length, with.length));
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
   * The text of some tokens. Bytes that are no UTF-8 become U+FFFD.
   *
   * @param keepSpecials whether special tokens are spelt out; else they are left out
   */
  public String decode(int[] ids, int from, int count, boolean keepSpecials) {
    return library.decode(
        Arrays.stream(ids, from, from + count).asLongStream().toArray(), !keepSpecials);
  }

  /** Decodes token by token; see {@link TextStream}. */
  public TextStream stream() {
    return new TextStream((ids, from, count) -> decode(ids, from, count, false));
  }

  /** The id of a special token, or of one that stands for exactly this text; -1 if there is none. */
  public int idOf(String token) {
    long[] ids = library.encode(token, false, false).getIds();
    return ids.length == 1 ? Math.toIntExact(ids[0]) : -1;
  }

  /** Frees the library's part. */
  @Override
  public void close() {
    library.close();
  }
}
