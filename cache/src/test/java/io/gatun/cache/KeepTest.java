package io.gatun.cache;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.lang.foreign.MemorySegment;
import java.util.Arrays;
import java.util.List;
import java.util.Random;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** What is kept of a batch of drafts stands in the cache as if nothing else had been appended. */
class KeepTest {
  private static final KvShape SHAPE = new KvShape(2, 2, 64, 64);
  private static final int ROW = SHAPE.kvHeads() * SHAPE.keyDim();

  private final Random random = new Random(3);

  private static KvCache cache(KvType type) {
    return KvCache.builder(SHAPE).type(type).blockTokens(16).build();
  }

  /** Rows of so many tokens, {@code [tokens][layers][keys, values][kvHeads][dim]}. */
  private float[][] tokens(int count) {
    float[][] tokens = new float[count][SHAPE.layers() * 2 * ROW];
    for (float[] token : tokens) {
      for (int i = 0; i < token.length; i++) {
        token[i] = (float) random.nextGaussian();
      }
    }
    return tokens;
  }

  private static void append(KvCache cache, List<float[]> tokens) {
    for (int layer = 0; layer < SHAPE.layers(); layer++) {
      for (float[] token : tokens) {
        MemorySegment rows = MemorySegment.ofArray(token);
        long at = layer * 2L * ROW * Float.BYTES;
        cache.append(layer, rows.asSlice(at), rows.asSlice(at + (long) ROW * Float.BYTES), 1);
      }
    }
  }

  @ParameterizedTest
  @EnumSource(KvType.class)
  void acceptedRowsStandWhereTheyWouldStandAlone(KvType type) {
    // Block borders lie before, within and behind the drafts.
    for (int before : new int[] {0, 1, 10, 15, 16, 31}) {
      for (int drafts : new int[] {1, 2, 7, 40}) {
        try (KvCache cache = cache(type);
            KvCache plain = cache(type)) {
          List<float[]> context = List.of(tokens(before));
          List<float[]> tree = List.of(tokens(drafts));
          List<float[]> next = List.of(tokens(5));
          int[] accepted = IntStream.range(0, drafts).filter(i -> random.nextInt(3) > 0).toArray();
          for (KvCache both : List.of(cache, plain)) {
            append(both, context);
            both.keep(IntStream.range(0, before).toArray());
          }
          append(cache, tree);
          cache.keep(accepted);
          assertThat(cache.length()).isEqualTo(before + accepted.length);
          append(cache, next);
          cache.advance(5);
          append(plain, Arrays.stream(accepted).mapToObj(tree::get).toList());
          append(plain, next);
          plain.advance(accepted.length + 5);
          same(cache.live(), plain.live());
        }
      }
    }
  }

  private static void same(KvView a, KvView b) {
    assertThat(a.length()).isEqualTo(b.length());
    assertThat(a.runs()).isEqualTo(b.runs());
    for (int run = 0; run < a.runs(); run++) {
      assertThat(a.runTokens(run)).isEqualTo(b.runTokens(run));
      int at = run;
      a.layout()
          .forEachPiece(
              0,
              a.runTokens(run),
              (inKeys, offset, bytes) ->
                  assertThat(
                          MemorySegment.mismatch(
                              inKeys ? a.keys(at) : a.values(at),
                              offset,
                              offset + bytes,
                              inKeys ? b.keys(at) : b.values(at),
                              offset,
                              offset + bytes))
                      .isEqualTo(-1));
    }
  }

  @Test
  void whatViewsAndForksWerePromisedStays() {
    try (KvCache cache = cache(KvType.F32)) {
      append(cache, List.of(tokens(20)));
      cache.advance(20);
      try (KvView view = cache.view();
          KvCache fork = cache.fork(18)) {
        append(fork, List.of(tokens(9)));
        fork.keep(2, 5, 8);
        append(cache, List.of(tokens(9)));
        cache.keep(8);
        assertThat(cache.length()).isEqualTo(21);
        assertThat(fork.length()).isEqualTo(21);
        float[] seen = new float[64];
        float[] now = new float[64];
        for (int token = 0; token < 20; token++) {
          RowReader.key(view, 1, 1, token, seen);
          RowReader.key(cache.live(), 1, 1, token, now);
          assertThat(now).isEqualTo(seen);
          if (token < 18) {
            RowReader.key(fork.live(), 1, 1, token, now);
            assertThat(now).isEqualTo(seen);
          }
        }
      }
    }
  }

  @Test
  void keepingNoneDropsThemAll() {
    try (KvCache cache = cache(KvType.F32)) {
      append(cache, List.of(tokens(20)));
      cache.keep();
      assertThat(cache.length()).isZero();
      assertThat(cache.pending(0)).isZero();
    }
  }

  @Test
  void namesWhatCannotBeKept() {
    try (KvCache cache = cache(KvType.F32)) {
      append(cache, List.of(tokens(4)));
      assertThatThrownBy(() -> cache.keep(1, 1))
          .isInstanceOf(IllegalArgumentException.class)
          .hasMessage("pending tokens [1, 1] do not ascend from 0 on");
      assertThatThrownBy(() -> cache.keep(-1))
          .hasMessage("pending tokens [-1] do not ascend from 0 on");
      assertThatThrownBy(() -> cache.keep(0, 4))
          .isInstanceOf(IllegalStateException.class)
          .hasMessage("cannot advance by 5 tokens: layer 0 was given 4");
      cache.keep(0, 3);
      assertThat(cache.length()).isEqualTo(2);
    }
  }
}
