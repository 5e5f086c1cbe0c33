package io.gatun.bench.show;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatExceptionOfType;

import io.gatun.cache.GatunException;
import java.io.IOException;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class FloorsTest {
  private static final String FILE =
      "{\"margin\": 0.1, \"reached\": {\"f32 a\": 0.9, \"bf16 a\": 0.8, \"q8 a\": 0.5}}";

  private static Floors.Verdict check(Map<String, Double> shares) throws IOException {
    return Floors.parse("floors.json", FILE.getBytes(UTF_8)).check(shares);
  }

  @Test
  void holdsWithinTheMargin() throws IOException {
    Floors.Verdict verdict = check(Map.of("f32 a", 0.8101, "bf16 a", 0.95, "f16 new", 0.1));
    assertThat(verdict.passed()).isTrue();
    assertThat(verdict.text()).contains("all 2 that have a floor in floors.json hold it");
  }

  @Test
  void namesWhatFell() throws IOException {
    Floors.Verdict verdict = check(Map.of("f32 a", 0.809, "bf16 a", 0.8));
    assertThat(verdict.passed()).isFalse();
    assertThat(verdict.text())
        .contains("FELL  f32 a: 0.809 of the roof, below its floor of 0.810 (0.900 was reached)")
        .contains("1 of 2 fell")
        .doesNotContain("FELL  bf16");
  }

  @Test
  void aCheckThatComparesNothingDoesNotPass() throws IOException {
    Floors.Verdict verdict = check(Map.of("other", 1.0));
    assertThat(verdict.passed()).isFalse();
    assertThat(verdict.text()).contains("nothing was checked");
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      value = {
        "{|is not JSON",
        "{}|\"margin\" must be a number",
        "{\"margin\": 1.5, \"reached\": {}}|\"margin\" must be a number",
        "{\"margin\": 0.1}|\"reached\" must be an object",
        "{\"margin\": 0.1, \"reached\": {\"x\": \"y\"}}|the share of 'x' is not a number"
      })
  void refusesWhatIsNotAFloorsFile(String json, String message) {
    assertThatExceptionOfType(GatunException.class)
        .isThrownBy(() -> Floors.parse("f.json", json.getBytes(UTF_8)))
        .withMessageStartingWith("f.json")
        .withMessageContaining(message);
  }

  @Test
  void theBuiltInFloorsLoad() throws IOException {
    assertThat(Floors.load(null)).isNotNull();
  }
}
