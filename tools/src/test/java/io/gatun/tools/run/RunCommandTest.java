package io.gatun.tools.run;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import io.gatun.tools.Gatun;
import io.gatun.tools.recall.Recall;
import java.io.IOException;
import java.io.PrintWriter;
import java.io.StringWriter;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;
import picocli.CommandLine;

/** The command as a user types it, with the built-in model on a part of its text. */
class RunCommandTest {
  private static final String TEXT = Recall.text().substring(0, 2500);
  private static final int PROMPT_AT = 1000;
  private static final String PROMPT = TEXT.substring(PROMPT_AT, PROMPT_AT + 40);

  /** What stands behind the prompt in the text. */
  private static final String NEXT = TEXT.substring(PROMPT_AT + 40);

  @TempDir static Path shared;
  private static Path model;

  @TempDir Path folder;
  private Path context;

  private record Ended(int code, String out, String err) {
    JsonNode json() throws IOException {
      return new ObjectMapper().readTree(out.strip().lines().reduce((a, b) -> b).orElseThrow());
    }
  }

  @BeforeAll
  static void writeModel() {
    model = shared.resolve("recall");
    Recall.write(model);
  }

  @BeforeEach
  void writeContext() throws IOException {
    context = folder.resolve("context.txt");
    Files.writeString(context, TEXT);
  }

  private static Ended gatun(Object... args) {
    StringWriter out = new StringWriter();
    StringWriter err = new StringWriter();
    List<String> words = new ArrayList<>();
    for (Object arg : args) {
      words.add(arg.toString());
    }
    CommandLine line = Gatun.commandLine();
    line.setOut(new PrintWriter(out, true)).setErr(new PrintWriter(err, true));
    int code = line.execute(words.toArray(String[]::new));
    return new Ended(code, out.toString(), err.toString());
  }

  private Ended run(Object... more) {
    List<Object> args =
        new ArrayList<>(
            List.of("run", "--model", model, "--store", folder.resolve("store"), "--json"));
    args.addAll(List.of(more));
    return gatun(args.toArray());
  }

  @ParameterizedTest
  @ValueSource(strings = {"f32", "f16", "bf16", "q8", "q8-plain"})
  void continuesVerbatimAndGoesOnFromTheFiles(String type) throws IOException {
    Object[] args = {
      "--context",
      context,
      "--prompt",
      PROMPT,
      "--kv-type",
      type,
      "--conversation",
      "c",
      "--max-tokens",
      60
    };
    Ended first = run(args);
    assertThat(first.code).as(first.err).isZero();
    JsonNode did = first.json();
    assertThat(did.get("text").asText()).isEqualTo(NEXT.substring(0, 60));
    assertThat(did.get("contextTokens").asInt()).isEqualTo(2540);
    assertThat(did.get("reusedTokens").asInt()).isZero();
    assertThat(did.get("prefillTokens").asInt()).isEqualTo(2540);
    assertThat(did.get("generatedTokens").asInt()).isEqualTo(60);
    long perToken = did.get("kvBytesPerToken").asLong();
    assertThat(did.get("kvBytes").asLong()).isEqualTo(2600 * perToken);
    assertThat(did.get("heapMaxBytes").asLong()).isPositive();
    assertThat(did.get("decodeTokensPerSecond").asDouble()).isPositive();

    JsonNode again = run(args).json();
    assertThat(again.get("reusedTokens").asInt()).isEqualTo(2600);
    assertThat(again.get("prefillTokens").asInt()).isZero();
    assertThat(again.get("text").asText()).isEqualTo(NEXT.substring(60, 120));
  }

  @Test
  void roundedWeightsAreMadeOnceAndTheirKeysAndValuesKeptApart() throws IOException {
    Path weights = folder.resolve("weights");
    Object[] args = {
      "--prompt", PROMPT, "--weights", "q8", "--weights-dir", weights, "--max-tokens", 5
    };
    Ended first = run(args);
    assertThat(first.code).as(first.err).isZero();
    assertThat(first.err).contains("gatun: rounding weights to 8 bits, once:");
    assertThat(first.json().get("weights").asText()).isEqualTo("q8");
    String conversation = first.json().get("conversation").asText();
    assertThat(conversation).isEqualTo("recall-q8-weights-f32");
    Ended second = run(args);
    assertThat(second.code).as(second.err).isZero();
    assertThat(second.err).doesNotContain("rounding");
    assertThat(second.json().get("reusedTokens").asInt()).isPositive();
    Ended other = run("--conversation", conversation, "--prompt", PROMPT, "--max-tokens", 5);
    assertThat(other.code).isEqualTo(1);
    assertThat(other.err).contains("fingerprint").doesNotContain("\tat ");
    assertThat(run("--prompt", PROMPT, "--max-tokens", 1).json().get("weights").asText())
        .isEqualTo("f32");
    assertThat(run("--prompt", PROMPT, "--weights", "q3").code).isEqualTo(2);
  }

  @Test
  void anInterruptedRunContinuesAsAnUninterruptedOne() throws IOException {
    Object[] sampled = {"--temperature", 5, "--seed", 7, "--prompt", PROMPT};
    String whole =
        run(with(sampled, "--conversation", "whole", "--max-tokens", 40))
            .json()
            .get("text")
            .asText();
    String first =
        run(with(sampled, "--conversation", "parts", "--max-tokens", 25))
            .json()
            .get("text")
            .asText();
    Object[] goOn = {
      "--temperature", 5, "--seed", 7, "--conversation", "parts", "--max-tokens", 15
    };
    String second = run(goOn).json().get("text").asText();
    assertThat(first + second).isEqualTo(whole);
  }

