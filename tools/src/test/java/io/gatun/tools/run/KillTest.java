package io.gatun.tools.run;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import io.gatun.tools.recall.Recall;
import java.io.BufferedReader;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.Random;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/**
 * Kills the command while it generates, again and again: every run goes on at the last commit that
 * was said or later, and all runs together write the text verbatim.
 */
class KillTest {
  /** {@code -Dgatun.kill.rounds=20} for more. */
  private static final int ROUNDS = Integer.getInteger("gatun.kill.rounds", 4);

  private static final String TEXT = Recall.text().substring(0, 6000);
  private static final int PROMPT_AT = 700;
  private static final String PROMPT = TEXT.substring(PROMPT_AT, PROMPT_AT + 40);

  @TempDir private Path folder;

  private Process start(int maxTokens) throws IOException {
    Path context = folder.resolve("context.txt");
    Files.writeString(context, TEXT);
    return start("--context", context, "--prompt", PROMPT, "--max-tokens", maxTokens);
  }

  private Process start(Object... what) throws IOException {
    List<String> command = new ArrayList<>();
    command.add(Path.of(System.getProperty("java.home"), "bin", "java").toString());
    command.add("@" + Path.of("..", ".mvn", "gatun.jvmargs"));
    command.addAll(List.of("-Xmx64m", "-cp", System.getProperty("java.class.path")));
    command.addAll(List.of("io.gatun.tools.Gatun", "run", "--json", "--commit-every", "16"));
    command.addAll(List.of("--model", folder.resolve("model").toString()));
    command.addAll(List.of("--store", folder.resolve("store").toString()));
    command.addAll(List.of("--conversation", "c"));
    for (Object word : what) {
      command.add(word.toString());
    }
    return new ProcessBuilder(command)
        .redirectOutput(folder.resolve("out").toFile())
        .redirectError(ProcessBuilder.Redirect.PIPE)
        .start();
  }

  @Test
  void aKilledRunGoesOnWhereItWas() throws Exception {
    Recall.write(folder.resolve("model"));
    long seed = new Random().nextLong();
    System.out.println("KillTest seed " + seed);
    Random random = new Random(seed);
    long committed = 0;
    for (int round = 0; round < ROUNDS; round++) {
      Process process = start(4000);
      int commits = 1 + random.nextInt(8);
      try (BufferedReader err = process.errorReader()) {
        for (String line = err.readLine(); line != null; line = err.readLine()) {
          if (line.startsWith("committed ")) {
            long now = Long.parseLong(line.substring(10));
            assertThat(now).as("seed %d, round %d", seed, round).isGreaterThan(committed);
            committed = now;
            if (now > TEXT.length() + PROMPT.length() && --commits == 0) {
              Thread.sleep(random.nextInt(30));
              process.destroyForcibly();
              break;
            }
          }
        }
      }
      assertThat(process.waitFor()).as("killed").isEqualTo(137);
    }
    Process last = start(10);
    assertThat(last.waitFor()).isZero();
    JsonNode did = new ObjectMapper().readTree(Files.readAllLines(folder.resolve("out")).getLast());
    assertThat(did.get("reusedTokens").asLong()).isGreaterThanOrEqualTo(committed);
    assertThat(did.get("prefillTokens").asLong()).isLessThan(200);
    // All that the runs generated, one after the other, is the passage that follows the prompt.
    int generated = did.get("contextTokens").asInt() - TEXT.length() - PROMPT.length();
    assertThat(generated).isGreaterThan(ROUNDS * 16);
    String source = TEXT + TEXT;
    int from = PROMPT_AT + PROMPT.length() + generated;
    assertThat(did.get("text").asText()).isEqualTo(source.substring(from, from + 10));
  }

  /** Kills a run behind its first commit of at least so many tokens. */
  private void kill(Process process, long at) throws Exception {
    try (BufferedReader err = process.errorReader()) {
      for (String line = err.readLine(); line != null; line = err.readLine()) {
        if (line.startsWith("committed ") && Long.parseLong(line.substring(10)) >= at) {
          process.destroyForcibly();
          break;
        }
      }
    }
    assertThat(process.waitFor()).as("killed").isEqualTo(137);
  }

  @Test
  void aPromptIsNotAddedTwiceWhenItsRunIsKilled() throws Exception {
    Path model = folder.resolve("model");
    Recall.write(model);
    Files.writeString(
        model.resolve("chat_template.jinja"),
        "{% for m in messages %}<{{ m.role }}>{{ m.content }}{% endfor %}<assistant>");
    for (boolean chat : new boolean[] {false, true}) {
      Object[] words = {"--prompt", TEXT, "--max-tokens", 3000, chat ? "--chat" : "--threads=2"};
      int length = TEXT.length() + (chat ? "<user><assistant>".length() : 0);
      // While it reads the prompt, then while it generates.
      kill(start(words), 16);
      kill(start(words), length + 40);
      words[3] = 1;
      assertThat(start(words).waitFor()).isZero();
      JsonNode did =
          new ObjectMapper().readTree(Files.readAllLines(folder.resolve("out")).getLast());
      int generated = did.get("contextTokens").asInt() - length;
      assertThat(generated).as("chat %s", chat).isBetween(40, 3000);
      assertThat(did.get("reusedTokens").asInt()).isGreaterThan(length);
      try (Stream<Path> files = Files.walk(folder.resolve("store"))) {
        for (Path file : files.sorted(Comparator.reverseOrder()).toList()) {
          Files.delete(file);
        }
      }
    }
  }
}
