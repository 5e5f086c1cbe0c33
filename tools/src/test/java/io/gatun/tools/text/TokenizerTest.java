package io.gatun.tools.text;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.gatun.cache.GatunException;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Map;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class TokenizerTest {
  private static final String TEXT = "Gatún: 7 € für 😀, a\u0000b\r\n\tとち‍🏽";

  @TempDir Path folder;

  private Tokenizer bytes() {
    ByteTokenizerFile.write(folder, Map.of("<|end|>", 256));
    return Tokenizer.load(folder);
  }

  private static int[] utf8(String text) {
    byte[] bytes = text.getBytes(StandardCharsets.UTF_8);
    int[] ids = new int[bytes.length];
    for (int i = 0; i < ids.length; i++) {
      ids[i] = bytes[i] & 0xff;
    }
    return ids;
  }

  @Test
  void theByteTokenizerGivesBytes() {
    try (Tokenizer tokenizer = bytes()) {
      assertThat(tokenizer.encode(TEXT, false)).isEqualTo(utf8(TEXT));
      assertThat(tokenizer.decode(utf8(TEXT), 0, utf8(TEXT).length, false)).isEqualTo(TEXT);
      assertThat(tokenizer.encode("", true)).isEmpty();
      assertThat(tokenizer.encode("a<|end|>b", false)).containsExactly('a', 256, 'b');
      assertThat(tokenizer.decode(new int[] {'a', 256, 'b'}, 0, 3, false)).isEqualTo("ab");
      assertThat(tokenizer.decode(new int[] {'a', 256, 'b'}, 1, 2, true)).isEqualTo("<|end|>b");
      assertThat(tokenizer.idOf("<|end|>")).isEqualTo(256);
      assertThat(tokenizer.idOf("ab")).isEqualTo(-1);
    }
  }

  @Test
  void aStreamNeverGivesHalfACharacter() {
    try (Tokenizer tokenizer = bytes()) {
      TextStream stream = tokenizer.stream();
      StringBuilder text = new StringBuilder();
      for (int id : utf8(TEXT)) {
        String next = stream.next(id);
        assertThat(next).doesNotContain("\uFFFD");
        assertThat(next.codePointCount(0, next.length())).isLessThanOrEqualTo(1);
        text.append(next);
      }
      assertThat(text.append(stream.end())).hasToString(TEXT);
    }
  }

  @Test
  void aStreamOfAnyBytesGivesWhatDecodingThemAtOnceGives() {
    try (Tokenizer tokenizer = bytes()) {
      Random random = new Random(8);
      for (int trial = 0; trial < 50; trial++) {
        int[] ids = random.ints(300, 0, trial % 2 == 0 ? 256 : 512).map(i -> i % 256).toArray();
        if (trial % 5 == 0) {
          ids = utf8("\uFFFD\uFFFDx\uFFFD".repeat(20));
        }
        TextStream stream = tokenizer.stream();
        StringBuilder text = new StringBuilder();
        for (int id : ids) {
          text.append(stream.next(id));
        }
        text.append(stream.end());
        assertThat(text)
            .as("trial %d", trial)
            .hasToString(tokenizer.decode(ids, 0, ids.length, false));
      }
    }
  }

  /** A byte-level BPE with merges and the pattern of Llama 3, as in real tokenizer files. */
  private void writeBpe(String preTokenizer) throws IOException {
    StringBuilder vocab = new StringBuilder();
    for (int b = 0; b < 256; b++) {
      String spelt = String.valueOf(ByteLevel.character(b));
      spelt = spelt.equals("\"") || spelt.equals("\\") ? "\\" + spelt : spelt;
      vocab.append("\"%s\":%d,".formatted(spelt, b));
    }
    Files.writeString(
        folder.resolve("tokenizer.json"),
        """
        {"version":"1.0","truncation":null,"padding":null,
         "added_tokens":[{"id":262,"content":"<s>","single_word":false,"lstrip":false,
           "rstrip":false,"normalized":false,"special":true}],
         "normalizer":null,"pre_tokenizer":%s,
         "post_processor":{"type":"TemplateProcessing","single":[
           {"SpecialToken":{"id":"<s>","type_id":0}},{"Sequence":{"id":"A","type_id":0}}],
           "pair":[{"Sequence":{"id":"A","type_id":0}},{"Sequence":{"id":"B","type_id":1}}],
           "special_tokens":{"<s>":{"id":"<s>","ids":[262],"tokens":["<s>"]}}},
         "decoder":{"type":"ByteLevel","add_prefix_space":true,"trim_offsets":true,"use_regex":true},
         "model":{"type":"BPE","dropout":null,"unk_token":null,"continuing_subword_prefix":null,
           "end_of_word_suffix":null,"fuse_unk":false,"byte_fallback":false,
           "vocab":{%s"th":256,"the":257,"ĊĊ":258,".Ċ":259,"Ġt":260,"Ġth":261,"Ġthe":263},
           "merges":["t h","th e","Ċ Ċ",". Ċ","Ġ t","Ġt h","Ġth e"]}}
        """
            .formatted(preTokenizer, vocab));
  }

  @Test
  void longTextsInPiecesHaveTheIdsOfTheWhole() throws IOException {
    String llama3 =
        """
        {"type":"Sequence","pretokenizers":[{"type":"Split","pattern":{"Regex":
        "(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\\\r\\\\n\\\\p{L}\\\\p{N}]?\\\\p{L}+|\\\\p{N}{1,3}| ?[^\\\\s\\\\p{L}\\\\p{N}]+[\\\\r\\\\n]*|\\\\s*[\\\\r\\\\n]+|\\\\s+(?!\\\\S)|\\\\s+"},
        "behavior":"Isolated","invert":false},
        {"type":"ByteLevel","add_prefix_space":false,"trim_offsets":true,"use_regex":false}]}
        """;
    String gpt2 =
        "{\"type\":\"ByteLevel\",\"add_prefix_space\":false,\"trim_offsets\":true,\"use_regex\":true}";
    String text = text(200_000);
    for (String pattern : new String[] {llama3, gpt2}) {
      writeBpe(pattern);
      try (Tokenizer tokenizer = Tokenizer.load(folder)) {
        int[] ids = tokenizer.encode(text, true);
        assertThat(tokenizer.decode(ids, 0, ids.length, false)).isEqualTo(text);
        // The library itself, on the whole text.
        try (var library =
            ai.djl.huggingface.tokenizers.HuggingFaceTokenizer.builder()
                .optTokenizerPath(folder)
                .optTruncation(false)
                .build()) {
          long[] whole = library.encode(text, true, false).getIds();
          assertThat(whole[0]).isEqualTo(262);
          assertThat(ids)
              .isEqualTo(java.util.Arrays.stream(whole).mapToInt(i -> (int) i).toArray());
        }
      }
    }
  }

  @Test
  void whatMattersOfTheFileIsFound() throws IOException {
    ByteTokenizerFile.write(folder, Map.of());
    TokenizerFile bytes = TokenizerFile.read(folder.resolve("tokenizer.json"));
    assertThat(bytes.merges()).isFalse();
    assertThat(bytes.normalizes()).isFalse();
    assertThat(bytes.splitsAtLines()).isTrue();
    writeBpe("{\"type\":\"ByteLevel\",\"add_prefix_space\":false,\"use_regex\":false}");
    TokenizerFile joined = TokenizerFile.read(folder.resolve("tokenizer.json"));
    assertThat(joined.merges()).isTrue();
    assertThat(joined.splitsAtLines()).isFalse();
    Files.writeString(
        folder.resolve("tokenizer.json"),
        "{\"model\":{\"merges\":[[\"a\",\"b\"],[\"c\",\"d\"]],\"vocab\":{\"a\":{\"merges\":[]}}},"
            + "\"normalizer\":{\"type\":\"NFC\"},\"pre_tokenizer\":null}");
    TokenizerFile nested = TokenizerFile.read(folder.resolve("tokenizer.json"));
    assertThat(nested.preTokenizer()).isEmpty();
    assertThat(nested.normalizes()).isTrue();
    assertThat(nested.merges()).isTrue();
  }

  private static String text(int chars) {
    String[] words = {
      "the", " the", "\n", "\n\n", ".\n", " ", "  \n", "x", "ö", " 12", "\t", "the\n"
    };
    Random random = new Random(2);
    StringBuilder text = new StringBuilder();
    while (text.length() < chars) {
      text.append(words[random.nextInt(words.length)]);
    }
    return text.toString();
  }

  @Test
  void missingAndWrongFilesAreRefused() throws IOException {
    assertThatThrownBy(() -> Tokenizer.load(folder))
        .isInstanceOf(GatunException.class)
        .hasMessageContaining("tokenizer.json is not there");
    Files.write(folder.resolve("tokenizer.model"), new byte[3]);
    assertThatThrownBy(() -> Tokenizer.load(folder))
        .hasMessageContaining("does not read the older tokenizer.model");
    Files.writeString(folder.resolve("tokenizer.json"), "{\"model\":");
    assertThatThrownBy(() -> Tokenizer.load(folder))
        .isInstanceOf(GatunException.class)
        .hasMessageContaining("not valid JSON");
    Files.writeString(folder.resolve("tokenizer.json"), "{\"model\":{\"type\":\"Nonesuch\"}}");
    assertThatThrownBy(() -> Tokenizer.load(folder))
        .isInstanceOf(GatunException.class)
        .hasMessageContaining("tokenizer.json is not one that the tokenizers library reads");
  }
}
