package io.gatun.tools.cli;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assertions.assertTimeoutPreemptively;

import io.gatun.tools.recall.Recall;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** A pipe that nobody writes to, wherever a file is named or expected: refused, not waited for. */
class PipesTest {
  private static final Duration PATIENCE = Duration.ofSeconds(30);

  @TempDir Path temp;
  private Path pipe;

  @BeforeEach
  void makePipe() throws IOException {
    pipe = temp.resolve("pipe");
    Commands.system(PipesTest.class, "mkfifo", pipe.toString());
  }

  private Path model() {
    Path model = temp.resolve("model");
    Recall.write(model);
    return model;
  }

  private void refused(Object... arguments) {
    Commands.Result result = assertTimeoutPreemptively(PATIENCE, () -> Commands.gatun(arguments));
    assertThat(result.code()).as(result.err() + result.out()).isEqualTo(1);
    assertThat(result.err()).startsWith("gatun: ").contains("a pipe").hasLineCount(1);
    assertThat(result.err()).doesNotContain("Exception").doesNotContain("defect");
  }

  @Test
  void asAFileToImportOrExportTo() {
    Path store = temp.resolve("store");
    refused("conversations", "import", pipe, "--store", store);
    assertThat(store).doesNotExist();
    refused("conversations", "export", "talk", pipe, "--force", "--store", store);
    assertThat(pipe).exists();
  }

  @ParameterizedTest
  @ValueSource(strings = {"list", "verify", "gc"})
  void asAStore(String verb) {
    Commands.Result result =
        assertTimeoutPreemptively(
            PATIENCE, () -> Commands.gatun("conversations", verb, "--store", pipe));
    assertThat(result.code()).isEqualTo(1);
    assertThat(result.err()).contains("there is no store at " + pipe).hasLineCount(1);
  }

  @Test
  void asTheStoreOfARun() {
    refused("run", "--prompt", "a", "--store", pipe);
  }

  @Test
  void asATextToRead() {
    Path model = model();
    refused("run", "--context", pipe, "--store", temp.resolve("store"));
    refused("convert", model, temp.resolve("out"), "--kv-heads", 1, "--report", "--text", pipe);
    refused("report", "-o", temp.resolve("report"), "--no-measure", "--text", pipe);
    refused("plan", "--config", pipe);
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "config.json",
        "tokenizer.json",
        "tokenizer_config.json",
        "generation_config.json",
        "model.safetensors",
        "model.safetensors.index.json",
        "chat_template.jinja"
      })
  void inAModelFolder(String name) throws IOException {
    Path model = model();
    if (name.equals("model.safetensors.index.json")) {
      Files.delete(model.resolve("model.safetensors"));
    }
    Files.deleteIfExists(model.resolve(name));
    Files.move(pipe, model.resolve(name));
    List<Object> command =
        new ArrayList<>(
            List.of("run", "--model", model, "--prompt", "a", "--store", temp.resolve("store")));
    if (name.equals("chat_template.jinja")) {
      command.add("--chat");
    }
    refused(command.toArray());
  }

  @Test
  void asRoundedWeights() throws IOException {
    Path model = model();
    Files.move(pipe, model.resolve("gatun-q8.weights"));
    Commands.Result result =
        assertTimeoutPreemptively(
            PATIENCE,
            () ->
                Commands.gatun(
                    "run",
                    "--model",
                    model,
                    "--prompt",
                    "a",
                    "--weights",
                    "q8",
                    "--store",
                    temp.resolve("store")));
    assertThat(result.code()).isEqualTo(1);
    assertThat(result.err()).contains("is not a plain file").hasLineCount(1);
  }

  @Test
  void everywhereInAStore() throws IOException {
    Path store = temp.resolve("store");
    Commands.Result made =
        Commands.gatun(
            "run", "--prompt", "a", "--max-tokens", 1, "--conversation", "talk", "--store", store);
    assertThat(made.code()).as(made.err()).isZero();
    for (String name : List.of("journal", "lock", "used")) {
      Path file = store.resolve("conversations/talk").resolve(name);
      Path kept = temp.resolve("kept");
      Files.move(file, kept);
      Files.move(pipe, file);
      for (List<String> verb :
          List.of(
              List.of("list"),
              List.of("show", "talk"),
              List.of("verify"),
              List.of("gc"),
              List.of("evict", "--to", "1TiB"),
              List.of("truncate", "talk", "1"),
              List.of("fork", "talk", "fork-" + name),
              List.of("export", "talk", temp.resolve("export-" + name).toString()),
              List.of("pin", "talk"))) {
        List<Object> command = new ArrayList<>(List.of("conversations"));
        command.addAll(verb);
        command.addAll(List.of("--store", store));
        Commands.Result result =
            assertTimeoutPreemptively(PATIENCE, () -> Commands.gatun(command.toArray()));
        assertThat(result.err())
            .as("%s with a pipe as %s", verb, name)
            .doesNotContain("Exception")
            .doesNotContain("defect");
      }
      Files.move(file, pipe);
      Files.move(kept, file);
    }
  }
}
