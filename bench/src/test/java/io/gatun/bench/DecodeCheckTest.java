package io.gatun.bench;

import static org.assertj.core.api.Assertions.assertThat;

import io.gatun.bench.measure.Bound;
import io.gatun.bench.measure.Summary;
import io.gatun.bench.show.Floors;
import io.gatun.bench.system.Machine;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** What {@code bench decode --check} makes of measured rows, without measuring. */
class DecodeCheckTest {
  private static final Machine HERE = new Machine("here", 2, 0, "os", "jdk", 512, "commit", "now");

  @TempDir Path folder;

  private static DecodeRow row(String type, double roofShare) {
    Summary one = Summary.of(1);
    Summary share = Summary.of(roofShare);
    return new DecodeRow(
        type,
        "32/8/128",
        4096,
        2,
        "anonymous",
        17,
        1 << 25,
        1 << 26,
        one,
        one,
        one,
        share,
        share,
        one,
        new Bound(Bound.MEMORY, one, share, share),
        0);
  }

  private Floors floors() throws IOException {
    Path file = folder.resolve("floors.json");
    Files.writeString(
        file,
        """
        { "machines": [
          { "cpu": "here", "vectorBits": 512, "floors": {
            "f32 32/8/128 4096 tokens 2 threads anonymous": 0.81,
            "bf16 32/8/128 4096 tokens 2 threads anonymous": 0.72 } } ] }
        """);
    return Floors.load(file, HERE);
  }

  private static String printed(Runnable work) {
    PrintStream before = System.out;
    ByteArrayOutputStream bytes = new ByteArrayOutputStream();
    try (PrintStream out = new PrintStream(bytes, true, StandardCharsets.UTF_8)) {
      System.setOut(out);
      work.run();
    } finally {
      System.setOut(before);
    }
    return bytes.toString(StandardCharsets.UTF_8);
  }

  @Test
  void exitCodeIsZeroWhereAllHold() throws IOException {
    Floors floors = floors();
    String text =
        printed(() ->
            assertThat(DecodeCommand.verdict(floors, List.of(row("f32", 0.82), row("bf16", 0.95))))
                .isZero());
    assertThat(text).contains("all 2 that have a floor in");
  }

  @Test
  void exitCodeIsOneAndTheNameIsGivenWhereOneFell() throws IOException {
    Floors floors = floors();
    String text =
        printed(() ->
            assertThat(DecodeCommand.verdict(floors, List.of(row("f32", 0.80), row("bf16", 0.95))))
                .isEqualTo(1));
    assertThat(text)
        .contains("FELL  f32 32/8/128 4096 tokens 2 threads anonymous: 0.800 of the roof")
        .contains("1 of 2 fell");
  }

  @Test
  void theBuiltInFloorsNameRowsThatAQuickRunHas() throws IOException {
    String text = printed(() -> checkBuiltIn());
    assertThat(text)
        .contains("all 3 that have a floor in bench/floors.json (measured on ")
        .contains("Another machine:");
  }

  private static void checkBuiltIn() {
    try {
      List<DecodeRow> rows = List.of(row("f32", 1), row("f16", 1), row("bf16", 1));
      assertThat(DecodeCommand.verdict(Floors.load(null, HERE), rows)).isZero();
    } catch (IOException e) {
      throw new java.io.UncheckedIOException(e);
    }
  }
}
