package io.gatun.tools.recall;

import static java.nio.charset.StandardCharsets.US_ASCII;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.gatun.cache.GatunException;
import io.gatun.tools.model.ReferenceModel;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.FileTime;
import java.util.Arrays;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import picocli.CommandLine;

/** The folder that is written, and what an independent forward pass makes of it. */
class RecallFolderTest {
  @TempDir Path temporary;

  private static List<Path> files(Path folder) throws IOException {
    try (Stream<Path> files = Files.list(folder)) {
      return files.sorted().toList();
    }
  }

  @Test
  void holdsTheSameBytesEachTime() throws IOException {
    Path one = temporary.resolve("one");
    Path two = temporary.resolve("deep/two");
    Recall.write(one);
    Recall.write(two);
    assertThat(files(one))
        .extracting(file -> file.getFileName().toString())
        .containsExactly(
            "config.json",
            "generation_config.json",
            "model.safetensors",
            "tokenizer.json",
            "tokenizer_config.json");
    for (Path file : files(one)) {
      assertThat(two.resolve(file.getFileName())).hasSameBinaryContentAs(file);
    }
    assertThat(files(temporary))
        .as("no drafts stay")
        .containsExactly(temporary.resolve("deep"), one);
  }

  @Test
  void isNotWrittenTwice() throws IOException {
    Path folder = temporary.resolve("recall");
    Recall.write(folder);
    FileTime before = FileTime.fromMillis(1_000_000);
    for (Path file : files(folder)) {
      Files.setLastModifiedTime(file, before);
    }
    Recall.write(folder);
    Recall.ensure(folder);
    for (Path file : files(folder)) {
      assertThat(Files.getLastModifiedTime(file)).isEqualTo(before);
    }
  }

  @Test
  void takesAnEmptyFolderAndNoOther() throws IOException {
    Path empty = Files.createDirectory(temporary.resolve("empty"));
    Recall.write(empty);
    assertThat(files(empty)).hasSize(5);

    Path full = Files.createDirectory(temporary.resolve("full"));
    Path mine = Files.writeString(full.resolve("config.json"), "{}");
    assertThatThrownBy(() -> Recall.write(full))
        .isInstanceOf(GatunException.class)
        .hasMessageContaining("full is not an empty folder");
    assertThatThrownBy(() -> Recall.ensure(full)).isInstanceOf(GatunException.class);
    assertThat(mine).hasContent("{}");
  }

  @Test
  void aModelOfAnotherVersionIsReplaced() throws IOException {
    Path folder = temporary.resolve("recall");
    Recall.write(folder);
    Path config = folder.resolve("config.json");
    String current = Files.readString(config);
    Files.writeString(
        config, current.replaceAll("(weights_crc32c\" : \")[0-9a-f]{8}", "$100000000"));
    assertThat(config).content().isNotEqualTo(current);
    Recall.ensure(folder);
    assertThat(config).hasContent(current);
    assertThat(files(folder)).hasSize(5);
  }

  @Test
  void theCommandWritesIt() {
    Path folder = temporary.resolve("by-command");
    CommandLine line = new CommandLine(new RecallCommand());
    assertThat(line.execute(folder.toString())).isZero();
    assertThat(folder.resolve("model.safetensors")).isRegularFile();
  }

  /**
   * A forward pass in double that shares no code with the runner: at each token of a repeated passage
   * the next one gets a logit of 80, and every other one of 60 or less.
   */
  @Test
  void anIndependentForwardPassContinuesTheText() throws IOException {
    Path folder = temporary.resolve("recall");
    Recall.write(folder);
    byte[] text = Arrays.copyOf(Recall.text().getBytes(US_ASCII), 500);
    int from = 100;
    int[] tokens = new int[text.length + 150];
    for (int i = 0; i < tokens.length; i++) {
      tokens[i] = text[i < text.length ? i : from + i - text.length];
    }
    double[][] logits = new ReferenceModel(folder).logits(tokens);
    for (int t = text.length + Recall.MATCH_BYTES - 1; t < tokens.length - 1; t++) {
      for (int token = 0; token < 256; token++) {
        if (token == tokens[t + 1]) {
          assertThat(logits[t][token]).isBetween(79.99, 80.01);
        } else {
          assertThat(logits[t][token]).isLessThan(60.01);
        }
      }
    }
  }
}
