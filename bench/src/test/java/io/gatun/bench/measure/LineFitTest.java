package io.gatun.bench.measure;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;
import static org.assertj.core.api.Assertions.within;

import org.junit.jupiter.api.Test;

class LineFitTest {
  @Test
  void findsAnExactLine() {
    LineFit fit = LineFit.of(new double[] {1, 2, 4, 8}, new double[] {13, 16, 22, 34});
    assertThat(fit.slope()).isCloseTo(3, within(1e-12));
    assertThat(fit.base()).isCloseTo(10, within(1e-12));
    assertThat(fit.worst()).isCloseTo(0, within(1e-12));
    assertThat(fit.at(100)).isCloseTo(310, within(1e-9));
  }

  @Test
  void oneDisturbedPointOfSevenDoesNotMoveIt() {
    double[] x = {1, 2, 3, 4, 5, 6, 7};
    double[] y = {2, 4, 6, 800, 10, 12, 14};
    LineFit fit = LineFit.of(x, y);
    assertThat(fit.slope()).isCloseTo(2, within(1e-12));
    assertThat(fit.base()).isCloseTo(0, within(1e-12));
    assertThat(fit.worst()).isCloseTo(0.99, within(1e-12));
  }

  @Test
  void pointsAboveEachOtherGiveNoSlope() {
    LineFit fit = LineFit.of(new double[] {1, 1, 2}, new double[] {3, 5, 4});
    assertThat(fit.slope()).isCloseTo(0, within(1e-12));
    assertThatIllegalArgumentException()
        .isThrownBy(() -> LineFit.of(new double[] {3, 3}, new double[] {1, 2}))
        .withMessageContaining("two different x");
  }

  @Test
  void refusesUnequalLengths() {
    assertThatIllegalArgumentException()
        .isThrownBy(() -> LineFit.of(new double[2], new double[3]))
        .withMessage("2 x, but 3 y");
  }
}
