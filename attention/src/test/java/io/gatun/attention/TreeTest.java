package io.gatun.attention;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.gatun.cache.KvCache;
import io.gatun.cache.KvShape;
import io.gatun.cache.KvType;
import java.lang.foreign.MemorySegment;
import java.util.Arrays;
import java.util.List;
import java.util.Random;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** Token trees: each token gets, bit for bit, what it gets where only its path is in the cache. */
class TreeTest {
  static Stream<Kernels> makes() {
    return GqaAttentionTest.makes();
  }

  private static TokenTree random(Random random, int tokens) {
    int[] parents = new int[tokens];
    // Recent parents make deep trees, any make bushy ones.
    int reach = 1 + random.nextInt(tokens);
    for (int i = 0; i < tokens; i++) {
      parents[i] = Math.max(-1, i - 1 - random.nextInt(reach));
    }
    return TokenTree.of(parents);
  }

  private static List<AttentionOptions> options(AttentionOptions plain, Kernels kernels) {
    AttentionOptions mixed = plain.withWindow(5).withSinkTokens(3);
    return kernels instanceof ScalarKernels
        ? List.of(mixed)
        : List.of(plain, mixed, plain.withWindow(200), plain.withSoftCap(2));
  }

  @ParameterizedTest
  @MethodSource("makes")
  void eachTokenGetsWhatItsPathGetsAlone(Kernels kernels) {
    long seed = 20;
    int[][] heads = {{6, 2}, {2, 2}, {17, 1}};
    int[] contexts = {0, 1, 125, 128, 509, 1000};
    int[] sizes = {1, 2, 9, 40, 150};
    int next = 0;
    for (KvType type : Fixture.TYPES) {
      for (int[] pair : heads) {
        KvShape shape = new KvShape(1, pair[1], 48, 64);
        for (int context : contexts) {
          int tokens = sizes[next++ % sizes.length];
          try (Fixture f = new Fixture(seed++, shape, type, type, 32, pair[0]);
              Team team = Team.of(1 + next % 3)) {
            TokenTree tree = random(f.random, tokens);
            if (context > 0) {
              f.append(context);
            }
            List<AttentionOptions> all = options(f.options, kernels);
            check(f, tree, all.get(next % all.size()), kernels, team);
          }
        }
      }
    }
  }

  private static void check(
      Fixture f, TokenTree tree, AttentionOptions options, Kernels kernels, Team team) {
    KvShape shape = f.cache.shape();
    long context = f.cache.length();
    int tokens = tree.tokens();
    long keyRow = (long) shape.kvHeads() * shape.keyDim() * Float.BYTES;
    long valueRow = (long) shape.kvHeads() * shape.valueDim() * Float.BYTES;
    long qRow = (long) options.numHeads() * shape.keyDim() * Float.BYTES;
    long outRow = (long) options.numHeads() * shape.valueDim() * Float.BYTES;
    MemorySegment keys = f.gaussian(tokens * keyRow / Float.BYTES);
    MemorySegment values = f.gaussian(tokens * valueRow / Float.BYTES);
    MemorySegment q = f.queries(tokens);
    MemorySegment out = f.outputs(tokens);
    float[] sinks = new float[options.numHeads()];
    try (KvCache base = f.cache.fork(context);
        GqaAttention attention = GqaAttention.create(f.layout(), options, sinks, team, kernels)) {
      f.cache.append(0, keys, values, tokens);
      attention.prefillTree(f.cache.live(), 0, tree, q, out);
      double[] expected = ReferenceAttention.attend(f.cache.live(), 0, options, sinks, tree, q);
      assertThat(Fixture.error(expected, out)).as("%s, %s", tree, options).isLessThan(4e-6);
      MemorySegment single = f.outputs(1);
      for (int token = 0; token < tokens; token++) {
        try (KvCache alone = base.fork(context)) {
          for (int step : tree.path(token)) {
            alone.append(0, keys.asSlice(step * keyRow), values.asSlice(step * valueRow), 1);
            alone.advance(1);
          }
          attention.decode(alone.live(), 0, q.asSlice(token * qRow, qRow), single);
          assertThat(single.mismatch(out.asSlice(token * outRow, outRow)))
              .as("token %d of %s behind %d tokens, %s", token, tree, context, options)
              .isEqualTo(-1);
        }
      }
    }
  }

