package io.gatun.attention;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import io.gatun.attention.code.Call;
import io.gatun.attention.code.Floats;
import io.gatun.cache.KvLayout;
import io.gatun.cache.KvShape;
import io.gatun.cache.KvType;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Random;
import java.util.stream.Stream;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;
import org.junit.jupiter.params.provider.ValueSource;

/** Machine code gives what the Vector API gives, bit for bit: kernel by kernel, and as a whole. */
class MachineKernelsTest {
  private static final int MOST_TOKENS = 128;

  @BeforeAll
  static void machineCodeIsInUse() {
    assumeTrue(Kernels.best() instanceof MachineKernels, "these vectors are not of 512 bits");
  }

  static Stream<Arguments> formats() {
    List<Arguments> all = new ArrayList<>();
    for (KvType type : KvType.values()) {
      for (int dim : new int[] {16, 48, 64, 80, 128, 192, 256, 576}) {
        all.add(Arguments.of(type, dim));
      }
      if (type.quantized()) {
        all.add(Arguments.of(type, 40));
        all.add(Arguments.of(type, 72));
      }
    }
    return all.stream();
  }

  @ParameterizedTest
  @MethodSource("formats")
  void kernelsGiveTheSameBits(KvType type, int dim) {
    Random random = new Random(dim * 31L + type.code());
    KvLayout layout = new KvLayout(new KvShape(1, 1, dim, dim), type, type, 256);
    Kernels machine = new MachineKernels();
    Kernels vector = new VectorKernels();
    KeyKernel keys = machine.keys(layout);
    ValueKernel values = machine.values(layout);
    assertThat(keys).isInstanceOf(MachineKeys.class);
    assertThat(values).isInstanceOf(MachineValues.class);
    for (int tokens : new int[] {1, 2, 3, 4, 7, 32, 126, MOST_TOKENS}) {
      for (int rows : new int[] {1, 4}) {
        try (Arena arena = Arena.ofConfined()) {
          Stored stored = new Stored(random, RowFormat.ofKeys(layout), tokens, arena);
          RowsAhead ahead = new RowsAhead(layout, true);
          MemorySegment q = gaussian(random, Kernels.ROWS * dim, arena);
          Floats expected = scores(vector.keys(layout), stored, q, rows, ahead);
          Floats actual = scores(keys, stored, q, rows, ahead);
          for (int t = 0; t < tokens; t++) {
            for (int row = 0; row < rows; row++) {
              int index = t / 4 * Lanes.COUNT + row * 4 + t % 4;
              assertThat(bits(actual, index))
                  .as("score of row %d, token %d of %d", row, t, tokens)
                  .isEqualTo(bits(expected, index));
            }
          }
          long seed = random.nextLong();
          Floats sums = sums(vector.values(layout), stored, seed, rows, ahead);
          Floats ours = sums(values, stored, seed, rows, ahead);
          for (int i = 0; i < rows * values.stride(); i++) {
            assertThat(bits(ours, i)).as("sum %d of %d tokens", i, tokens).isEqualTo(bits(sums, i));
          }
        }
      }
    }
  }

  @ParameterizedTest
  @ValueSource(ints = {16, 64, 80, 128, 576, 1024})
  void stepsGiveTheSameBits(int stride) {
    Random random = new Random(stride);
    VectorSoftmax expected = new VectorSoftmax();
    Call call = new Call();
    for (float weightScale : new float[] {1, 0x1p112f}) {
      MachineSoftmax actual = new MachineSoftmax(stride, weightScale);
      for (int tokens = 1; tokens <= MOST_TOKENS; tokens++) {
        int vectors = Math.ceilDiv(tokens, 4);
        int before = 16 * random.nextInt(3);
        Floats state = Floats.of(before + 3 * Lanes.COUNT);
        Floats sums = random(random, before + Kernels.ROWS * stride, 1);
        expected.clear(state.array(), before);
        Floats ourState = copy(state);
        Floats ourSums = copy(sums);
        // A few steps one after the other: the first from nothing, some that see nothing.
        for (int step = 0; step < 4; step++) {
          Floats scores = random(random, before + vectors * Lanes.COUNT, step == 2 ? 1e38f : 5);
          hide(random, scores, before, tokens, vectors);
          Floats ourScores = copy(scores);
          float factor = step == 3 ? 1e30f : 1.4f;
          expected.step(
              call,
              scores,
              before,
              vectors,
              factor,
              weightScale,
              state,
              before,
              sums,
              before,
              stride);
          actual.step(
              call,
              ourScores,
              before,
              vectors,
              factor,
              weightScale,
              ourState,
              before,
              ourSums,
              before,
              stride);
          String where = "step %d of %d tokens".formatted(step, tokens);
          same(ourScores, scores, where);
          same(ourSums, sums, where);
          // The room behind maximum and sums is scratch.
          for (int i = 0; i < before + 2 * Lanes.COUNT; i++) {
            assertThat(bits(ourState, i)).as(where).isEqualTo(bits(state, i));
          }
        }
      }
    }
  }

