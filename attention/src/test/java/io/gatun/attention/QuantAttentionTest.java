package io.gatun.attention;

import static org.assertj.core.api.Assertions.assertThat;

import io.gatun.cache.KvShape;
import io.gatun.cache.KvType;
import io.gatun.cache.KvView;
import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;

/**
 * Quantised keys and values against the formula in double over the same stored rows: types of keys
 * and values that differ, widths that fill no group, values that lie in the keys.
 */
class QuantAttentionTest {
  private static final double TOLERANCE = 4e-6;
  private static final int[] HEADS = {2, 6, 8, 14, 32};
  private static final int[] LENGTHS = {1, 17, 130, 517, 1030};
  private static final List<KvType> TYPES =
      List.of(KvType.Q8, KvType.Q4, KvType.Q8_PLAIN, KvType.Q4_PLAIN, KvType.BF16);

  static Stream<Arguments> pairsOfTypes() {
    int[][] dims = {{72, 80}, {80, 48}, {100, 96}, {16, 100}, {192, 72}, {256, 64}};
    List<Arguments> all = new ArrayList<>();
    GqaAttentionTest.makes()
        .forEach(kernels -> {
          int next = 0;
          for (KvType keys : TYPES) {
            for (KvType values : TYPES) {
              int[] dim = dims[next++ % dims.length];
              KvShape shape = new KvShape(1, 2, dim[0], dim[1]);
              all.add(Arguments.of(kernels, shape, keys, values));
            }
          }
          for (KvType type : TYPES) {
            all.add(
                Arguments.of(kernels, new KvShape(1, 2, 192, 128, true), plain(type), plain(type)));
            all.add(Arguments.of(kernels, new KvShape(1, 2, 192, 64, true), type, type));
            all.add(Arguments.of(kernels, new KvShape(1, 2, 80, 80, true), type, type));
          }
        });
    return all.stream();
  }

  private static KvType plain(KvType type) {
    return type == KvType.Q8 ? KvType.Q8_PLAIN : type == KvType.Q4 ? KvType.Q4_PLAIN : type;
  }

  @ParameterizedTest
  @MethodSource("pairsOfTypes")
  void agreesWithTheFormula(Kernels kernels, KvShape shape, KvType keys, KvType values) {
    for (int i = 0; i < LENGTHS.length; i++) {
      int seed = 31 * i + shape.keyDim();
      int length = LENGTHS[i];
      int heads = HEADS[(i + shape.valueDim()) % HEADS.length];
      try (Fixture f = new Fixture(seed, shape, keys, values, 16 << i, heads);
          Team team = Team.of(2);
          GqaAttention attention = GqaAttention.create(f.layout(), f.options, team, kernels)) {
        f.append(length);
        int tokens = Math.min(3, length);
        MemorySegment q = f.queries(tokens);
        MemorySegment out = f.outputs(tokens);
        KvView view = f.cache.live();
        attention.prefill(view, 0, tokens, q, out);
        double[] expected = ReferenceAttention.attend(view, 0, f.options, tokens, q);
        assertThat(Fixture.error(expected, out))
            .as("seed %d, %d heads, %d tokens", seed, heads, length)
            .isLessThan(TOLERANCE);

        MemorySegment last = f.outputs(1);
        long qRow = (long) heads * shape.keyDim() * Float.BYTES;
        attention.decode(view, 0, q.asSlice((tokens - 1) * qRow, qRow), last);
        assertThat(last.mismatch(out.asSlice((tokens - 1) * last.byteSize(), last.byteSize())))
            .as("decode, seed %d, %d heads, %d tokens", seed, heads, length)
            .isEqualTo(-1);
      }
    }
  }
}
