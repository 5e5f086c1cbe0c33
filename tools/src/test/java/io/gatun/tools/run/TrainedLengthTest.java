package io.gatun.tools.run;

import static org.assertj.core.api.Assertions.assertThat;

import io.gatun.tools.Gatun;
import io.gatun.tools.model.RandomCheckpoint;
import io.gatun.tools.safetensors.TensorType;
import java.io.PrintWriter;
import java.io.StringWriter;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import picocli.CommandLine;

/** A run ends where the training did, and says what would lift that. */
class TrainedLengthTest {
  private static final String SENTENCE =
      "33 tokens are more than the 32 that the model was trained for (max_position_embeddings);"
          + " --beyond-trained-length goes on regardless";

  @TempDir Path folder;

  private record Ended(int code, String out, String err) {}

  private Ended run(Map<String, Object> changes, String prompt, String... more) {
    Map<String, Object> config = new LinkedHashMap<>();
    config.put("model_type", "llama");
    config.put("hidden_size", 64);
    config.put("intermediate_size", 96);
    config.put("num_hidden_layers", 2);
    config.put("num_attention_heads", 4);
    config.put("num_key_value_heads", 2);
    config.put("vocab_size", 256);
    config.put("max_position_embeddings", 32);
    config.putAll(changes);
    Path model = folder.resolve("m" + changes.size());
    if (!java.nio.file.Files.exists(model)) {
      RandomCheckpoint.write(model, config, TensorType.F32, Long.MAX_VALUE, 1, written -> {});
    }
    List<String> args =
        new ArrayList<>(
            List.of(
                "run",
                "--model",
                model.toString(),
                "--store",
                folder.resolve("store").toString(),
                "--prompt",
                prompt));
    args.addAll(List.of(more));
    StringWriter out = new StringWriter();
    StringWriter err = new StringWriter();
    CommandLine line = Gatun.commandLine();
    line.setOut(new PrintWriter(out, true)).setErr(new PrintWriter(err, true));
    int code = line.execute(args.toArray(String[]::new));
    return new Ended(code, out.toString(), err.toString());
  }

  @Test
  void theTextEndsWhereTheTrainingDid() {
    Ended ended = run(Map.of(), "a".repeat(20), "--max-tokens", "40", "--conversation", "a");
    assertThat(ended.code).isEqualTo(1);
    assertThat(ended.err)
        .contains("the model was trained for 32 tokens, of which 12 are left for the answer")
        .contains(SENTENCE)
        .doesNotContain("Exception");
    // What was generated is committed: 32 tokens stand there, and one more is too many.
    Ended again = run(Map.of(), "b", "--max-tokens", "0", "--conversation", "a");
    assertThat(again.code).isEqualTo(1);
    assertThat(again.err).contains(SENTENCE);
    Ended on =
        run(Map.of(), "b", "--max-tokens", "5", "--conversation", "a", "--beyond-trained-length");
    assertThat(on.err).doesNotContain("trained for");
    assertThat(on.code).isZero();
  }

  @Test
  void aPromptThatIsTooLongIsNotTakenIn() {
    Ended ended = run(Map.of(), "a".repeat(33), "--max-tokens", "1", "--conversation", "b");
    assertThat(ended.code).isEqualTo(1);
    assertThat(ended.err).contains(SENTENCE);
    assertThat(run(Map.of(), "ab", "--max-tokens", "3", "--conversation", "b").code).isZero();
  }

  @Test
  void anglesForLongerTextsLiftTheLimit() {
    Map<String, Object> dynamic =
        Map.of("rope_scaling", Map.of("rope_type", "dynamic", "factor", 2.0));
    Ended ended = run(dynamic, "a".repeat(40), "--max-tokens", "1", "--conversation", "c");
    assertThat(ended.code).isEqualTo(1);
    assertThat(ended.err).contains("--rope-length 64 makes the angles for longer texts");
    Ended longer =
        run(
            dynamic,
            "a".repeat(40),
            "--max-tokens",
            "1",
            "--conversation",
            "d",
            "--rope-length",
            "64");
    assertThat(longer.code).isZero();
  }
}