  /** Hides what lies behind the last token, and some or all tokens of some rows. */
  private static void hide(Random random, Floats scores, int at, int tokens, int vectors) {
    for (int row = 0; row < Kernels.ROWS; row++) {
      int kind = random.nextInt(4);
      for (int t = 0; t < vectors * 4; t++) {
        int index = at + t / 4 * Lanes.COUNT + row * 4 + t % 4;
        if (t >= tokens || kind == 0 || kind == 1 && random.nextBoolean()) {
          scores.array()[index] = Float.NEGATIVE_INFINITY;
        } else if (random.nextInt(50) == 0) {
          scores.array()[index] = Float.POSITIVE_INFINITY;
        }
      }
    }
  }

  @ParameterizedTest
  @ValueSource(ints = {16, 64, 80, 128, 576, 1024})
  void sumsOfTilesAreAddedAlike(int stride) {
    Random random = new Random(stride);
    Floats from = random(random, Kernels.ROWS * stride, 1);
    Floats sums = random(random, 3 * Kernels.ROWS * stride, 1e3f);
    Floats ours = copy(sums);
    int count = from.array().length;
    new VectorSoftmax().add(new Call(), from, sums, count, count);
    new MachineSoftmax(stride, 1).add(new Call(), from, ours, count, count);
    same(ours, sums, "sums");
  }

  @ParameterizedTest
  @ValueSource(ints = {16, 64, 80, 128, 576, 1024})
  void splitsAreMergedAlike(int stride) {
    Random random = new Random(stride);
    int rowBytes = (stride + 2) * Float.BYTES;
    for (int rows : new int[] {1, 4, 7, 12}) {
      for (int parts : new int[] {1, 2, 5, 83, 2500}) {
        if (parts * rows * stride > 1 << 22) {
          continue;
        }
        try (Arena arena = Arena.ofConfined()) {
          long partBytes = (long) rows * rowBytes + 64;
          MemorySegment store = arena.allocate(8 + parts * partBytes);
          for (int part = 0; part < parts; part++) {
            for (int row = 0; row < rows; row++) {
              storePart(random, store.asSlice(8 + part * partBytes + row * rowBytes), stride);
            }
          }
          int first = 3;
          Floats maxima = Floats.of(first + rows + 2);
          Arrays.fill(maxima.array(), Float.NEGATIVE_INFINITY);
          Floats totals = Floats.of(first + rows + 2);
          Floats sums = Floats.of((first + rows + 2) * stride);
          Floats ourMaxima = copy(maxima);
          Floats ourTotals = copy(totals);
          Floats ourSums = copy(sums);
          mergeByRows(
              store,
              partBytes,
              parts,
              rows,
              stride,
              maxima.array(),
              totals.array(),
              sums.array(),
              first);
          boolean done =
              new MachineSoftmax(stride, 1)
                  .mergeParts(
                      new Call(),
                      store,
                      8,
                      partBytes,
                      parts,
                      rows,
                      ourMaxima,
                      ourTotals,
                      ourSums,
                      first);
          assertThat(done).isTrue();
          String where = "%d rows of %d parts".formatted(rows, parts);
          same(ourMaxima, maxima, where);
          same(ourTotals, totals, where);
          same(ourSums, sums, where);
        }
      }
    }
  }

  /** A row of a split: sums, maximum and total; now and then one that saw nothing, or overflowed. */
  private static void storePart(Random random, MemorySegment to, int stride) {
    for (int i = 0; i < stride; i++) {
      to.setAtIndex(ValueLayout.JAVA_FLOAT, i, (float) random.nextGaussian());
    }
    float maximum = (float) random.nextGaussian() * 60;
    float total = 1 + 500 * random.nextFloat();
    switch (random.nextInt(8)) {
      case 0 -> {
        maximum = Float.NEGATIVE_INFINITY;
        total = 0;
      }
      case 1 -> maximum = random.nextInt(4) == 0 ? Float.MAX_VALUE : maximum;
      default -> {}
    }
    to.setAtIndex(ValueLayout.JAVA_FLOAT, stride, maximum);
    to.setAtIndex(ValueLayout.JAVA_FLOAT, stride + 1, total);
  }

