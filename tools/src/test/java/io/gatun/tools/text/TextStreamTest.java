package io.gatun.tools.text;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import ai.djl.huggingface.tokenizers.HuggingFaceTokenizer;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.function.IntFunction;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Any tokens, cut anywhere, each part in a stream of its own: together they are the whole. */
class TextStreamTest {
  private static final ObjectMapper JSON = new ObjectMapper();
  private static final int TRIALS = Integer.getInteger("gatun.text.trials", 2000);
  private static final String CHARACTERS = "añ€😀水とち‍🏽 \uFFFD";

  @TempDir Path folder;

  private static final String LLAMA2 =
      """
      {"type":"Sequence","decoders":[
       {"type":"Replace","pattern":{"String":"▁"},"content":" "},{"type":"ByteFallback"},
       {"type":"Fuse"},{"type":"Strip","content":" ","start":1,"stop":0}]}
      """;

  private static final String GEMMA =
      """
      {"type":"Sequence","decoders":[
       {"type":"Replace","pattern":{"String":"▁"},"content":" "},{"type":"ByteFallback"},
       {"type":"Fuse"}]}
      """;

  /** A vocabulary: two specials, the 256 bytes, and pieces. */
  private Tokenizer write(String model, String decoder, IntFunction<String> bytes, String... pieces)
      throws IOException {
    ObjectNode root = JSON.createObjectNode();
    root.put("version", "1.0").putNull("truncation").putNull("padding");
    for (int id = 0; id < 2; id++) {
      root.withArray("added_tokens")
          .addObject()
          .put("id", id)
          .put("content", id == 0 ? "<s>" : "</s>")
          .put("single_word", false)
          .put("lstrip", false)
          .put("rstrip", false)
          .put("normalized", false)
          .put("special", true);
    }
    root.putNull("normalizer").putNull("pre_tokenizer").putNull("post_processor");
    root.set("decoder", decoder == null ? null : JSON.readTree(decoder));
    ObjectNode parts = (ObjectNode) JSON.readTree(model);
    ObjectNode vocab = parts.putObject("vocab");
    vocab.put("<s>", 0).put("</s>", 1);
    for (int value = 0; value < 256; value++) {
      vocab.put(bytes.apply(value), 2 + value);
    }
    for (int i = 0; i < pieces.length; i++) {
      vocab.put(pieces[i], 258 + i);
    }
    root.set("model", parts);
    JSON.writeValue(folder.resolve("tokenizer.json").toFile(), root);
    return Tokenizer.load(folder);
  }

  private static final String BPE =
      "{\"type\":\"BPE\",\"merges\":[],\"byte_fallback\":true,\"unk_token\":null}";
  private static final String WORD_PIECE =
      "{\"type\":\"WordPiece\",\"unk_token\":\"<s>\",\"continuing_subword_prefix\":\"##\",\"max_input_chars_per_word\":100}";
  private static final String WORD_LEVEL = "{\"type\":\"WordLevel\",\"unk_token\":\"<s>\"}";
  private static final String[] PIECES = {
    "▁", "▁the", "he", "▁▁", "é", "▁😀", "水", ".", "▁,", "##ing", "##s", "n't", "'", "<0xZZ>"
  };

  private static String hex(int value) {
    return "<0x%02X>".formatted(value);
  }

  private static String plain(int value) {
    return "w" + value;
  }

  /** The streamed text of ids, cut at random places, each part in a stream of its own. */
  private static String inParts(Tokenizer tokenizer, int[] ids, Random random) {
    StringBuilder text = new StringBuilder();
    int from = 0;
    while (true) {
      int to = Math.min(ids.length, from + random.nextInt(8));
      TextStream stream = tokenizer.stream();
      stream.follow(Arrays.copyOf(ids, from));
      for (int i = from; i < to; i++) {
        text.append(stream.next(ids[i]));
      }
      from = to;
      if (from == ids.length && random.nextBoolean()) {
        return text.append(stream.end()).toString();
      }
    }
  }

