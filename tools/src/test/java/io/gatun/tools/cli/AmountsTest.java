package io.gatun.tools.cli;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.gatun.cache.GatunException;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

class AmountsTest {
  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      value = {
        "1|1",
        "4096|4096",
        "128k|131072",
        "128K|131072",
        "1m|1048576",
        "100,000|100000",
        "100_000|100000",
        "1.5k|1536",
        " 32 Ki |32768"
      })
  void tokens(String text, long tokens) {
    assertThat(Amounts.tokens(text)).isEqualTo(tokens);
  }

  @ParameterizedTest
  @ValueSource(strings = {"", "k", "-1", "12x", "1e3", "0", "0.1", "999999999999999m", "4 GiB"})
  void refusedTokens(String text) {
    assertThatThrownBy(() -> Amounts.tokens(text))
        .isInstanceOf(GatunException.class)
        .hasMessageContaining("'" + text + "'");
  }

  @Test
  void seconds() {
    assertThat(Amounts.seconds(12)).isEqualTo("12 s");
    assertThat(Amounts.seconds(1.5)).isEqualTo("1.50 s");
    assertThat(Amounts.seconds(0.4494)).isEqualTo("449 ms");
    assertThat(Amounts.seconds(0.01427)).isEqualTo("14.27 ms");
    assertThat(Amounts.seconds(0.00002)).isEqualTo("20.0 us");
  }
}