  /** As RowBlock merges where no kernel does it. */
  private static void mergeByRows(
      MemorySegment store,
      long partBytes,
      int parts,
      int rows,
      int stride,
      float[] maxima,
      float[] totals,
      float[] sums,
      int first) {
    float[] part = new float[stride + 2];
    for (int row = 0; row < rows; row++) {
      for (int i = 0; i < parts; i++) {
        long at = 8 + i * partBytes + (long) row * part.length * Float.BYTES;
        MemorySegment.copy(store, ValueLayout.JAVA_FLOAT, at, part, 0, part.length);
        float total = part[stride + 1];
        if (total != 0) {
          float joint = Math.max(maxima[first + row], part[stride]);
          float old = Exp2.of(maxima[first + row] - joint);
          float add = Exp2.of(part[stride] - joint);
          maxima[first + row] = joint;
          totals[first + row] = Math.fma(totals[first + row], old, total * add);
          new VectorSoftmax().merge(sums, (first + row) * stride, old, part, 0, add, stride);
        }
      }
    }
  }

  private static Floats random(Random random, int count, float size) {
    Floats floats = Floats.of(count);
    for (int i = 0; i < count; i++) {
      floats.array()[i] = (float) random.nextGaussian() * size;
    }
    return floats;
  }

  private static Floats copy(Floats floats) {
    Floats copy = Floats.of(floats.array().length);
    System.arraycopy(floats.array(), 0, copy.array(), 0, copy.array().length);
    return copy;
  }

  private static void same(Floats actual, Floats expected, String where) {
    int[] ours = new int[actual.array().length];
    int[] theirs = new int[ours.length];
    for (int i = 0; i < ours.length; i++) {
      ours[i] = bits(actual, i);
      theirs[i] = bits(expected, i);
    }
    assertThat(ours).as(where).isEqualTo(theirs);
  }

  @Test
  void oddAndVeryWideRowsAreLeftToTheVectorApi() {
    for (int dim : new int[] {40, 1040}) {
      KvLayout layout = new KvLayout(new KvShape(1, 1, dim, dim), KvType.F32, KvType.F32, 16);
      assertThat(new MachineKernels().keys(layout)).isNotInstanceOf(MachineKeys.class);
      assertThat(new MachineKernels().values(layout)).isNotInstanceOf(MachineValues.class);
    }
  }

  private static int bits(Floats floats, int index) {
    return Float.floatToRawIntBits(floats.array()[index]);
  }

  private static MemorySegment gaussian(Random random, int count, Arena arena) {
    MemorySegment floats = arena.allocate(ValueLayout.JAVA_FLOAT, count);
    for (int i = 0; i < count; i++) {
      floats.setAtIndex(ValueLayout.JAVA_FLOAT, i, (float) random.nextGaussian());
    }
    return floats;
  }

  private static Floats scores(
      KeyKernel kernel, Stored stored, MemorySegment q, int rows, RowsAhead ahead) {
    int dim = stored.format.dim();
    Floats prepared = Floats.of(Kernels.ROWS * kernel.stride());
    for (int row = 0; row < Kernels.ROWS; row++) {
      kernel.prepare(q, (long) row * dim * Float.BYTES, prepared.array(), row * kernel.stride());
    }
    Floats scores = Floats.of(MOST_TOKENS * Kernels.ROWS);
    kernel.scores(
        stored.memory, 0, stored.scales, stored.tokens, prepared, 0, rows, scores, 0, ahead);
    return scores;
  }

  private static Floats sums(
      ValueKernel kernel, Stored stored, long seed, int rows, RowsAhead ahead) {
    Random random = new Random(seed);
    Floats weights = Floats.of(MOST_TOKENS * Kernels.ROWS * kernel.weightPlanes());
    for (int i = 0; i < MOST_TOKENS * Kernels.ROWS; i++) {
      weights.array()[i] = (float) random.nextGaussian();
    }
    Floats sums = Floats.of(Kernels.ROWS * kernel.stride());
    for (int i = 0; i < sums.array().length; i++) {
      sums.array()[i] = (float) random.nextGaussian();
    }
    kernel.accumulate(
        stored.memory, 0, stored.scales, stored.tokens, weights, 0, sums, 0, rows, ahead);
    return sums;
  }

  /** Rows of any bytes that are finite numbers, subnormal ones among them, and their scales. */
  private static final class Stored {
    final RowFormat format;
    final int tokens;
    final MemorySegment memory;
    final long scales;

    Stored(Random random, RowFormat format, int tokens, Arena arena) {
      this.format = format;
      this.tokens = tokens;
      scales = (long) tokens * format.rowBytes();
      // Not a byte behind the last row: reading past it would be seen, in Java at least.
      memory = arena.allocate(scales + (long) tokens * format.scaleBytes(), 64);
      for (long i = 0; i < scales; i += Short.BYTES) {
        short any = (short) random.nextInt();
        memory.set(
            ValueLayout.JAVA_SHORT,
            i,
            switch (format.type()) {
              case F16 -> Float.floatToFloat16(number(random));
              case BF16 -> (short) (Float.floatToRawIntBits(number(random)) >> 16);
              default -> any;
            });
      }
      if (format.type() == KvType.F32) {
        for (long i = 0; i < scales; i += Float.BYTES) {
          memory.set(ValueLayout.JAVA_FLOAT, i, number(random));
        }
      }
      for (long i = scales; i < memory.byteSize(); i += Float.BYTES) {
        memory.set(ValueLayout.JAVA_FLOAT, i, number(random));
      }
    }

