package io.gatun.attention;

import static org.assertj.core.api.Assertions.assertThat;

import io.gatun.cache.KvCache;
import io.gatun.cache.KvShape;
import io.gatun.cache.KvType;
import io.gatun.cache.KvView;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.Random;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/**
 * A token's result is the same, bit for bit, however the tokens are cut into calls, on however many
 * threads, and wherever the runs of the cache begin.
 */
class InvarianceTest {
  private static final int HEADS = 6;
  private static final int KV_HEADS = 2;
  private static final int DIM = 80;
  private static final int LENGTH = 1200;
  private static final long ROW = (long) HEADS * DIM * Float.BYTES;

  static Stream<Kernels> makes() {
    return GqaAttentionTest.makes();
  }

  private static AttentionOptions[] options(Kernels kernels) {
    AttentionOptions plain = AttentionOptions.of(HEADS, DIM);
    if (kernels instanceof ScalarKernels) {
      // What cuts the work into pieces is the same code; the plain kernels are slow.
      return new AttentionOptions[] {plain.withWindow(530).withSinkTokens(4)};
    }
    return new AttentionOptions[] {
      plain,
      plain.withWindow(300),
      plain.withWindow(37).withSinkTokens(5),
      plain.withWindow(530).withSinkTokens(600),
      plain.withSoftCap(3)
    };
  }

  /** The rows of one sequence, and caches that hold them in different blocks and runs. */
  private static final class Sequence implements AutoCloseable {
    final Arena arena = Arena.ofShared();
    final MemorySegment keys = gaussian((long) LENGTH * KV_HEADS * DIM, 1);
    final MemorySegment values = gaussian((long) LENGTH * KV_HEADS * DIM, 2);
    final MemorySegment queries = gaussian((long) LENGTH * HEADS * DIM, 3);

    private MemorySegment gaussian(long count, long seed) {
      Random random = new Random(seed);
      MemorySegment rows = arena.allocate(count * Float.BYTES, 64);
      for (long i = 0; i < count; i++) {
        rows.setAtIndex(ValueLayout.JAVA_FLOAT, i, (float) random.nextGaussian());
      }
      return rows;
    }

    KvCache cache(KvType type, int blockTokens) {
      return KvCache.builder(new KvShape(1, KV_HEADS, DIM, DIM))
          .type(type)
          .blockTokens(blockTokens)
          .build();
    }

    /** Appends the tokens up to {@code to} that the cache does not have. */
    void append(KvCache cache, int to) {
      int from = (int) cache.length();
      long row = (long) KV_HEADS * DIM * Float.BYTES;
      cache.append(0, keys.asSlice(from * row), values.asSlice(from * row), to - from);
      cache.advance(to - from);
    }

    MemorySegment output() {
      return arena.allocate(LENGTH * ROW, 64);
    }

    @Override
    public void close() {
      arena.close();
    }
  }

  @ParameterizedTest
  @MethodSource("makes")
  void decodeEqualsPrefillEqualsAnyCut(Kernels kernels) {
    int[] cuts = {1, 2, 3, 7, 16, 100, 129, 400, 403, 512, 513, 900, 1199, LENGTH};
    try (Sequence s = new Sequence();
        Team one = Team.of(1);
        Team three = Team.of(3)) {
      for (KvType type : Fixture.TYPES) {
        for (AttentionOptions options : options(kernels)) {
          try (KvCache cache = s.cache(type, 64);
              KvCache again = s.cache(type, 1024);
              GqaAttention a = GqaAttention.create(cache.layout(), options, three, kernels);
              GqaAttention b = GqaAttention.create(again.layout(), options, one, kernels)) {
            s.append(again, LENGTH);
            MemorySegment whole = s.output();
            b.prefill(again.live(), 0, LENGTH, s.queries, whole);
            MemorySegment pieces = s.output();
            int from = 0;
            for (int to : cuts) {
              s.append(cache, to);
              a.prefill(
                  cache.live(),
                  0,
                  to - from,
                  s.queries.asSlice(from * ROW),
                  pieces.asSlice(from * ROW));
              MemorySegment single = s.arena.allocate(ROW, 64);
              a.decode(cache.live(), 0, s.queries.asSlice((to - 1) * ROW, ROW), single);
              assertThat(single.mismatch(pieces.asSlice((to - 1) * ROW, ROW)))
                  .as("decode at %d of %s, %s", to - 1, type, options)
                  .isEqualTo(-1);
              from = to;
            }
            assertThat(pieces.mismatch(whole)).as("%s, %s", type, options).isEqualTo(-1);
          }
        }
      }
    }
  }

  @ParameterizedTest
  @MethodSource("makes")
  void threadsAndBlocksAndForksChangeNothing(Kernels kernels) {
    int tokens = 70;
    try (Sequence s = new Sequence();
        Team one = Team.of(1);
        Team two = Team.of(2);
        Team three = Team.of(3)) {
      for (KvType type : Fixture.TYPES) {
        for (AttentionOptions options : options(kernels)) {
          MemorySegment expected = null;
          for (int blockTokens : new int[] {16, 64, 2048}) {
            try (KvCache cache = s.cache(type, blockTokens)) {
              s.append(cache, LENGTH);
              for (Team team : new Team[] {one, two, three}) {
                MemorySegment out =
                    run(kernels, team, options, cache, tokens, s.queries, s.output());
                expected = expected == null ? out : expected;
                assertThat(out.mismatch(expected))
                    .as(
                        "%s, blocks of %d, %d threads, %s",
                        type, blockTokens, team.threads(), options)
                    .isEqualTo(-1);
              }
            }
          }
          try (KvCache base = s.cache(type, 128)) {
            s.append(base, 3);
            // Forks of forks: runs of 3, 1, 127, 128, 128, 30, 6, 128, ... tokens.
            try (KvCache second = base.fork(3)) {
              s.append(second, 4);
              try (KvCache third = second.fork(4)) {
                s.append(third, 417);
                try (KvCache fourth = third.fork(417)) {
                  s.append(fourth, 423);
                  try (KvCache fifth = fourth.fork(423)) {
                    s.append(fifth, LENGTH);
                    MemorySegment out =
                        run(kernels, two, options, fifth, tokens, s.queries, s.output());
                    assertThat(out.mismatch(expected)).as("%s forked", type).isEqualTo(-1);
                  }
                }
              }
            }
          }
        }
      }
    }
  }

  private static MemorySegment run(
      Kernels kernels,
      Team team,
      AttentionOptions options,
      KvCache cache,
      int tokens,
      MemorySegment queries,
      MemorySegment out) {
    try (GqaAttention attention = GqaAttention.create(cache.layout(), options, team, kernels);
        KvView view = cache.view()) {
      attention.prefill(view, 0, tokens, queries, out);
      attention.decode(view, 0, queries, out.asSlice(tokens * ROW, ROW));
    }
    return out;
  }

  @Test
  void aQueryGetsTheSameAnswerTwice() {
    try (Sequence s = new Sequence();
        Team team = Team.of(2);
        KvCache cache = s.cache(KvType.BF16, 64)) {
      s.append(cache, LENGTH);
      AttentionOptions options = AttentionOptions.of(HEADS, DIM);
      MemorySegment first = run(Kernels.best(), team, options, cache, 9, s.queries, s.output());
      MemorySegment second = run(Kernels.best(), team, options, cache, 9, s.queries, s.output());
      assertThat(second.mismatch(first)).isEqualTo(-1);
    }
  }
}
