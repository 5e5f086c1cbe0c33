package io.gatun.attention;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import io.gatun.attention.code.Floats;
import io.gatun.cache.KvLayout;
import io.gatun.cache.KvShape;
import io.gatun.cache.KvType;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import java.util.stream.Stream;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;

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
    int[][] heads = {{8, 8}, {16, 4}, {14, 2}, {9, 1}};
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
      f.append(1301);
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