    private static float number(Random random) {
      float number = (float) random.nextGaussian();
      return random.nextInt(9) == 0 ? number * 1e-6f : number;
    }
  }

  static Stream<Arguments> shapes() {
    int[][] heads = {
      {8, 8}, {4, 2}, {6, 2}, {16, 4}, {10, 2}, {12, 2}, {14, 2}, {8, 1}, {9, 1}, {12, 1}
    };
    List<Arguments> all = new ArrayList<>();
    int next = 0;
    for (int[] pair : heads) {
      for (int dim : new int[] {64, 80, 128}) {
        for (KvType type : KvType.values()) {
          KvType other = KvType.values()[next++ % KvType.values().length];
          all.add(Arguments.of(pair[0], pair[1], dim, type, other));
        }
      }
    }
    return all.stream();
  }

  @ParameterizedTest
  @MethodSource("shapes")
  void attentionGivesTheSameBits(
      int numHeads, int numKvHeads, int headDim, KvType keyType, KvType valueType) {
    KvShape shape = new KvShape(1, numKvHeads, headDim, headDim);
    // A tile in many pieces, in one that ends with its block, and in one of many.
    int blockTokens = new int[] {16, 128, 1024}[(headDim / 16 + numHeads) % 3];
    try (Fixture f = new Fixture(headDim, shape, keyType, valueType, blockTokens, numHeads);
        Team team = Team.of(2)) {
      // The last tile of 20 tokens is whole groups of 4 for the last token, that of 21 is not.
      f.append(numHeads % 2 == 0 ? 1300 : 1301);
      int tokens = 30;
      MemorySegment q = f.queries(tokens);
      AttentionOptions plain = f.options;
      for (AttentionOptions options :
          List.of(plain, plain.withWindow(300).withSinkTokens(5), plain.withSoftCap(3))) {
        MemorySegment expected = f.outputs(tokens);
        MemorySegment actual = f.outputs(tokens);
        run(f, options, team, new VectorKernels(), q, expected, tokens);
        run(f, options, team, new MachineKernels(), q, actual, tokens);
        assertThat(actual.mismatch(expected)).as("%s", options).isEqualTo(-1);
      }
    }
  }

  static Stream<Arguments> groups() {
    List<Arguments> all = new ArrayList<>();
    for (int group = 1; group <= 9; group++) {
      for (KvType type : KvType.values()) {
        all.add(Arguments.of(group, type, group % 2 == 0 ? 64 : 128));
      }
    }
    return all.stream();
  }

  /** Decode works several splits through in one call, where their rows follow each other. */
  @ParameterizedTest
  @MethodSource("groups")
  void severalSplitsInACallGiveTheSameBits(int group, KvType type, int headDim) {
    KvShape shape = new KvShape(1, 1, headDim, headDim);
    try (Fixture f = new Fixture(group, shape, type, type, 4096, group);
        Team team = Team.of(1)) {
      // 21 splits, of which a task gets 2, or 3 with the last ones: in two whole blocks and a part.
      f.append(10_500);
      MemorySegment q = f.queries(1);
      for (AttentionOptions options :
          List.of(f.options, f.options.withWindow(6000).withSinkTokens(1100))) {
        MemorySegment expected = f.outputs(1);
        MemorySegment actual = f.outputs(1);
        decode(f, options, team, new VectorKernels(), q, expected);
        decode(f, options, team, new MachineKernels(), q, actual);
        assertThat(actual.mismatch(expected)).as("%s", options).isEqualTo(-1);
      }
    }
  }

  private static void decode(
      Fixture f,
      AttentionOptions options,
      Team team,
      Kernels kernels,
      MemorySegment q,
      MemorySegment out) {
    try (GqaAttention attention = GqaAttention.create(f.layout(), options, team, kernels)) {
      attention.decode(f.cache.live(), 0, q, out);
    }
  }

  private static void run(
      Fixture f,
      AttentionOptions options,
      Team team,
      Kernels kernels,
      MemorySegment q,
      MemorySegment out,
      int tokens) {
    try (GqaAttention attention = GqaAttention.create(f.layout(), options, team, kernels)) {
      attention.prefill(f.cache.live(), 0, tokens, q, out);
      long row = (long) options.numHeads() * f.layout().shape().keyDim() * Float.BYTES;
      // The last token again, alone: decode has other tasks.
      attention.decode(
          f.cache.live(),
          0,
          q.asSlice((tokens - 1) * row, row),
          out.asSlice((tokens - 1) * row, row));
    }
  }
}