  @ParameterizedTest
  @MethodSource("makes")
  void aChainIsAPrefill(Kernels kernels) {
    KvShape shape = new KvShape(1, 2, 64, 64);
    try (Fixture f = new Fixture(4, shape, KvType.BF16, KvType.BF16, 64, 10);
        Team team = Team.of(2);
        GqaAttention attention = GqaAttention.create(f.layout(), f.options, team, kernels)) {
      f.append(700);
      for (int tokens : new int[] {1, 5, 64, 300, 700}) {
        MemorySegment q = f.queries(tokens);
        MemorySegment out = f.outputs(tokens);
        MemorySegment expected = f.outputs(tokens);
        attention.prefillTree(f.cache.live(), 0, TokenTree.chain(tokens), q, out);
        attention.prefill(f.cache.live(), 0, tokens, q, expected);
        assertThat(out.mismatch(expected)).as("%d tokens", tokens).isEqualTo(-1);
      }
    }
  }

  @Test
  void knowsItsPaths() {
    TokenTree tree = TokenTree.of(-1, 0, 0, 1, 1, 2, -1);
    assertThat(tree.tokens()).isEqualTo(7);
    assertThat(tree.path(5)).containsExactly(0, 2, 5);
    assertThat(tree.path(6)).containsExactly(6);
    assertThat(Arrays.stream(new int[] {0, 1, 2, 3, 4, 5, 6}).map(tree::depth))
        .containsExactly(0, 1, 1, 2, 2, 2, 0);
    assertThat(tree.sees(4, 1)).isTrue();
    assertThat(tree.sees(4, 4)).isTrue();
    assertThat(tree.sees(4, 2)).isFalse();
    assertThat(tree.sees(1, 4)).isFalse();
    assertThat(tree.sees(6, 0)).isFalse();
    assertThat(tree.parent(5)).isEqualTo(2);
    assertThat(tree).hasToString("tree of 7 tokens, parents [-1, 0, 0, 1, 1, 2, -1]");
  }

  @Test
  void namesWhatIsNotATree() {
    assertThatThrownBy(() -> TokenTree.of()).hasMessage("a tree of no tokens");
    assertThatThrownBy(() -> TokenTree.of(-1, 2, 1))
        .hasMessage("the parent of token 1 is 2: a parent must come before its children");
    assertThatThrownBy(() -> TokenTree.of(0))
        .hasMessage("the parent of token 0 is 0: a parent must come before its children");
    assertThatThrownBy(() -> TokenTree.of(-1, -2))
        .hasMessage(
            "the parent of token 1 is -2, not -1 (it follows the sequence) or a token before it");
    assertThatThrownBy(() -> TokenTree.of(-1, 7))
        .hasMessage(
            "the parent of token 1 is 7, not -1 (it follows the sequence) or a token before it");
    KvShape shape = new KvShape(1, 2, 64, 64);
    try (Fixture f = new Fixture(4, shape, KvType.F32, KvType.F32, 64, 2);
        Team team = Team.of(1);
        GqaAttention attention = GqaAttention.create(f.layout(), f.options, team)) {
      f.append(4);
      MemorySegment q = f.queries(5);
      MemorySegment out = f.outputs(5);
      assertThatThrownBy(() -> attention.prefillTree(f.cache.live(), 0, TokenTree.chain(5), q, out))
          .hasMessageStartingWith("layer 0 has 4 tokens, not the 5 that attend");
    }
  }
}
