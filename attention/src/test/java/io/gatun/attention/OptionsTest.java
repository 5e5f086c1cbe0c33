package io.gatun.attention;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.gatun.cache.KvShape;
import io.gatun.cache.KvType;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.function.UnaryOperator;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;

/** Shapes and options off the beaten track, against the formula in double. */
class OptionsTest {
  private record Case(
      String name,
      KvShape shape,
      KvType keys,
      KvType values,
      int numHeads,
      int length,
      int tokens,
      UnaryOperator<AttentionOptions> options) {
    @Override
    public String toString() {
      return name;
    }
  }

  private static Case shape(String name, KvShape shape, KvType keys, KvType values, int heads) {
    return new Case(name, shape, keys, values, heads, 700, 5, o -> o);
  }

  private static Case option(String name, int length, UnaryOperator<AttentionOptions> options) {
    return new Case(
        name, new KvShape(1, 2, 64, 64), KvType.F32, KvType.F32, 6, length, 40, options);
  }

  static Stream<Arguments> cases() {
    Stream<Case> cases =
        Stream.of(
            shape("keys wider", new KvShape(1, 2, 192, 128), KvType.F32, KvType.F32, 4),
            shape("values wider", new KvShape(1, 1, 32, 96), KvType.BF16, KvType.BF16, 3),
            shape("F32 and BF16", new KvShape(1, 2, 64, 64), KvType.F32, KvType.BF16, 10),
            shape("F16 and F32", new KvShape(1, 2, 64, 64), KvType.F16, KvType.F32, 14),
            shape("BF16 and F16", new KvShape(1, 2, 64, 64), KvType.BF16, KvType.F16, 32),
            shape("latent F32", KvShape.latent(1, 128, 16), KvType.F32, KvType.F32, 16),
            shape("latent BF16", KvShape.latent(1, 512, 64), KvType.BF16, KvType.BF16, 16),
            shape("dim 1", new KvShape(1, 1, 1, 1), KvType.F32, KvType.F32, 2),
            shape("dim 3", new KvShape(1, 2, 3, 5), KvType.F16, KvType.F16, 2),
            shape("dim 7", new KvShape(1, 1, 7, 7), KvType.BF16, KvType.F16, 5),
            shape("dim 17", new KvShape(1, 1, 17, 33), KvType.F32, KvType.BF16, 7),
            shape("dim 72", new KvShape(1, 2, 72, 72), KvType.F16, KvType.F16, 8),
            shape("dim 100", new KvShape(1, 1, 100, 100), KvType.BF16, KvType.BF16, 9),
            shape("dim 112", new KvShape(1, 1, 112, 112), KvType.BF16, KvType.F32, 16),
            option("window 1", 300, o -> o.withWindow(1)),
            option("window 63", 300, o -> o.withWindow(63)),
            option("window 600", 1300, o -> o.withWindow(600)),
            option("window past the start", 50, o -> o.withWindow(600)),
            option("window and sinks", 700, o -> o.withWindow(90).withSinkTokens(4)),
            option("sinks past a split", 1300, o -> o.withWindow(90).withSinkTokens(700)),
            option("sinks that touch the window", 200, o -> o.withWindow(90).withSinkTokens(130)),
            option("soft cap", 700, o -> o.withSoftCap(2.5f)),
            option("soft cap never reached", 700, o -> o.withSoftCap(50)),
            option("soft cap and window", 700, o -> o.withSoftCap(2).withWindow(129)),
            option("scale", 700, o -> o.withScale(0.5f)));
    return cases.flatMap(c -> GqaAttentionTest.makes().map(k -> Arguments.of(k, c)));
  }

