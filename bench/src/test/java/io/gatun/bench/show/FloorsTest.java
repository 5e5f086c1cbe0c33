package io.gatun.bench.show;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatExceptionOfType;

import io.gatun.bench.system.Machine;
import io.gatun.cache.GatunException;
import java.io.IOException;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class FloorsTest {
  private static final String FILE =
      """
      { "comment": "any", "machines": [
        { "cpu": "AMD EPYC", "vectorBits": 512, "floors": {"f32 a": 0.81, "bf16 a": 0.72, "q8 a": 0.5}},
        { "cpu": "AMD EPYC", "vectorBits": 256, "floors": {"f32 a": 0.5}},
        { "cpu": "Xeon", "vectorBits": 512, "comment": "any", "floors": {"f32 a": 0.7}}]}
      """;

  private static Machine machine(String cpu, int vectorBits) {
    return new Machine(cpu, 2, 0, "os", "jdk", vectorBits, "commit", "now");
  }

  private static Floors.Verdict check(Map<String, Double> shares) throws IOException {
    return check(machine("AMD EPYC", 512), shares);
  }

  private static Floors.Verdict check(Machine here, Map<String, Double> shares) throws IOException {
    return Floors.parse("floors.json", FILE.getBytes(UTF_8), here).check(shares);
  }

  @Test
  void whatIsNotBelowItsFloorHolds() throws IOException {
    Floors.Verdict verdict = check(Map.of("f32 a", 0.81, "bf16 a", 0.95, "f16 new", 0.1));
    assertThat(verdict.passed()).isTrue();
    assertThat(verdict.text())
        .isEqualTo(
            "Check: all 2 that have a floor in floors.json (measured on AMD EPYC, 512-bit vectors)"
                + " hold it.\n");
  }

  @Test
  void namesWhatFell() throws IOException {
    Floors.Verdict verdict = check(Map.of("f32 a", 0.809, "bf16 a", 0.8));
    assertThat(verdict.passed()).isFalse();
    assertThat(verdict.text())
        .contains("FELL  f32 a: 0.809 of the roof, below its floor of 0.810")
        .contains("1 of 2 fell")
        .doesNotContain("FELL  bf16");
  }

  @Test
  void eachMachineHasFloorsOfItsOwn() throws IOException {
    Map<String, Double> shares = Map.of("f32 a", 0.75);
    assertThat(check(machine("Xeon", 512), shares).passed()).isTrue();
    assertThat(check(machine("AMD EPYC", 256), shares).passed()).isTrue();
    assertThat(check(machine("AMD EPYC", 512), shares).passed()).isFalse();
  }

  @ParameterizedTest
  @CsvSource({
    "Xeon, 256, 'AMD EPYC, 256-bit'",
    "Core i7, 512, 'AMD EPYC, 512-bit'",
    "Core i7, 128, 'AMD EPYC, 512-bit'"
  })
  void saysThatTheFloorsAreAnotherMachines(String cpu, int bits, String set) throws IOException {
    assertThat(check(machine(cpu, bits), Map.of("f32 a", 1.0)).text())
        .contains("Another machine: these floors were set on " + set + " vectors; this is " + cpu);
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
        "{}|\"machines\" must be a list",
        "{\"machines\": []}|\"machines\" must be a list of at least one machine",
        "{\"machines\": [{\"vectorBits\": 512, \"floors\": {}}]}|needs \"cpu\"",
        "{\"machines\": [{\"cpu\": \"x\", \"vectorBits\": 512}]}|\"floors\" must be an object",
        "{\"machines\": [{\"cpu\": \"x\", \"vectorBits\": 512, \"floors\": {\"x\": \"y\"}}]}|the"
            + " floor of 'x' is not",
        "{\"machines\": [{\"cpu\": \"x\", \"vectorBits\": 512, \"floors\": {\"x\": 0}}]}|the floor"
            + " of 'x' is not"
      })
  void refusesWhatIsNotAFloorsFile(String json, String message) {
    assertThatExceptionOfType(GatunException.class)
        .isThrownBy(() -> Floors.parse("f.json", json.getBytes(UTF_8), machine("any", 512)))
        .withMessageStartingWith("f.json")
        .withMessageContaining(message);
  }

  @Test
  void theBuiltInFloorsLoad() throws IOException {
    assertThat(Floors.load(null, machine("any", 512))).isNotNull();
  }
}
