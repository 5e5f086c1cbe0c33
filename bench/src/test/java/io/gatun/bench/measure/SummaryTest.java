package io.gatun.bench.measure;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;
import static org.assertj.core.api.Assertions.within;

import org.junit.jupiter.api.Test;

class SummaryTest {
  @Test
  void medianOfAnOddNumberIsTheMiddleOne() {
    assertThat(Summary.of(5, 1, 100).median()).isEqualTo(5);
  }

  @Test
  void medianOfAnEvenNumberLiesBetweenTheTwoInTheMiddle() {
    assertThat(Summary.of(4, 1, 2, 100).median()).isEqualTo(3);
  }

  @Test
  void spreadLeavesOutTheOutermostTenth() {
    double[] samples = new double[11];
    for (int i = 0; i < 11; i++) {
      samples[i] = i;
    }
    samples[10] = 1e9;
    Summary summary = Summary.of(samples);
    assertThat(summary.low()).isEqualTo(1);
    assertThat(summary.high()).isEqualTo(9);
    assertThat(summary.relativeSpread()).isCloseTo(0.8, within(1e-12));
    assertThat(summary.count()).isEqualTo(11);
  }

  @Test
  void oneSampleHasNoSpread() {
    assertThat(Summary.of(7)).isEqualTo(new Summary(7, 7, 7, 1));
    assertThat(Summary.of(7).relativeSpread()).isZero();
  }

  @Test
  void refusesNothingAndWhatIsNotANumber() {
    assertThatIllegalArgumentException().isThrownBy(Summary::of).withMessage("no samples");
    assertThatIllegalArgumentException()
        .isThrownBy(() -> Summary.of(1, Double.NaN))
        .withMessageContaining("not a number");
  }
}
