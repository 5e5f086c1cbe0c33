package io.gatun.tools.plan;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.json.JsonMapper;
import io.gatun.tools.cli.Failures;
import java.io.IOException;
import java.io.PrintWriter;
import java.io.StringWriter;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;
import picocli.CommandLine;

class PlanCommandTest {
  private final StringWriter out = new StringWriter();
  private final StringWriter err = new StringWriter();

  private int run(String arguments) {
    return Failures.install(new CommandLine(new PlanCommand()))
        .setOut(new PrintWriter(out))
        .setErr(new PrintWriter(err))
        .execute(arguments.split(" "));
  }

  private JsonNode json(String arguments) throws IOException {
    assertThat(run(arguments + " --json")).as(err.toString()).isZero();
    return new JsonMapper().readTree(out.toString());
  }

  @Test
  void jsonNamesEverything() throws IOException {
    JsonNode plan =
        json(
            "--model Llama-3.1-8B --context 128k --budget 24GiB --kv-type bf16 --bandwidth 40GB/s");
    assertThat(plan.get("model").asText()).isEqualTo("Llama-3.1-8B");
    assertThat(plan.get("layers").asInt()).isEqualTo(32);
    assertThat(plan.get("numHeads").asInt()).isEqualTo(32);
    assertThat(plan.get("numKvHeads").asInt()).isEqualTo(8);
    assertThat(plan.get("headDim").asInt()).isEqualTo(128);
    assertThat(plan.get("kvType").asText()).isEqualTo("bf16");
    assertThat(plan.get("contextTokens").asLong()).isEqualTo(131_072);
    assertThat(plan.get("bytesPerToken").asLong()).isEqualTo(131_072);
    assertThat(plan.get("totalBytes").asLong()).isEqualTo(16L << 30);
    assertThat(plan.get("mhaBytes").asLong()).isEqualTo(64L << 30);
    assertThat(plan.get("mqaBytes").asLong()).isEqualTo(2L << 30);
    assertThat(plan.get("maxTokensInBudget").asLong()).isEqualTo(196_608);
    assertThat(plan.get("attentionFloorSeconds").asDouble()).isEqualTo((16L << 30) / 40e9);
  }

  @Test
  void jsonOfAModelThatNoBudgetBounds() throws IOException {
    JsonNode plan = json("--model Mistral-7B-v0.1 --context 8192 --budget 1GiB --bandwidth none");
    assertThat(plan.get("maxTokensInBudget").isNull()).isTrue();
    assertThat(plan.has("attentionFloorSeconds")).isFalse();
    assertThat(plan.get("totalBytes").asLong()).isEqualTo(1L << 29);
    assertThat(plan.get("totalBytesWithoutWindows").asLong()).isEqualTo(1L << 30);
  }

  @Test
  void theBudgetIsThisMachineUnlessGiven() throws IOException {
    JsonNode plan = json("--model Llama-3.1-8B --bandwidth none");
    assertThat(plan.get("budgetBytes").asLong()).isGreaterThan(100L << 20);
    assertThat(plan.get("maxTokensInBudget").asLong())
        .isEqualTo(plan.get("budgetBytes").asLong() / 131_072);
  }

  @Test
  void batchMultipliesBytesAndDividesTheBudget() throws IOException {
    JsonNode plan =
        json("--model Llama-3.1-8B --context 1k --batch 4 --budget 1GiB --bandwidth none");
    assertThat(plan.get("bytesPerToken").asLong()).isEqualTo(131_072);
    assertThat(plan.get("totalBytes").asLong()).isEqualTo(4L << 27);
    assertThat(plan.get("maxTokensInBudget").asLong()).isEqualTo(2048);
  }

  @Test
  void compareInJsonIsAnArray() throws IOException {
    JsonNode plans = json("--compare Llama-2-7B,Llama-3.1-8B --bandwidth none");
    assertThat(plans.isArray()).isTrue();
    assertThat(plans).hasSize(2);
    assertThat(plans.get(0).get("contextTokens").asLong()).isEqualTo(131_072);
  }

  @Test
  void compareSideBySide() {
    assertThat(run("--compare all --context 4k --bandwidth none")).isZero();
    assertThat(out.toString().lines().filter(l -> l.startsWith("GPT-2 XL*"))).hasSize(1);
    assertThat(out.toString()).contains("* from memory, not checked").contains("DeepSeek-V3 ");
    assertThat(out.toString().lines().skip(2).limit(48))
        .hasSize(48)
        .allMatch(l -> l.length() < 120);
  }

  @Test
  void ownModelAndOverrides() {
    assertThat(
            run(
                "--layers 32 --heads 8 --kv-heads 2 --head-dim 64 --kv-type f32 --context 1000"
                    + " --bandwidth none"))
        .isZero();
    assertThat(out.toString())
        .contains("32,768,000 bytes")
        .contains("131,072,000 bytes   saved 75.0 %, 4.0 times");
  }

