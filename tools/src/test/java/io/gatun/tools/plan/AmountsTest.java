package io.gatun.tools.plan;

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
  @CsvSource({
    "24GiB, 25769803776",
    "24G, 25769803776",
    "24Gi, 25769803776",
    "80GB, 80000000000",
    "80gb, 80000000000",
    "0.5TiB, 549755813888",
    "512MiB, 536870912",
    "1000, 1000",
    "1000B, 1000",
    "40GB/s, 40000000000"
  })
  void bytes(String text, long bytes) {
    assertThat(Amounts.bytes(text)).isEqualTo(bytes);
  }

  @ParameterizedTest
  @ValueSource(strings = {"", "k", "-1", "12x", "1e3", "0", "0.1", "999999999999999m", "4 GiB"})
  void refusedTokens(String text) {
    assertThatThrownBy(() -> Amounts.tokens(text))
        .isInstanceOf(GatunException.class)
        .hasMessageContaining("'" + text + "'");
  }

  @ParameterizedTest
  @ValueSource(strings = {"", "GiB", "-1GiB", "24Gib5", "24 parsecs", "0", "99999999PiB", "1GiBs"})
  void refusedBytes(String text) {
    assertThatThrownBy(() -> Amounts.bytes(text))
        .isInstanceOf(GatunException.class)
        .hasMessageContaining("'" + text + "'");
  }

  @Test
  void human() {
    assertThat(Amounts.human(0)).isEqualTo("0 bytes");
    assertThat(Amounts.human(1023)).isEqualTo("1023 bytes");
    assertThat(Amounts.human(1024)).isEqualTo("1.00 KiB");
    assertThat(Amounts.human(5L << 28)).isEqualTo("1.25 GiB");
    assertThat(Amounts.human(70_272)).isEqualTo("68.6 KiB");
    assertThat(Amounts.human((1L << 30) - 1)).isEqualTo("1.00 GiB");
    assertThat(Amounts.human(Long.MAX_VALUE)).isEqualTo("8.00 EiB");
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
