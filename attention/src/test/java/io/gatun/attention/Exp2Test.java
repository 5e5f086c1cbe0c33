package io.gatun.attention;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import org.junit.jupiter.api.Test;

class Exp2Test {
  @Test
  void isWithinTwoRoundings() {
    for (float x = -125.99f; x <= 127; x += 0.00317f) {
      double expected = Math.pow(2, x);
      assertThat(Exp2.of(x) / expected).isCloseTo(1, within(1.5e-7));
    }
  }

  @Test
  void isExactWhereTheMergeReliesOnIt() {
    for (int x = -126; x <= 127; x++) {
      assertThat(Exp2.of(x)).isEqualTo((float) Math.pow(2, x));
    }
    assertThat(Exp2.of(-0f)).isEqualTo(1f);
    assertThat(Exp2.of(-126.01f)).isZero();
    assertThat(Exp2.of(-1e30f)).isZero();
    assertThat(Exp2.of(Float.NEGATIVE_INFINITY)).isZero();
  }

  @Test
  void tanhKeepsItsRelativeAccuracyNearZero() {
    for (float x = 1e-6f; x < 40; x *= 1.003f) {
      assertThat(Exp2.tanh(x) / Math.tanh(x)).isCloseTo(1, within(4e-7));
      assertThat(Exp2.tanh(-x)).isNegative();
      assertThat(Exp2.tanh(-x) / Math.tanh(-x)).isCloseTo(1, within(4e-7));
    }
    assertThat(Exp2.tanh(0)).isZero();
    assertThat(Exp2.tanh(Float.POSITIVE_INFINITY)).isEqualTo(1f);
  }
}