  private static Object[] with(Object[] args, Object... more) {
    List<Object> all = new ArrayList<>(List.of(args));
    all.addAll(List.of(more));
    return all.toArray();
  }

  @Test
  void aContextThatDiffersKeepsTheCommonFront() throws IOException {
    run("--context", context, "--conversation", "c", "--max-tokens", 0);
    Path other = folder.resolve("other.txt");
    Files.writeString(other, TEXT.substring(0, 2000) + "#" + TEXT.substring(1800));
    Ended changed = run("--context", other, "--conversation", "c", "--max-tokens", 0);
    assertThat(changed.err).contains("after the first 2,000 of its 2,500 tokens");
    assertThat(changed.json().get("reusedTokens").asInt()).isEqualTo(2000);
    assertThat(changed.json().get("prefillTokens").asInt()).isEqualTo(701);
  }

  @Test
  void aPromptAloneIsAddedToTheConversation() throws IOException {
    run("--context", context, "--conversation", "c", "--max-tokens", 0);
    JsonNode added = run("--prompt", PROMPT, "--conversation", "c", "--max-tokens", 30).json();
    assertThat(added.get("reusedTokens").asInt()).isEqualTo(2500);
    assertThat(added.get("prefillTokens").asInt()).isEqualTo(40);
    assertThat(added.get("text").asText()).isEqualTo(NEXT.substring(0, 30));
  }

  @Test
  void aNewConversationBeginsWithWhatAnotherHasRead() throws IOException {
    run("--context", context, "--conversation", "a", "--max-tokens", 0);
    JsonNode other =
        run("--context", context, "--prompt", PROMPT, "--conversation", "b", "--max-tokens", 20)
            .json();
    assertThat(other.get("reusedTokens").asInt()).isGreaterThan(2000);
    assertThat(other.get("text").asText()).isEqualTo(NEXT.substring(0, 20));
  }

  @Test
  void commitsAreSaidOnceTheyAreDone() {
    Ended ended =
        run("--context", context, "--prompt", PROMPT, "--max-tokens", 40, "--commit-every", 32);
    assertThat(ended.err.lines().filter(line -> line.startsWith("committed ")))
        .contains("committed 32", "committed 2528", "committed 2560");
  }

  @Test
  void inspectSaysWhatIsStored() throws IOException {
    run("--context", context, "--conversation", "c", "--kv-type", "bf16", "--max-tokens", 0);
    Ended ended =
        gatun("inspect", "--store", folder.resolve("store"), "--conversation", "c", "--json");
    JsonNode facts = new ObjectMapper().readTree(ended.out).get(0);
    assertThat(facts.get("tokens").asInt()).isEqualTo(2500);
    assertThat(facts.get("committedTokens").asInt()).isEqualTo(2500);
    assertThat(facts.get("keyType").asText()).isEqualTo("bf16");
    assertThat(facts.get("blocks").asInt()).isEqualTo(3);
    assertThat(facts.get("fingerprint").asText()).matches("[0-9a-f]{64}");
    assertThat(gatun("inspect", "--store", folder.resolve("none")).err)
        .startsWith("gatun: there is no store at");
  }

  @Test
  void mistakesGetOneSentence() throws IOException {
    assertRefused(2, "--max-tokens", run("--max-tokens", -1));
    assertRefused(2, "--conversation", run("--conversation", "../x"));
    assertRefused(2, "q9", run("--kv-type", "q9"));
    assertRefused(2, "--chat needs a --prompt", run("--chat"));
    assertRefused(1, "chat template", gatun("run", "--chat", "--prompt", "x"));
    assertRefused(1, "nothing to continue", run("--conversation", "empty"));
    assertRefused(1, "missing.txt", run("--context", folder.resolve("missing.txt")));
    Path binary = folder.resolve("binary");
    Files.write(binary, new byte[] {(byte) 0xff, 0, 1});
    assertRefused(1, "is not UTF-8", run("--context", binary));
    assertRefused(1, "none", gatun("run", "--model", folder.resolve("none"), "--prompt", "x"));
  }

  @Test
  void anotherModelIsRefusedAndNothingIsLost() throws IOException {
    run("--context", context, "--conversation", "c", "--max-tokens", 0);
    assertRefused(1, "bf16", run("--context", context, "--conversation", "c", "--kv-type", "bf16"));
    Path other = folder.resolve("other");
    Recall.write(other);
    Path weights = other.resolve("model.safetensors");
    byte[] bytes = Files.readAllBytes(weights);
    bytes[bytes.length - 2] ^= 1;
    Files.write(weights, bytes);
    Ended refused =
        gatun(
            "run",
            "--model",
            other,
            "--store",
            folder.resolve("store"),
            "--context",
            context,
            "--conversation",
            "c");
    assertRefused(1, "was stored by another model", refused);
    assertThat(refused.err).containsPattern("stored [0-9a-f]{64}, now [0-9a-f]{64}");
    JsonNode still = run("--context", context, "--conversation", "c", "--max-tokens", 0).json();
    assertThat(still.get("reusedTokens").asInt()).isEqualTo(2500);
  }

  private static void assertRefused(int code, String part, Ended ended) {
    assertThat(ended.code).as(ended.err).isEqualTo(code);
    assertThat(ended.err).startsWith("gatun: ").contains(part).doesNotContain("at io.gatun");
    long sentences = ended.err.lines().filter(line -> !line.startsWith("Try '")).count();
    assertThat(sentences).as(ended.err).isEqualTo(1);
  }
}