  @Test
  void kvHeadsAndWindowOfAKnownModelCanBeChanged() throws IOException {
    JsonNode plan =
        json(
            "--model Llama-3.1-8B --kv-heads 4 --window 1k --context 8k --kv-type f16 --bandwidth"
                + " none");
    assertThat(plan.get("totalBytes").asLong()).isEqualTo(65_536L * 1024);
  }

  @Test
  void configOfAFolder(@TempDir Path folder) throws IOException {
    Files.writeString(
        folder.resolve("config.json"),
        "{\"num_hidden_layers\":2,\"num_attention_heads\":4,\"hidden_size\":64}");
    assertThat(json("--config " + folder + " --bandwidth none").get("bytesPerToken").asLong())
        .isEqualTo(2 * 2 * 4 * 16 * 2);
  }

  @Test
  void theLayersOfAConfigByKindAndTheRulesThatWereUsed(@TempDir Path folder) throws IOException {
    Files.writeString(
        folder.resolve("config.json"),
        """
        {"model_type": "gemma2", "num_hidden_layers": 4, "num_attention_heads": 4,
         "num_key_value_heads": 2, "head_dim": 64, "hidden_size": 256, "sliding_window": 1000}\
        """);
    assertThat(run("--config " + folder + " --bandwidth none --context 2000")).isZero();
    assertThat(out.toString())
        .contains("read by the rules of Gemma 2 (model_type gemma2)")
        .containsPattern("2 +K/V of the last 1,000 tokens +4 on 2 x 64 +512 a token")
        .containsPattern("2 +K/V of every token +4 on 2 x 64 +512 a token")
        .containsPattern("as Gatun keeps it +4.00 MiB +4,194,304 bytes")
        .contains("Note: as Gatun keeps it: every token of every layer is kept")
        .doesNotContain("any number of");
    assertThat(out.toString().lines()).allMatch(line -> line.length() <= 120);
  }

  @Test
  void aKeyThatIsNotUnderstoodEndsThePlanningWithoutAFigure(@TempDir Path folder)
      throws IOException {
    Files.writeString(
        folder.resolve("config.json"),
        """
        {"model_type": "llama", "num_hidden_layers": 4, "num_attention_heads": 4,
         "hidden_size": 256, "kv_reuse_pattern": [0, 1]}\
        """);
    assertThat(run("--config " + folder + " --bandwidth none")).isEqualTo(1);
    assertThat(out.toString()).isEmpty();
    assertThat(err.toString())
        .contains("kv_reuse_pattern is [0,1]")
        .contains("--layers")
        .doesNotContain("Exception");
  }

  @Test
  void jsonOfLayersThatDiffer(@TempDir Path folder) throws IOException {
    Files.writeString(
        folder.resolve("config.json"),
        """
        {"model_type": "jamba", "num_hidden_layers": 4, "num_attention_heads": 4, "hidden_size": 64,
         "num_key_value_heads": 1, "attn_layer_period": 2, "mamba_d_state": 16}\
        """);
    JsonNode plan = json("--config " + folder + " --bandwidth none --context 1024");
    assertThat(plan.get("rules").asText()).contains("Jamba");
    assertThat(plan.get("layerKinds")).hasSize(2);
    assertThat(plan.get("stateBytes").asLong()).isEqualTo(2 * 128 * (16 * 4 + 3 * 2));
    assertThat(plan.get("numKvHeads").asInt()).isEqualTo(1);
    assertThat(plan.get("crossBytesPerPosition").asLong()).isZero();
  }

  @Test
  void aMeasuredBandwidthIsOneThatAMachineCanHave() {
    double rate = ReadBandwidth.measure(16 << 20, 2, 1);
    assertThat(rate).isBetween(1e8, 1e13);
  }

  @Test
  void listMarksWhatIsFromMemory() {
    assertThat(run("--list")).isZero();
    assertThat(out.toString()).containsPattern("GPT-3 175B +2,048 \\* 96 layers");
    assertThat(out.toString()).containsPattern("Llama-3.1-8B +131,072   32 layers");
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "--bandwidth none",
        "--model nothing-like-it",
        "--model Llama",
        "--model Llama-3.1-8B --context 12x",
        "--model Llama-3.1-8B --budget much",
        "--model Llama-3.1-8B --budget 0",
        "--model Llama-3.1-8B --kv-type f7",
        "--model Llama-3.1-8B --batch 0",
        "--model Llama-3.1-8B --kv-heads 5",
        "--model Llama-3.1-8B --heads 5",
        "--model Llama-3.1-8B --bandwidth fast",
        "--model Llama-3.1-8B --bandwidth 40",
        "--layers 3",
        "--layers 0 --heads 2 --head-dim 64",
        "--layers 1 --heads 2 --head-dim 0",
        "--layers 1 --heads 2 --head-dim 100000",
        "--no-such-option"
      })
  void usageErrors(String arguments) {
    assertThat(run(arguments)).isEqualTo(2);
    assertThat(err.toString()).doesNotContain("Exception").contains("--help");
  }
}