  /** Random tokens, among them bytes that are characters and bytes that are none. */
  private static int[] random(Random random, int vocabulary, boolean onlyCharacters) {
    int[] ids = new int[random.nextInt(60)];
    int count = 0;
    while (count < ids.length) {
      int kind = random.nextInt(4);
      if (kind == 0 && !onlyCharacters) {
        ids[count++] = random.nextInt(vocabulary);
      } else if (kind == 1) {
        int id = random.nextInt(vocabulary);
        ids[count++] = id >= 2 && id < 258 ? 258 + id % (vocabulary - 258) : id;
      } else {
        int at = random.nextInt(CHARACTERS.codePointCount(0, CHARACTERS.length()));
        int c = CHARACTERS.codePointAt(CHARACTERS.offsetByCodePoints(0, at));
        byte[] utf8 = Character.toString(c).getBytes(StandardCharsets.UTF_8);
        if (onlyCharacters && utf8.length > ids.length - count) {
          return Arrays.copyOf(ids, count);
        }
        for (int i = 0; i < utf8.length && count < ids.length; i++) {
          ids[count++] = 2 + (utf8[i] & 0xff);
        }
      }
    }
    return ids;
  }

  private static String library(HuggingFaceTokenizer library, int[] ids) {
    return library.decode(Arrays.stream(ids).asLongStream().toArray(), true);
  }

  /** The property; {@code any} bytes are compared too where the library takes them one by one. */
  private void holds(String name, Tokenizer tokenizer, boolean any) throws IOException {
    int vocabulary = 258 + PIECES.length;
    Random random = new Random(name.hashCode());
    int parts = 0;
    try (tokenizer;
        HuggingFaceTokenizer library =
            HuggingFaceTokenizer.builder().optTokenizerPath(folder).build()) {
      for (int trial = 0; trial < TRIALS; trial++) {
        boolean onlyCharacters = trial % 2 == 0;
        int[] ids = random(random, vocabulary, onlyCharacters);
        String whole = tokenizer.decode(ids, 0, ids.length, false);
        String as = name + " trial " + trial + " " + Arrays.toString(ids);
        assertThat(inParts(tokenizer, ids, random)).as(as).isEqualTo(whole);
        if (onlyCharacters || any) {
          assertThat(whole).as(as).isEqualTo(library(library, ids));
          parts++;
        }
      }
    }
    System.out.printf(
        "TextStreamTest %s: %d texts cut at random, %d of them compared with the library%n",
        name, TRIALS, parts);
  }

  @Test
  void byteLevel() throws IOException {
    String decoder =
        "{\"type\":\"ByteLevel\",\"add_prefix_space\":true,\"trim_offsets\":true,\"use_regex\":true}";
    holds(
        "byte-level", write(BPE, decoder, value -> "" + ByteLevel.character(value), PIECES), true);
  }

  @Test
  void byteFallbackWithAStrippedFront() throws IOException {
    holds("llama 2", write(BPE, LLAMA2, TextStreamTest::hex, PIECES), false);
  }

  @Test
  void byteFallback() throws IOException {
    holds("gemma", write(BPE, GEMMA, TextStreamTest::hex, PIECES), false);
  }

  @Test
  void wordPiece() throws IOException {
    for (boolean cleanup : new boolean[] {true, false}) {
      String decoder =
          "{\"type\":\"WordPiece\",\"prefix\":\"##\",\"cleanup\":%s}".formatted(cleanup);
      holds(
          "word pieces " + cleanup,
          write(WORD_PIECE, decoder, TextStreamTest::plain, PIECES),
          true);
    }
  }

  @Test
  void words() throws IOException {
    holds("words", write(WORD_LEVEL, null, TextStreamTest::plain, PIECES), true);
  }

  @Test
  void metaspace() throws IOException {
    for (String scheme : List.of("always", "first", "never")) {
      String decoder =
          "{\"type\":\"Metaspace\",\"replacement\":\"▁\",\"prepend_scheme\":\"%s\",\"split\":true}"
              .formatted(scheme);
      holds("metaspace " + scheme, write(BPE, decoder, TextStreamTest::plain, PIECES), true);
    }
  }

  @Test
  void decodersThatNeedAllTokensAreAskedForAllOfThem() throws IOException {
    String decoder =
        "{\"type\":\"CTC\",\"pad_token\":\"<s>\",\"word_delimiter_token\":\"▁\",\"cleanup\":false}";
    try (Tokenizer tokenizer = write(WORD_LEVEL, decoder, TextStreamTest::plain, PIECES)) {
      int[] ids = {100, 100, 258, 101, 101, 102};
      Random random = new Random(1);
      assertThat(inParts(tokenizer, ids, random)).isEqualTo("w98▁w99w100");
    }
  }

