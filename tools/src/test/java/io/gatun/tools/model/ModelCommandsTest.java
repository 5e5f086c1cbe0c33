package io.gatun.tools.model;

import static org.assertj.core.api.Assertions.assertThat;

import io.gatun.attention.Team;
import io.gatun.cache.KvCache;
import io.gatun.tools.Gatun;
import java.io.ByteArrayOutputStream;
import java.io.PrintStream;
import java.lang.foreign.ValueLayout;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class ModelCommandsTest {
  @TempDir Path folder;

  private String run(int exitCode, String... args) {
    ByteArrayOutputStream bytes = new ByteArrayOutputStream();
    PrintStream out = System.out;
    PrintStream err = System.err;
    try (PrintStream both = new PrintStream(bytes, true, StandardCharsets.UTF_8)) {
      System.setOut(both);
      System.setErr(both);
      assertThat(Gatun.commandLine().execute(args)).isEqualTo(exitCode);
    } finally {
      System.setOut(out);
      System.setErr(err);
    }
    return bytes.toString(StandardCharsets.UTF_8);
  }

  @Test
  void aRandomModelIsWrittenRunAndMeasured() {
    String path = folder.resolve("m").toString();
    assertThat(run(0, "model", "random", path, "--like", "tiny", "--type", "f16"))
        .contains("random f16 weights")
        .contains("in the shape of tiny");
    try (Model model = Model.load(Path.of(path));
        KvCache cache = KvCache.builder(model.kvShape()).build();
        Team team = Team.of(2);
        Decoder decoder = new Decoder(model, cache, team)) {
      int[] ids = model.tokenizer().encode("Gatún", true);
      assertThat(ids).hasSize(6);
      for (float logit : decoder.prefill(ids, 0, 6).toArray(ValueLayout.JAVA_FLOAT)) {
        assertThat(logit).isFinite();
      }
      assertThat(decoder.timings().tokens()).isEqualTo(6);
      assertThat(decoder.timings().weightsNanos()).isPositive();
    }
    String speed = run(0, "model", "speed", path, "--rounds", "2", "--threads", "2");
    assertThat(speed).containsPattern("decode +[0-9.]+ tokens/s").contains("of the FMA peak");
  }

  @Test
  void wrongArgumentsGetOneSentence() {
    assertThat(run(1, "model", "random", folder.toString(), "--like", "gpt"))
        .contains("there is no shape 'gpt'; there are llama-3.2-1b")
        .doesNotContain("\tat ");
    assertThat(run(1, "model", "random", folder.toString(), "--type", "q2"))
        .contains("weight type 'q2' is not one of f16, bf16, f32")
        .doesNotContain("\tat ");
    assertThat(run(1, "model", "speed", folder.toString()))
        .contains("has neither model.safetensors nor")
        .doesNotContain("\tat ");
  }
}