  @ParameterizedTest
  @MethodSource("cases")
  void agreesWithTheFormula(Kernels kernels, Case c) {
    try (Team team = Team.of(2);
        Fixture f = new Fixture(5, c.shape, c.keys, c.values, 128, c.numHeads)) {
      AttentionOptions options = c.options.apply(f.options);
      f.append(c.length);
      try (GqaAttention attention = GqaAttention.create(f.layout(), options, team, kernels)) {
        MemorySegment q = f.queries(c.tokens);
        MemorySegment out = f.outputs(c.tokens);
        attention.prefill(f.cache.live(), 0, c.tokens, q, out);
        double[] expected = ReferenceAttention.attend(f.cache.live(), 0, options, c.tokens, q);
        assertThat(Fixture.error(expected, out)).isLessThan(5e-6);
      }
    }
  }

  /** Scores of thousands: one token takes all the weight, and nothing overflows. */
  @ParameterizedTest
  @MethodSource("io.gatun.attention.GqaAttentionTest#makes")
  void largeLogits(Kernels kernels) {
    KvShape shape = new KvShape(1, 2, 64, 64);
    for (KvType type : Fixture.TYPES) {
      try (Team team = Team.of(2);
          Fixture f = new Fixture(6, shape, type, type, 64, 8)) {
        f.append(600);
        MemorySegment q = f.queries(3);
        for (long i = 0; i < q.byteSize() / 4; i++) {
          q.setAtIndex(ValueLayout.JAVA_FLOAT, i, 1e4f * q.getAtIndex(ValueLayout.JAVA_FLOAT, i));
        }
        MemorySegment out = f.outputs(3);
        try (GqaAttention attention = GqaAttention.create(f.layout(), f.options, team, kernels)) {
          attention.prefill(f.cache.live(), 0, 3, q, out);
          double[] expected = ReferenceAttention.attend(f.cache.live(), 0, f.options, 3, q);
          // A score of 30,000 in f32 is off by up to 0.002, and so are the weights that compete.
          assertThat(Fixture.error(expected, out)).isLessThan(1e-2);
          for (float huge : new float[] {1e20f, 1e30f}) {
            if (type != KvType.F16) {
              for (long i = 0; i < q.byteSize() / 4; i++) {
                q.setAtIndex(ValueLayout.JAVA_FLOAT, i, i % 2 == 0 ? huge : -huge);
              }
              attention.prefill(f.cache.live(), 0, 3, q, out);
              for (long i = 0; i < out.byteSize() / 4; i++) {
                assertThat(out.getAtIndex(ValueLayout.JAVA_FLOAT, i)).isFinite();
              }
            }
          }
        }
      }
    }
  }

  @ParameterizedTest
  @MethodSource("io.gatun.attention.GqaAttentionTest#makes")
  void learnedSinksTakeTheirShare(Kernels kernels) {
    KvShape shape = new KvShape(1, 2, 64, 64);
    float[] sinks = {-200, -2, 0, 1.5f, 9, 300};
    try (Team team = Team.of(2);
        Fixture f = new Fixture(8, shape, KvType.BF16, KvType.BF16, 64, 6)) {
      f.append(700);
      MemorySegment q = f.queries(4);
      MemorySegment out = f.outputs(4);
      MemorySegment last = f.outputs(1);
      try (GqaAttention attention =
          GqaAttention.create(f.layout(), f.options, sinks, team, kernels)) {
        attention.prefill(f.cache.live(), 0, 4, q, out);
        attention.decode(f.cache.live(), 0, q.asSlice(3 * 6 * 64 * 4), last);
      }
      double[] expected = ReferenceAttention.attend(f.cache.live(), 0, f.options, sinks, 4, q);
      assertThat(Fixture.error(expected, out)).isLessThan(5e-6);
      assertThat(last.mismatch(out.asSlice(3 * 6 * 64 * 4))).isEqualTo(-1);
      // The sink of 300 leaves nothing to the tokens.
      for (int d = 0; d < 64; d++) {
        assertThat(last.getAtIndex(ValueLayout.JAVA_FLOAT, 5 * 64 + d)).isZero();
      }
      assertThatThrownBy(() -> GqaAttention.create(f.layout(), f.options, new float[5], team))
          .hasMessage("5 sink logits for 6 heads");
      sinks[2] = Float.NaN;
      assertThatThrownBy(() -> GqaAttention.create(f.layout(), f.options, sinks, team))
          .hasMessage("the sink logit of head 2 is NaN, not finite");
    }
  }