  @Test
  void brokenBytesCostThemselvesAlone() throws IOException {
    try (Tokenizer tokenizer = write(BPE, LLAMA2, TextStreamTest::hex, PIECES)) {
      ByteArrayOutputStream bytes = new ByteArrayOutputStream();
      bytes.writeBytes("水門".getBytes(StandardCharsets.UTF_8));
      bytes.write(0xff);
      bytes.writeBytes("é".getBytes(StandardCharsets.UTF_8));
      int[] ids = new int[bytes.size()];
      for (int i = 0; i < ids.length; i++) {
        ids[i] = 2 + (bytes.toByteArray()[i] & 0xff);
      }
      assertThat(tokenizer.decode(ids, 0, ids.length, false)).isEqualTo("水門\uFFFDé");
      TextStream stream = tokenizer.stream();
      for (int i = 0; i < 5; i++) {
        assertThat(stream.next(ids[i])).isEqualTo(i == 2 ? "水" : "");
      }
      assertThat(stream.end()).isEqualTo("\uFFFD");
    }
  }

  @Test
  void aContinuationKeepsItsLeadingBlank() throws IOException {
    try (Tokenizer tokenizer = write(BPE, LLAMA2, TextStreamTest::hex, PIECES)) {
      int the = tokenizer.idOf("▁the");
      assertThat(tokenizer.decode(new int[] {0, the, the}, 0, 3, false)).isEqualTo("the the");
      TextStream stream = tokenizer.stream();
      stream.follow(0, the);
      assertThat(stream.next(the)).isEqualTo(" the");
    }
  }

  @Test
  void aTrainedVocabularyOfStories() throws IOException {
    Path stories =
        Path.of(System.getProperty("gatun.shared", "../../shared"), "models", "stories260K");
    boolean there = Files.exists(stories.resolve("tokenizer.json"));
    if (!there) {
      System.out.println("SKIPPED: " + stories.toAbsolutePath() + " is not there");
    }
    assumeTrue(there, "the stories260K model is not there");
    int[] ids = JSON.readValue(stories.resolve("greedy.json").toFile(), int[].class);
    try (Tokenizer tokenizer = Tokenizer.load(stories);
        HuggingFaceTokenizer library =
            HuggingFaceTokenizer.builder().optTokenizerPath(stories).build()) {
      String whole = library(library, ids);
      assertThat(tokenizer.decode(ids, 0, ids.length, false)).isEqualTo(whole);
      for (int seed = 0; seed < 20; seed++) {
        assertThat(inParts(tokenizer, ids, new Random(seed))).isEqualTo(whole);
      }
      int[] again = tokenizer.encode("Once 水 upon", true);
      assertThat(again[0]).isEqualTo(1);
      assertThat(tokenizer.decode(again, 0, again.length, false)).isEqualTo("Once 水 upon");
    }
  }

  @Test
  void tokensAroundATextAreWhatTheFolderSays() throws IOException {
    ByteTokenizerFile.write(folder, Map.of("<s>", 256, "</s>", 257));
    Path config = folder.resolve("tokenizer_config.json");
    String names = "\"bos_token\":\"<s>\",\"eos_token\":{\"content\":\"</s>\"}";
    for (String[] each :
        new String[][] {
          {"", "97"},
          {",\"add_bos_token\":true", "256 97"},
          {",\"add_bos_token\":true,\"add_eos_token\":true", "256 97 257"},
          {",\"add_bos_token\":false,\"add_eos_token\":null", "97"}
        }) {
      Files.writeString(config, "{" + names + each[0] + "}");
      try (Tokenizer tokenizer = Tokenizer.load(folder)) {
        assertThat(tokenizer.encode("a", true))
            .isEqualTo(Arrays.stream(each[1].split(" ")).mapToInt(Integer::parseInt).toArray());
        assertThat(tokenizer.encode("a", false)).containsExactly('a');
        assertThat(tokenizer.encode("a", "b", true)).contains('a', 'b');
        assertThat(tokenizer.endId()).isEqualTo(257);
      }
    }
    Files.writeString(config, "{\"add_bos_token\":true}");
    assertThatThrownBy(() -> Tokenizer.load(folder))
        .hasMessageContaining("wants add_bos_token, but it names no bos_token");
  }
}
