package io.gatun.attention;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.gatun.cache.KvCache;
import io.gatun.cache.KvShape;
import io.gatun.cache.KvType;
import io.gatun.cache.KvView;
import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** Several sequences in one call: each gets what it would get alone, bit for bit. */
class BatchDecodeTest {
  private static final int LAYERS = 2;

  static Stream<Kernels> makes() {
    return GqaAttentionTest.makes();
  }

  private static List<AttentionOptions> options(AttentionOptions plain, Kernels kernels) {
    AttentionOptions mixed = plain.withWindow(600).withSinkTokens(700);
    return kernels instanceof ScalarKernels
        ? List.of(mixed)
        : List.of(
            plain,
            mixed,
            plain.withWindow(40),
            plain.withWindow(1000).withSinkTokens(3),
            plain.withSoftCap(2));
  }

  /** Sequences of very different lengths, with and without a common beginning. */
  private static List<KvCache> sequences(Fixture f) {
    List<KvCache> all = new ArrayList<>();
    f.append(1300);
    all.add(f.cache.fork(1)); // one token
    all.add(f.cache.fork(516)); // the first split is shared, and soon after it there is nothing
    all.add(f.cache); // 1,300
    KvCache fork = f.cache.fork(1100); // 1,100 shared, then its own
    f.append(fork, 900);
    all.add(fork);
    KvCache again = fork.fork(1600); // 1,100 shared with the first, 500 more with the fork
    f.append(again, 3);
    all.add(again);
    all.add(f.cache.fork(512)); // whole splits, all of them shared
    all.add(f.cache.fork(511));
    KvCache other = f.cache.fork(0); // nothing shared
    f.append(other, 1025);
    all.add(other);
    all.add(again.fork(1603)); // the same rows twice
    KvCache early = f.cache.fork(70);
    f.append(early, 600);
    all.add(early);
    return all;
  }

  @ParameterizedTest
  @MethodSource("makes")
  void eachSequenceGetsWhatItGetsAlone(Kernels kernels) {
    // Heads, KV heads: groups of 1 fill a block of rows with four sequences; 17 have padding.
    int[][] heads = {{6, 2}, {3, 3}, {17, 1}};
    for (KvType type : Fixture.TYPES) {
      for (int[] pair : heads) {
        if (kernels instanceof ScalarKernels && pair[1] != 3) {
          continue;
        }
        KvShape shape = new KvShape(LAYERS, pair[1], 64, 64);
        try (Fixture f = new Fixture(type.code(), shape, type, type, 64, pair[0])) {
          List<KvCache> caches = sequences(f);
          for (AttentionOptions options : options(f.options, kernels)) {
            compare(f, caches, options, kernels);
          }
          caches.stream().filter(cache -> cache != f.cache).forEach(KvCache::close);
        }
      }
    }
  }

  private static void compare(
      Fixture f, List<KvCache> caches, AttentionOptions options, Kernels kernels) {
    int heads = options.numHeads();
    float[] sinks = new float[heads];
    sinks[0] = 3;
    long qRow = (long) heads * f.cache.shape().keyDim() * Float.BYTES;
    long outRow = (long) heads * f.cache.shape().valueDim() * Float.BYTES;
    MemorySegment q = f.queries(caches.size());
    MemorySegment alone = f.outputs(caches.size());
    try (Team one = Team.of(1);
        GqaAttention attention = GqaAttention.create(f.layout(), options, sinks, one, kernels)) {
      for (int i = 0; i < caches.size(); i++) {
        attention.decode(
            caches.get(i).live(), 1, q.asSlice(i * qRow, qRow), alone.asSlice(i * outRow, outRow));
      }
    }
    Random random = new Random(9);
    for (int threads = 1; threads <= 3; threads++) {
      try (Team team = Team.of(threads);
          GqaAttention attention = GqaAttention.create(f.layout(), options, sinks, team, kernels)) {
        for (int count = 1; count <= caches.size(); count++) {
          List<Integer> chosen = new ArrayList<>();
          List<KvView> views = new ArrayList<>();
          MemorySegment batchQ = f.queries(count);
          for (int i = 0; i < count; i++) {
            int index = count == caches.size() ? i : random.nextInt(caches.size());
            chosen.add(index);
            views.add(caches.get(index).live());
            MemorySegment.copy(q, index * qRow, batchQ, i * qRow, qRow);
          }
          MemorySegment out = f.outputs(count);
          attention.decode(views, 1, batchQ, out);
          for (int i = 0; i < count; i++) {
            assertThat(
                    out.asSlice(i * outRow, outRow)
                        .mismatch(alone.asSlice(chosen.get(i) * outRow, outRow)))
                .as(
                    "sequence %d of %s, %d threads, %s, %s",
                    i, chosen, threads, f.layout(), options)
                .isEqualTo(-1);
          }
        }
      }
    }
  }

