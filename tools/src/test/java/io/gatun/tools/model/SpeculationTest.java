package io.gatun.tools.model;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.gatun.attention.Team;
import io.gatun.attention.TokenTree;
import io.gatun.cache.KvCache;
import io.gatun.cache.KvType;
import io.gatun.tools.safetensors.TensorType;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Random;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** Trees of drafts: verified together, each token has the bits that it has on its path alone. */
class SpeculationTest {
  @TempDir Path folder;

  private final Team team = Team.of(2);

  @AfterEach
  void closeTeam() {
    team.close();
  }

  static Stream<String> names() {
    return TinyModels.NAMES.stream();
  }

  private Model model(String name) {
    RandomCheckpoint.write(
        folder, TinyModels.config(name), TensorType.BF16, Long.MAX_VALUE, 7, written -> {});
    return Model.load(folder);
  }

  private static KvCache cache(Model model) {
    return KvCache.builder(model.kvShape()).type(KvType.F16).blockTokens(16).build();
  }

  private static float[] row(MemorySegment logits, int token, int vocab) {
    return logits.asSlice(4L * token * vocab, 4L * vocab).toArray(ValueLayout.JAVA_FLOAT);
  }

  @ParameterizedTest
  @MethodSource("names")
  void verifiedTokensHaveTheBitsOfTheirPath(String name) {
    TokenTree tree = TokenTree.of(-1, 0, 0, 1, 1, 2, -1, 5, 6, 7, 9);
    try (Model model = model(name);
        KvCache cache = cache(model);
        Decoder decoder = new Decoder(model, cache, team)) {
      int vocab = model.config().vocabSize();
      int[] context = new Random(1).ints(27, 0, vocab).toArray();
      int[] drafts = new Random(2).ints(tree.tokens(), 0, vocab).toArray();
      decoder.prefill(context, 0, context.length);
      MemorySegment logits = decoder.verify(drafts, tree);
      for (int token = 0; token < tree.tokens(); token++) {
        try (KvCache alone = cache.fork(context.length);
            Decoder plain = new Decoder(model, alone, team)) {
          float[] expected = null;
          for (int step : tree.path(token)) {
            expected = row(plain.decode(drafts[step]), 0, vocab);
          }
          assertThat(row(logits, token, vocab)).as("token %d", token).isEqualTo(expected);
        }
      }
      // The longest path is accepted, and what comes behind it is as if nothing else had been read.
      decoder.accept(tree.path(10));
      float[] next = row(decoder.decode(3), 0, vocab);
      try (KvCache alone = cache.fork(context.length);
          Decoder plain = new Decoder(model, alone, team)) {
        for (int step : tree.path(10)) {
          plain.decode(drafts[step]);
        }
        assertThat(row(plain.decode(3), 0, vocab)).isEqualTo(next);
      }
    }
  }

  /** Greedy decoding, one token a step. */
  private static int[] greedy(Decoder decoder, int[] prompt, int count) {
    int vocab = decoder.model().config().vocabSize();
    int[] text = Arrays.copyOf(prompt, prompt.length + count);
    MemorySegment logits = decoder.prefill(prompt, 0, prompt.length);
    for (int i = prompt.length; i < text.length; i++) {
      text[i] = best(row(logits, 0, vocab));
      logits = decoder.decode(text[i]);
    }
    return text;
  }

  private static int best(float[] logits) {
    int best = 0;
    for (int i = 1; i < logits.length; i++) {
      best = logits[i] > logits[best] ? i : best;
    }
    return best;
  }

  /**
   * Greedy decoding that takes for drafts what followed the last token where it stood before in the
   * text ("prompt lookup"), up to three such places at a time.
   */
  private static final class Lookup {
    private static final int PLACES = 3;
    private static final int LENGTH = 4;

    final Decoder decoder;
    final int[] text;
    int length;
    int steps;

    Lookup(Decoder decoder, int[] prompt, int count) {
      this.decoder = decoder;
      this.text = Arrays.copyOf(prompt, prompt.length + count);
      this.length = prompt.length;
    }

