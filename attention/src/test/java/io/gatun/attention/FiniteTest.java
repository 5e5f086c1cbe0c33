package io.gatun.attention;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.gatun.attention.code.Call;
import io.gatun.attention.code.Floats;
import io.gatun.cache.KvLayout;
import io.gatun.cache.KvShape;
import io.gatun.cache.KvType;
import io.gatun.cache.KvView;
import io.gatun.cache.RowReader;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.List;
import java.util.Random;
import java.util.function.IntToDoubleFunction;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;

/** Finite queries, keys and values give finite results, the right ones, with each make of kernels. */
class FiniteTest {
  private static final ValueLayout.OfFloat FLOAT = ValueLayout.JAVA_FLOAT;
  private static final int DIM = 64;
  private static final int HEADS = 8;

  /** Three splits, the last one with a tile that is not whole. */
  private static final int TOKENS = 1111;

  private static Team team;

  @BeforeAll
  static void makeTeam() {
    team = Team.of(2);
  }

  @AfterAll
  static void closeTeam() {
    team.close();
  }

  static Stream<Arguments> makesAndTypes() {
    return GqaAttentionTest.makes()
        .flatMap(make -> Stream.of(KvType.values()).map(type -> Arguments.of(make, type)));
  }

  static Stream<Arguments> makesAndWideTypes() {
    return GqaAttentionTest.makes()
        .flatMap(make -> Stream.of(KvType.F32, KvType.BF16).map(type -> Arguments.of(make, type)));
  }

  private static Fixture fixture(KvType type) {
    return new Fixture(7, new KvShape(2, 2, DIM, DIM), type, type, 256, HEADS);
  }

  /** Rows {@code [tokens][2 heads][DIM]}, factor times gaussian, the same for both layers. */
  private static void append(
      Fixture f, int tokens, IntToDoubleFunction keyFactor, IntToDoubleFunction valueFactor) {
    for (int layer = 0; layer < 2; layer++) {
      MemorySegment keys = scaled(f, tokens, keyFactor);
      MemorySegment values = scaled(f, tokens, valueFactor);
      f.cache.append(layer, keys, values, tokens);
    }
    f.cache.advance(tokens);
  }

  private static MemorySegment scaled(Fixture f, int tokens, IntToDoubleFunction factor) {
    int width = 2 * DIM;
    MemorySegment rows = f.gaussian((long) tokens * width);
    scale(rows, i -> factor.applyAsDouble(i / width));
    return rows;
  }

  private static void scale(MemorySegment floats, IntToDoubleFunction factor) {
    for (int i = 0; i < floats.byteSize() / Float.BYTES; i++) {
      float scaled = (float) (floats.getAtIndex(FLOAT, i) * factor.applyAsDouble(i));
      floats.setAtIndex(FLOAT, i, Math.clamp(scaled, -3.3e38f, 3.3e38f));
    }
  }

  /** Decode, prefill, a tree and a batch of two: the same bits, and those of the formula. */
  private static void isRight(
      GqaAttention attention, Fixture f, AttentionOptions options, MemorySegment q, double most) {
    KvView view = f.cache.live();
    double[] expected = ReferenceAttention.attend(view, 1, options, 1, q);
    MemorySegment out = f.outputs(1);
    attention.decode(view, 1, q, out);
    assertThat(Fixture.error(expected, out)).isLessThan(most);
    MemorySegment other = f.outputs(1);
    attention.prefill(view, 1, 1, q, other);
    assertThat(other.mismatch(out)).isEqualTo(-1);
    attention.prefillTree(view, 1, TokenTree.chain(1), q, other);
    assertThat(other.mismatch(out)).isEqualTo(-1);
    MemorySegment twice = f.outputs(2);
    MemorySegment queries = f.zeros(2L * HEADS * DIM);
    queries.copyFrom(q);
    MemorySegment.copy(q, 0, queries, q.byteSize(), q.byteSize());
    attention.decode(List.of(view, view), 1, queries, twice);
    assertThat(twice.asSlice(0, out.byteSize()).mismatch(out)).isEqualTo(-1);
    assertThat(twice.asSlice(out.byteSize()).mismatch(out)).isEqualTo(-1);
  }