  @Test
  void namesWhatDoesNotFit() {
    KvShape shape = new KvShape(2, 2, 64, 32);
    try (Team team = Team.of(1);
        Fixture f = new Fixture(1, shape, KvType.F32, KvType.F32, 16, 4);
        Fixture other = new Fixture(1, new KvShape(1, 2, 64, 32), KvType.F32, KvType.F32, 16, 4)) {
      assertThatThrownBy(() -> GqaAttention.create(f.layout(), AttentionOptions.of(5, 64), team))
          .hasMessage("numHeads is 5, not a multiple of the cache's 2 KV heads");
      MemorySegment q = f.queries(1);
      MemorySegment out = f.outputs(1);
      GqaAttention attention = GqaAttention.create(f.layout(), f.options, team);
      assertThatThrownBy(() -> attention.decode(f.cache.live(), 0, q, out))
          .hasMessage(
              "layer 0 has 0 tokens, not the 1 that attend: append their keys and values first");
      f.append(3);
      assertThatThrownBy(() -> attention.decode(f.cache.live(), 2, q, out))
          .isInstanceOf(IndexOutOfBoundsException.class);
      assertThatThrownBy(() -> attention.decode(f.cache.live(), 0, q.asSlice(4), out))
          .hasMessage("q takes 1024 bytes for 1 tokens x 4 heads x 64 dims, the segment has 1020");
      assertThatThrownBy(() -> attention.decode(f.cache.live(), 0, q, out.asSlice(4)))
          .hasMessage("out takes 512 bytes for 1 tokens x 4 heads x 32 dims, the segment has 508");
      assertThatThrownBy(() -> attention.prefill(f.cache.live(), 0, 0, q, out))
          .hasMessage("tokens is 0, not at least 1");
      other.append(3);
      assertThatThrownBy(() -> attention.decode(other.cache.live(), 0, q, out))
          .hasMessageStartingWith("the view is of 1 layers x 2 KV heads")
          .hasMessageContaining("not of 2 layers x 2 KV heads");
      attention.close();
      attention.close();
      assertThatThrownBy(() -> attention.decode(f.cache.live(), 0, q, out))
          .hasMessage("the attention is closed");
    }
    assertThatThrownBy(() -> AttentionOptions.of(0, 64))
        .hasMessage("numHeads is 0, not at least 1");
    AttentionOptions options = AttentionOptions.of(4, 64);
    assertThatThrownBy(() -> options.withScale(0))
        .hasMessage("scale is 0.0, not finite and greater than 0");
    assertThatThrownBy(() -> options.withWindow(-1)).hasMessage("window is -1, not 0 or more");
    assertThatThrownBy(() -> options.withSinkTokens(-1))
        .hasMessage("sinkTokens is -1, not 0 or more");
    assertThatThrownBy(() -> options.withSoftCap(Float.NaN))
        .hasMessage("softCap is NaN, not 0 or more");
  }

  @Test
  void aFailureInAWorkerReachesTheCaller() {
    try (Team team = Team.of(2);
        Fixture f = new Fixture(1, new KvShape(1, 4, 64, 64), KvType.F32, KvType.F32, 16, 4)) {
      f.append(40);
      try (GqaAttention attention = GqaAttention.create(f.layout(), f.options, team)) {
        var view = f.cache.view();
        view.close();
        assertThatThrownBy(() -> attention.decode(view, 0, f.queries(1), f.outputs(1)))
            .isInstanceOf(IllegalStateException.class)
            .hasMessage("the view is closed");
        attention.decode(f.cache.live(), 0, f.queries(1), f.outputs(1));
      }
    }
  }
}
