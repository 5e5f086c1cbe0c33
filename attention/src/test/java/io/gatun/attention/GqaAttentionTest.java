package io.gatun.attention;

import static org.assertj.core.api.Assertions.assertThat;

import io.gatun.cache.KvShape;
import io.gatun.cache.KvType;
import io.gatun.cache.KvView;
import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.EnumSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;

/** {@link GqaAttention}, with each make of kernels, against the formula in double. */
class GqaAttentionTest {
  private static final Set<KvType> PLAIN = EnumSet.of(KvType.F32, KvType.F16, KvType.BF16);

  /**
   * Of the largest magnitude of the output: f32 arithmetic on what the cache holds exactly. More
   * lanes make shorter chains of roundings; plain Java has one lane.
   */
  private static double tolerance(Kernels kernels, KvType type) {
    if (kernels instanceof ScalarKernels || !PLAIN.contains(type)) {
      return 4e-6;
    }
    return kernels.tokensPerVector() == 4 ? 1.5e-6 : 3e-6;
  }

  /** Set where the tests run with narrower vectors than the processor has. */
  private static final String WIDTH = System.getProperty("gatun.vectorBits");

  /** The largest error of each make and type, printed at the end: the figures of KERNEL.md. */
  private static final Map<String, Double> LARGEST = new TreeMap<>();

  private static Team team;

  @BeforeAll
  static void makeTeam() {
    team = Team.of(2);
  }

  @AfterAll
  static void closeTeam() {
    team.close();
    LARGEST.forEach((what, error) ->
        System.out.printf("GqaAttentionTest: %s, largest error %.2e%n", what, error));
  }

  static Stream<Kernels> makes() {
    Kernels best = Kernels.best();
    Stream<Kernels> vectors =
        best instanceof MachineKernels ? Stream.of(best, new VectorKernels()) : Stream.of(best);
    // The plain ones do not change with the width: once is enough.
    return WIDTH == null ? Stream.concat(vectors, Stream.of(new ScalarKernels())) : vectors;
  }

  static Stream<Arguments> shapes() {
    int[][] heads = {{1, 1}, {4, 2}, {8, 2}, {8, 8}, {32, 8}, {32, 1}, {64, 8}, {14, 2}, {71, 1}};
    int[] lengths = {1, 2, 15, 16, 17, 127, 130, 512, 513, 1030, 2500};
    List<Arguments> all = new ArrayList<>();
    makes()
        .forEach(kernels -> {
          int next = 0;
          // Plain Java does the same for every width.
          boolean plain = kernels instanceof ScalarKernels;
          int[] dims = plain ? new int[] {64, 80} : new int[] {64, 80, 96, 128, 256};
          for (int[] pair : heads) {
            for (int dim : dims) {
              for (KvType type : KvType.values()) {
                int length = lengths[next++ % lengths.length];
                all.add(Arguments.of(kernels, pair[0], pair[1], dim, type, length));
              }
            }
          }
        });
    return all.stream();
  }

  @Test
  void theFlagsChooseTheWidth() {
    String width = WIDTH == null ? "%d".formatted(Lanes.FLOATS.vectorBitSize()) : WIDTH;
    String make = width.equals("512") ? "machine code, " : "Vector API, ";
    assertThat(Kernels.best().description()).isEqualTo(make + width + " bits");
  }

  @ParameterizedTest
  @MethodSource("shapes")
  void agreesWithTheFormula(
      Kernels kernels, int numHeads, int numKvHeads, int headDim, KvType type, int length) {
    KvShape shape = new KvShape(1, numKvHeads, headDim, headDim);
    try (Fixture f = new Fixture(length + headDim, shape, type, type, 64, numHeads);
        GqaAttention attention = GqaAttention.create(f.layout(), f.options, team, kernels)) {
      f.append(length);
      int tokens = Math.min(3, length);
      MemorySegment q = f.queries(tokens);
      MemorySegment out = f.outputs(tokens);
      KvView view = f.cache.live();
      double[] expected = ReferenceAttention.attend(view, 0, f.options, tokens, q);
      attention.prefill(view, 0, tokens, q, out);
      double error = Fixture.error(expected, out);
      LARGEST.merge(kernels.description() + ", " + type.label(), error, Math::max);
      assertThat(error).isLessThan(tolerance(kernels, type));

      MemorySegment last = f.outputs(1);
      long qRow = (long) numHeads * headDim * Float.BYTES;
      attention.decode(view, 0, q.asSlice((tokens - 1) * qRow, qRow), last);
      assertThat(last.mismatch(out.asSlice((tokens - 1) * qRow, qRow))).isEqualTo(-1);
    }
  }
}