  /** BF16 keys near 1e18 with queries near 1e37 gave NaN, inf - inf within a dot product. */
  @ParameterizedTest
  @MethodSource("makesAndTypes")
  void scoresBeyondTheRangeOfFloats(Kernels kernels, KvType type) {
    double keys = type == KvType.F16 ? 1e4 : 1e18;
    try (Fixture f = fixture(type);
        GqaAttention attention = GqaAttention.create(f.layout(), f.options, team, kernels)) {
      append(f, TOKENS, t -> keys, t -> 1);
      MemorySegment q = f.queries(1);
      scale(q, i -> 1e37);
      isRight(attention, f, f.options, q, 1e-6);
    }
  }

  /** One token only has such a score: it must not be lost, wherever it stands. */
  @ParameterizedTest
  @MethodSource("makesAndTypes")
  void aScoreThatIsNotANumberIsLostNowhere(Kernels kernels, KvType type) {
    if (type == KvType.F16) {
      // Its keys cannot be that large: the test of the softmax does it.
      return;
    }
    // The lanes of a vector are looked at by the test of the softmax.
    int[] places = {0, 127, 128, 511, 512, 613, 1024, 1109, 1110};
    for (int place : places) {
      try (Fixture f = fixture(type);
          GqaAttention attention = GqaAttention.create(f.layout(), f.options, team, kernels)) {
        append(f, TOKENS, t -> t == place ? 1e32 : 1e-6, t -> 1);
        MemorySegment q = f.queries(1);
        scale(q, i -> 1e7);
        MemorySegment out = f.outputs(1);
        attention.decode(f.cache.live(), 1, q, out);
        double[] expected = ReferenceAttention.attend(f.cache.live(), 1, f.options, 1, q);
        assertThat(Fixture.error(expected, out)).isLessThan(1e-3);
      }
    }
  }

  /** All scores overflow to one side: the result was a mean of all values, or zeros. */
  @ParameterizedTest
  @MethodSource("makesAndWideTypes")
  void scoresThatAllOverflowToOneSide(Kernels kernels, KvType type) {
    for (float sign : new float[] {1, -1}) {
      try (Fixture f = fixture(type);
          GqaAttention attention = GqaAttention.create(f.layout(), f.options, team, kernels)) {
        append(f, 200, t -> 1e30, t -> 1);
        // All products of one sign: each query value has that of the last token's key value.
        float[] key = new float[DIM];
        MemorySegment q = f.queries(1);
        for (int head = 0; head < HEADS; head++) {
          RowReader.key(f.cache.live(), 1, head / 4, 199, key);
          for (int d = 0; d < DIM; d++) {
            q.setAtIndex(FLOAT, head * DIM + d, sign * Math.signum(key[d]) * 1e20f);
          }
        }
        isRight(attention, f, f.options, q, 1e-6);
      }
      try (Fixture f = fixture(type);
          GqaAttention attention = GqaAttention.create(f.layout(), f.options, team, kernels)) {
        // A single token, whose score overflows: its value is the result.
        append(f, 1, t -> 1e30, t -> 1);
        MemorySegment q = f.queries(1);
        scale(q, i -> sign * 1e20);
        isRight(attention, f, f.options, q, 1e-6);
      }
    }
  }

  /** F32 values of 3e38 and -3e38 gave Infinity, or NaN, for a mean of 6e37. */
  @ParameterizedTest
  @MethodSource("makesAndWideTypes")
  void valuesWhoseSumsLeaveTheRangeOfFloats(Kernels kernels, KvType type) {
    for (int tokens : new int[] {5, TOKENS}) {
      try (Fixture f = fixture(type);
          GqaAttention attention = GqaAttention.create(f.layout(), f.options, team, kernels)) {
        for (int layer = 0; layer < 2; layer++) {
          MemorySegment keys = scaled(f, tokens, t -> 1e-3);
          MemorySegment values = f.zeros((long) tokens * 2 * DIM);
          for (int i = 0; i < tokens * 2 * DIM; i++) {
            values.setAtIndex(FLOAT, i, i / (2 * DIM) % 5 < 3 ? 3e38f : -3e38f);
          }
          f.cache.append(layer, keys, values, tokens);
        }
        f.cache.advance(tokens);
        isRight(attention, f, f.options, f.queries(1), 1e-5);
      }
    }
  }

