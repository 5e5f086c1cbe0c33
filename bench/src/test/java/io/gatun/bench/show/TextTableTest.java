package io.gatun.bench.show;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;

import io.gatun.bench.measure.Summary;
import org.junit.jupiter.api.Test;

class TextTableTest {
  @Test
  void numbersStandRightAndWordsLeft() {
    TextTable table = new TextTable("type", "us").row("f32", "913").row("bf16", "1,913");
    assertThat(table.text())
        .isEqualTo(
            """
            type     us
            ----  -----
            f32     913
            bf16  1,913
            """);
  }

  @Test
  void refusesARowOfAnotherWidth() {
    assertThatIllegalArgumentException()
        .isThrownBy(() -> new TextTable("a", "b").row("1"))
        .withMessage("1 cells for 2 columns: [1]");
  }

  @Test
  void numbersReadWell() {
    assertThat(Numbers.micros(913_400)).isEqualTo("913");
    assertThat(Numbers.micros(9_134_000)).isEqualTo("9,134");
    assertThat(Numbers.micros(12_340)).isEqualTo("12.3");
    assertThat(Numbers.micros(1_234)).isEqualTo("1.23");
    assertThat(Numbers.tokens(4096)).isEqualTo("4k");
    assertThat(Numbers.tokens(1 << 20)).isEqualTo("1M");
    assertThat(Numbers.tokens(5000)).isEqualTo("5,000");
    assertThat(Numbers.tokens(512)).isEqualTo("512");
    assertThat(Numbers.percent(Summary.of(90, 100, 110))).isEqualTo("±8%");
    assertThat(Numbers.spread(Summary.of(0.8, 0.9))).isEqualTo("0.81-0.89");
    assertThat(Numbers.rate(37.25)).isEqualTo("37.3");
  }
}
