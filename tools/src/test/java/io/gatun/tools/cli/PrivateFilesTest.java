package io.gatun.tools.cli;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.TimeUnit;
import java.util.stream.Stream;
import org.junit.jupiter.api.Assumptions;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Everything that commands make is for its owner only, with a umask that forbids nothing. */
class PrivateFilesTest {
  @TempDir Path temp;

  @BeforeEach
  void needPermissions() {
    if (!temp.getFileSystem().supportedFileAttributeViews().contains("posix")) {
      System.err.println("SKIPPED: PrivateFilesTest: files have no permissions here");
      Assumptions.abort("files have no permissions here");
    }
  }

  /** Runs a command in a process with umask 000 and folders of its own for the user's data. */
  private void gatun(Object... arguments) throws Exception {
    List<String> command = new ArrayList<>();
    command.addAll(List.of("sh", "-c", "umask 000; exec \"$@\"", "sh"));
    command.add(Path.of(System.getProperty("java.home"), "bin", "java").toString());
    command.add("@" + Path.of("..", ".mvn", "gatun.jvmargs"));
    command.addAll(List.of("-Xmx128m", "-cp", System.getProperty("java.class.path")));
    command.add("io.gatun.tools.Gatun");
    Stream.of(arguments).map(Object::toString).forEach(command::add);
    Path log = temp.resolve("log");
    ProcessBuilder builder =
        new ProcessBuilder(command).redirectErrorStream(true).redirectOutput(log.toFile());
    builder.environment().put("XDG_CACHE_HOME", temp.resolve("cache").toString());
    builder.environment().put("XDG_DATA_HOME", temp.resolve("made/data").toString());
    Process process = builder.start();
    assertThat(process.waitFor(120, TimeUnit.SECONDS)).isTrue();
    assertThat(process.exitValue()).as(Files.readString(log)).isZero();
  }

  private void everythingIsPrivate(String... expected) throws IOException {
    List<String> names = new ArrayList<>();
    // Libraries keep folders of their own beside Gatun's.
    for (Path made : List.of(temp.resolve("made"), temp.resolve("cache/gatun"))) {
      if (Files.notExists(made)) {
        continue;
      }
      for (Path file : walk(made)) {
        String wanted = Files.isDirectory(file) ? "rwx------" : "rw-------";
        assertThat(PosixFilePermissions.toString(Files.getPosixFilePermissions(file)))
            .as(file.toString())
            .isEqualTo(wanted);
        names.add(made.relativize(file).toString());
      }
    }
    for (String name : expected) {
      assertThat(names).anyMatch(found -> found.matches(name));
    }
  }

  private static List<Path> walk(Path folder) throws IOException {
    try (Stream<Path> files = Files.walk(folder)) {
      return files.toList();
    }
  }

  @Test
  void modelsDigestsRoundedWeightsStoresAndExports() throws Exception {
    Path made = temp.resolve("made");
    gatun("model", "recall", made.resolve("models/recall"));
    gatun(
        "run",
        "--model",
        made.resolve("models/recall"),
        "--prompt",
        "a b",
        "--max-tokens",
        2,
        "--weights",
        "q8",
        "--weights-dir",
        made.resolve("weights/q8"),
        "--conversation",
        "talk");
    gatun("conversations", "export", "talk", made.resolve("talk.safetensors"));
    gatun("conversations", "import", made.resolve("talk.safetensors"), "again");
    everythingIsPrivate(
        "models/recall/config.json",
        "models/recall/model.safetensors",
        "models/recall/tokenizer.json",
        "models/recall/tokenizer_config.json",
        "weights/q8/gatun-q8-[0-9a-f]{16}\\.weights",
        "digests/.+",
        "data/gatun/store/conversations/again/journal",
        "talk\\.safetensors");
  }

  @Test
  void convertedModelsAndReports() throws Exception {
    Path made = temp.resolve("made");
    Path model = made.resolve("model");
    gatun("model", "recall", model);
    gatun("convert", model, made.resolve("converted"), "--kv-heads", 1);
    gatun("report", "-o", made.resolve("pages/report"), "--run", model, "--no-measure");
    everythingIsPrivate(
        "converted/config.json",
        "converted/model.safetensors",
        "converted/tokenizer.json",
        "pages/report/index.html",
        "pages/report/.*\\.png",
        "pages/report/.*\\.csv");
  }
}