  /** Longer than a stretch of a head, by a piece; a whole number of them; with a window in between. */
  @Test
  void longSequencesAreWorkedThroughStretchByStretch() {
    KvShape shape = new KvShape(1, 3, 16, 16);
    try (Fixture f = new Fixture(11, shape, KvType.F32, KvType.F32, 1024, 6)) {
      f.append(2 * 8192 - 300);
      KvCache shorter = f.cache.fork(8192 + 5);
      f.append(700);
      List<KvView> views = List.of(f.cache.live(), shorter.live(), f.cache.live());
      for (AttentionOptions options :
          List.of(f.options, f.options.withWindow(9_000).withSinkTokens(600))) {
        MemorySegment q = f.queries(views.size());
        MemorySegment first = null;
        for (int threads = 1; threads <= 3; threads++) {
          MemorySegment out = f.outputs(views.size());
          MemorySegment alone = f.outputs(1);
          try (Team team = Team.of(threads);
              GqaAttention attention = GqaAttention.create(f.layout(), options, team)) {
            attention.decode(views, 0, q, out);
            attention.decode(f.cache.live(), 0, q, alone);
          }
          assertThat(alone.mismatch(out.asSlice(0, alone.byteSize()))).isEqualTo(-1);
          first = first == null ? out : first;
          assertThat(out.mismatch(first)).as("%d threads, %s", threads, options).isEqualTo(-1);
          double[] expected = ReferenceAttention.attend(f.cache.live(), 0, options, 1, q);
          assertThat(Fixture.error(expected, alone)).isLessThan(4e-6);
        }
      }
      shorter.close();
    }
  }

  @Test
  void manySequencesWithOneBeginningDoNotFitOneTask() {
    KvShape shape = new KvShape(1, 1, 64, 64);
    try (Fixture f = new Fixture(2, shape, KvType.BF16, KvType.F32, 256, 5);
        Team team = Team.of(2);
        GqaAttention attention = GqaAttention.create(f.layout(), f.options, team)) {
      f.append(1500);
      List<KvCache> caches = new ArrayList<>();
      for (int i = 0; i < 70; i++) {
        KvCache fork = f.cache.fork(1400 - i);
        f.append(fork, 1 + i % 3);
        caches.add(fork);
      }
      MemorySegment q = f.queries(70);
      MemorySegment out = f.outputs(70);
      attention.decode(caches.stream().map(KvCache::live).toList(), 0, q, out);
      MemorySegment single = f.outputs(1);
      long row = 5 * 64 * Float.BYTES;
      for (int i = 0; i < 70; i++) {
        attention.decode(caches.get(i).live(), 0, q.asSlice(i * row, row), single);
        assertThat(single.mismatch(out.asSlice(i * row, row))).as("sequence %d", i).isEqualTo(-1);
      }
      caches.forEach(KvCache::close);
    }
  }

  @Test
  void namesWhatDoesNotFit() {
    KvShape shape = new KvShape(1, 1, 64, 64);
    try (Fixture f = new Fixture(2, shape, KvType.F32, KvType.F32, 16, 4);
        Fixture other = new Fixture(2, new KvShape(1, 2, 64, 64), KvType.F32, KvType.F32, 16, 4);
        Team team = Team.of(2);
        KvCache empty = f.cache.fork(0);
        GqaAttention attention = GqaAttention.create(f.layout(), f.options, team)) {
      f.append(3);
      other.append(3);
      MemorySegment q = f.queries(2);
      MemorySegment out = f.outputs(2);
      assertThatThrownBy(() -> attention.decode(List.of(), 0, q, out))
          .hasMessage("a decode step of no sequences");
      assertThatThrownBy(
              () -> attention.decode(List.of(f.cache.live(), other.cache.live()), 0, q, out))
          .hasMessageStartingWith("the view is of 1 layers x 2 KV heads");
      assertThatThrownBy(() -> attention.decode(List.of(f.cache.live(), empty.live()), 0, q, out))
          .hasMessageStartingWith("layer 0 has 0 tokens, not the 1 that attend");
      assertThatThrownBy(
              () -> attention.decode(List.of(f.cache.live(), f.cache.live()), 0, q.asSlice(4), out))
          .hasMessage("q takes 2048 bytes for 2 tokens x 4 heads x 64 dims, the segment has 2044");
      attention.decode(List.of(f.cache.live(), f.cache.live()), 0, q, out);
    }
  }

  @Test
  void aSecondCallerIsToldSo() {
    KvShape shape = new KvShape(1, 1, 64, 64);
    try (Fixture f = new Fixture(2, shape, KvType.F32, KvType.F32, 16, 4);
        Team team = Team.of(1);
        GqaAttention attention = GqaAttention.create(f.layout(), f.options, team)) {
      f.append(3);
      MemorySegment q = f.queries(1);
      MemorySegment out = f.outputs(1);
      // A call from within a call stands for one from another thread at the same time.
      List<KvView> views =
          new java.util.AbstractList<>() {
            @Override
            public KvView get(int index) {
              attention.decode(f.cache.live(), 0, q, out);
              return f.cache.live();
            }

            @Override
            public int size() {
              return 1;
            }
          };
      assertThatThrownBy(() -> attention.decode(views, 0, q, out))
          .isInstanceOf(IllegalStateException.class)
          .hasMessage("the attention is at work for another caller: create one for each of them");
      attention.decode(f.cache.live(), 0, q, out);
    }
  }
}