    int[] run() {
      int vocab = decoder.model().config().vocabSize();
      text[length] = best(row(decoder.prefill(text, 0, length), 0, vocab));
      length++;
      while (length < text.length) {
        // Token 0 is certain, but not read yet; the drafts follow it.
        List<Integer> ids = new ArrayList<>(List.of(text[length - 1]));
        List<Integer> parents = new ArrayList<>(List.of(-1));
        propose(ids, parents);
        int[] drafts = ids.stream().mapToInt(Integer::intValue).toArray();
        TokenTree tree = TokenTree.of(parents.stream().mapToInt(Integer::intValue).toArray());
        MemorySegment logits = decoder.verify(drafts, tree);
        steps++;
        int at = 0;
        int next = best(row(logits, 0, vocab));
        for (int child = child(tree, drafts, at, next); child > 0 && length < text.length - 1; ) {
          text[length++] = next;
          at = child;
          next = best(row(logits, at, vocab));
          child = child(tree, drafts, at, next);
        }
        decoder.accept(tree.path(at));
        text[length++] = next;
      }
      decoder.decode(text[length - 1]);
      return text;
    }

    private void propose(List<Integer> ids, List<Integer> parents) {
      int places = 0;
      for (int i = length - 2; i >= 0 && places < PLACES; i--) {
        if (text[i] == text[length - 1]) {
          places++;
          int parent = 0;
          for (int j = i + 1; j < length && j <= i + LENGTH; j++) {
            ids.add(text[j]);
            parents.add(parent);
            parent = ids.size() - 1;
          }
        }
      }
    }

    private static int child(TokenTree tree, int[] drafts, int parent, int id) {
      for (int i = parent + 1; i < drafts.length; i++) {
        if (tree.parent(i) == parent && drafts[i] == id) {
          return i;
        }
      }
      return -1;
    }
  }

  @ParameterizedTest
  @MethodSource("names")
  void promptLookupGivesTheTextOfPlainDecoding(String name) {
    int count = 60;
    try (Model model = model(name);
        KvCache plainCache = cache(model);
        KvCache cache = cache(model);
        Decoder plain = new Decoder(model, plainCache, team);
        Decoder decoder = new Decoder(model, cache, team)) {
      int[] prompt = new Random(4).ints(23, 0, model.config().vocabSize()).toArray();
      int[] expected = greedy(plain, prompt, count);
      Lookup lookup = new Lookup(decoder, prompt, count);
      assertThat(lookup.run()).isEqualTo(expected);
      assertThat(cache.length()).isEqualTo(plainCache.length());
      System.out.printf("%s: %d tokens in %d steps%n", name, count, lookup.steps);
      if (name.equals("qwen2")) {
        // This one repeats itself, so drafts are accepted; otherwise nothing would be shown here.
        assertThat(lookup.steps).isLessThan(50);
      }
      int[] last = {expected[expected.length - 1]};
      float[] again = row(decoder.again(last[0]), 0, model.config().vocabSize());
      assertThat(again).isEqualTo(row(plain.again(last[0]), 0, model.config().vocabSize()));
    }
  }

  @Test
  void saysWhatComesFirst() {
    try (Model model = model("llama");
        KvCache cache = cache(model);
        Decoder decoder = new Decoder(model, cache, team, 4)) {
      decoder.decode(1);
      assertThatThrownBy(() -> decoder.verify(new int[] {1, 2}, TokenTree.chain(3)))
          .hasMessage("2 token ids for a tree of 3, in batches of up to 4");
      assertThatThrownBy(() -> decoder.verify(new int[5], TokenTree.chain(5)))
          .hasMessage("5 token ids for a tree of 5, in batches of up to 4");
      decoder.verify(new int[] {1, 2}, TokenTree.of(-1, -1));
      assertThatThrownBy(() -> decoder.decode(1))
          .isInstanceOf(IllegalStateException.class)
          .hasMessage("2 verified tokens were neither accepted nor dropped: call accept first");
      decoder.accept();
      decoder.decode(1);
      assertThat(cache.length()).isEqualTo(2);
    }
  }
}