  /** What a window, sinks, a soft cap and a learned sink do, they do for such rows too. */
  @ParameterizedTest
  @MethodSource("makesAndWideTypes")
  void optionsHoldBeyondTheRangeOfFloats(Kernels kernels, KvType type) {
    try (Fixture f = fixture(type)) {
      // Tokens that are not seen would take all the weight.
      append(f, TOKENS, t -> t >= 100 && t < 500 ? 1e35 : 1e18, t -> 1);
      MemorySegment q = f.queries(1);
      scale(q, i -> 1e37);
      AttentionOptions window = f.options.withWindow(600).withSinkTokens(70);
      try (GqaAttention attention = GqaAttention.create(f.layout(), window, team, kernels)) {
        isRight(attention, f, window, q, 1e-6);
      }
      AttentionOptions capped = window.withSoftCap(20);
      float[] sinks = new float[HEADS];
      for (int head = 0; head < HEADS; head++) {
        sinks[head] = 19 + head / 2f;
      }
      try (GqaAttention attention = GqaAttention.create(f.layout(), capped, sinks, team, kernels)) {
        MemorySegment out = f.outputs(1);
        attention.decode(f.cache.live(), 1, q, out);
        double[] expected =
            ReferenceAttention.attend(f.cache.live(), 1, capped, sinks, TokenTree.chain(1), q);
        assertThat(Fixture.error(expected, out)).isLessThan(1e-5);
      }
    }
  }

  @ParameterizedTest
  @MethodSource("makesAndWideTypes")
  void tokensOfATreeSeeTheirPathOnly(Kernels kernels, KvType type) {
    TokenTree tree = TokenTree.of(-1, 0, 0, 1, 2);
    try (Fixture f = fixture(type);
        GqaAttention attention = GqaAttention.create(f.layout(), f.options, team, kernels)) {
      append(f, 300, t -> 1e18, t -> 1);
      MemorySegment q = f.queries(5);
      scale(q, i -> 1e37);
      MemorySegment out = f.outputs(5);
      attention.prefillTree(f.cache.live(), 1, tree, q, out);
      double[] expected = ReferenceAttention.attend(f.cache.live(), 1, f.options, null, tree, q);
      assertThat(Fixture.error(expected, out)).isLessThan(1e-6);
    }
  }

  /** The rows of other heads and tokens keep their bits. */
  @ParameterizedTest
  @MethodSource("makesAndTypes")
  void othersResultsStayAsTheyAre(Kernels kernels, KvType type) {
    try (Fixture f = fixture(type);
        GqaAttention attention = GqaAttention.create(f.layout(), f.options, team, kernels)) {
      f.append(700);
      MemorySegment q = f.queries(3);
      MemorySegment before = f.outputs(3);
      attention.prefill(f.cache.live(), 1, 3, q, before);
      // Head 2 of the second token alone.
      int row = HEADS + 2;
      for (int d = 0; d < DIM; d++) {
        q.setAtIndex(FLOAT, (long) row * DIM + d, (d % 2 == 0 ? 1 : -1) * 3e38f);
      }
      MemorySegment after = f.outputs(3);
      attention.prefill(f.cache.live(), 1, 3, q, after);
      for (int i = 0; i < 3 * HEADS * DIM; i++) {
        float value = after.getAtIndex(FLOAT, i);
        assertThat(Float.isFinite(value)).isTrue();
        if (i / DIM != row) {
          assertThat(value).isEqualTo(before.getAtIndex(FLOAT, i));
        }
      }
    }
  }

  @ParameterizedTest
  @MethodSource("makesAndTypes")
  void aQueryThatIsNotFiniteIsRefusedWithLayerAndHead(Kernels kernels, KvType type) {
    try (Fixture f = fixture(type);
        GqaAttention attention = GqaAttention.create(f.layout(), f.options, team, kernels)) {
      f.append(300);
      KvView view = f.cache.live();
      MemorySegment out = f.outputs(1);
      for (float bad : new float[] {Float.NaN, Float.POSITIVE_INFINITY, Float.NEGATIVE_INFINITY}) {
        MemorySegment q = f.queries(1);
        q.setAtIndex(FLOAT, 5 * DIM + 17, bad);
        assertThatThrownBy(() -> attention.decode(view, 1, q, out))
            .isInstanceOfSatisfying(
                NotFiniteException.class,
                e -> {
                  assertThat(e.layer()).isEqualTo(1);
                  assertThat(e.head()).isEqualTo(5);
                })
            .hasMessageStartingWith("layer 1, head 5: query value 17 of token 299 is " + bad);
        assertThatThrownBy(() -> attention.prefill(view, 0, 1, q, out))
            .hasMessageStartingWith("layer 0, head 5: ");
        assertThatThrownBy(() -> attention.prefillTree(view, 0, TokenTree.chain(1), q, out))
            .hasMessageStartingWith("layer 0, head 5: ");
      }
      // It goes on to work.
      isRight(attention, f, f.options, f.queries(1), 5e-6);
    }
  }

