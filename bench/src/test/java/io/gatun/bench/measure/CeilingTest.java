package io.gatun.bench.measure;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.List;
import org.junit.jupiter.api.Test;

class CeilingTest {
  @Test
  void roofIsCappedForSeveralThreadsOnly() {
    assertThat(Ceiling.most(1)).isInfinite();
    assertThat(Ceiling.most(2)).isEqualTo(46);
    assertThat(Ceiling.explain(List.of(Summary.of(38), Summary.of(58.25))))
        .contains("38.0 to 58.3 GB/s")
        .contains("at most 46 GB/s");
  }
}