  /** Rows are refused when they are appended; these came into the memory another way. */
  @ParameterizedTest
  @MethodSource("makesAndWideTypes")
  void aRowThatIsNotFiniteIsNamed(Kernels kernels, KvType type) {
    for (boolean key : new boolean[] {true, false}) {
      for (float bad : new float[] {Float.NaN, Float.POSITIVE_INFINITY}) {
        try (Fixture f = fixture(type);
            GqaAttention attention = GqaAttention.create(f.layout(), f.options, team, kernels)) {
          f.append(300);
          KvView view = f.cache.live();
          KvLayout layout = f.layout();
          MemorySegment memory = key ? view.keys(0) : view.values(0);
          long row = key ? layout.keyOffset(1, 1, 200) : layout.valueOffset(1, 1, 200);
          if (type == KvType.F32) {
            memory.set(FLOAT, row + 4 * 9, bad);
          } else {
            memory.set(
                ValueLayout.JAVA_SHORT, row + 2 * 9, (short) (Float.floatToIntBits(bad) >> 16));
          }
          // Head 4 to 7 read it. A key of infinity is right to be ignored where it has no weight.
          MemorySegment q = f.queries(1);
          if (key) {
            for (int head = 0; head < HEADS; head++) {
              q.setAtIndex(FLOAT, head * DIM + 9, 2);
            }
          }
          assertThatThrownBy(() -> attention.decode(view, 1, q, f.outputs(1)))
              .isInstanceOfSatisfying(
                  NotFiniteException.class, e -> assertThat(e.head()).isBetween(4, 7))
              .hasMessageContaining("value 9 of token 200 is " + bad);
        }
      }
    }
  }

  /** Wherever a NaN stands, in whatever state: the row's sum is NaN from then on, no other row's. */
  @ParameterizedTest
  @MethodSource("io.gatun.attention.GqaAttentionTest#makes")
  void theSoftmaxLosesNoNaN(Kernels kernels) {
    KvLayout layout = KvLayout.of(new KvShape(1, 1, DIM, DIM), KvType.F32);
    ValueKernel values = kernels.values(layout);
    SoftmaxKernel softmax = kernels.softmax(values);
    int group = kernels.tokensPerVector();
    int lanes = group * Kernels.ROWS;
    int vectors = RowBlock.TILE / group;
    Random random = new Random(11);
    for (int place = 0; place < vectors * lanes; place++) {
      Floats state = Floats.of(3 * lanes);
      softmax.clear(state.array(), 0);
      Floats sums = Floats.of(Kernels.ROWS * values.stride());
      int row = place % lanes / group;
      // Alone, among hidden ones, or among others; before and behind a tile without any.
      for (int tile = 0; tile < 3; tile++) {
        Floats scores = Floats.of(vectors * lanes * values.weightPlanes());
        for (int i = 0; i < vectors * lanes; i++) {
          boolean hidden = place % 3 == 0 || place % 3 == 1 && random.nextBoolean();
          scores.array()[i] =
              tile == 1 && i == place
                  ? Float.NaN
                  : hidden ? Float.NEGATIVE_INFINITY : (float) (50 * random.nextGaussian());
        }
        softmax.step(
            new Call(),
            scores,
            0,
            vectors,
            1.4f,
            values.weightScale(),
            state,
            0,
            sums,
            0,
            values.stride());
      }
      for (int r = 0; r < Kernels.ROWS; r++) {
        assertThat(Float.isNaN(softmax.total(state.array(), 0, r)))
            .as("row %d, NaN at %d", r, place)
            .isEqualTo(r == row);
      }
    }
  }
}
