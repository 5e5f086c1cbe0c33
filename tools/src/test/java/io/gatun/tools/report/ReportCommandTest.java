package io.gatun.tools.report;

import static org.assertj.core.api.Assertions.assertThat;

import io.gatun.tools.cli.Failures;
import io.gatun.tools.model.RandomCheckpoint;
import io.gatun.tools.safetensors.TensorType;
import java.awt.image.BufferedImage;
import java.io.IOException;
import java.io.PrintWriter;
import java.io.StringWriter;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Stream;
import javax.imageio.ImageIO;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import picocli.CommandLine;

class ReportCommandTest {
  @TempDir Path temp;
  private final StringWriter out = new StringWriter();
  private final StringWriter err = new StringWriter();
  private Path model;
  private Path report;

  @BeforeEach
  void model() {
    model = temp.resolve("tiny");
    report = temp.resolve("report");
    RandomCheckpoint.write(
        model,
        Map.of(
            "model_type", "llama",
            "hidden_size", 32,
            "intermediate_size", 48,
            "num_hidden_layers", 2,
            "num_attention_heads", 4,
            "num_key_value_heads", 2,
            "vocab_size", 256,
            "max_position_embeddings", 256),
        TensorType.F32,
        RandomCheckpoint.DEFAULT_SHARD_BYTES,
        8,
        written -> {});
  }

  private int run(Object... arguments) {
    String[] texts = Stream.of(arguments).map(String::valueOf).toArray(String[]::new);
    return Failures.install(new CommandLine(new ReportCommand()))
        .setOut(new PrintWriter(out))
        .setErr(new PrintWriter(err))
        .execute(texts);
  }

  private List<List<String>> csv(String name) throws IOException {
    return Files.readAllLines(report.resolve(name + ".csv")).stream()
        .map(line -> Arrays.asList(line.split(",(?=([^\"]*\"[^\"]*\")*[^\"]*$)")))
        .toList();
  }

  @Test
  void thePageHasItsFiguresAndNeedsNothingElse() throws IOException {
    assertThat(run("-o", report, "--run", model, "--no-measure")).as(err.toString()).isZero();
    String html = Files.readString(report.resolve("index.html"));
    for (int figure = 1; figure <= 6; figure++) {
      assertThat(html).contains("id=\"figure-" + figure + "\"");
    }
    // No picture, style, script or font from anywhere else.
    assertThat(html).doesNotContainPattern("(src|srcset|href)=\"(?!data:|#)");
    assertThat(html).doesNotContain("@import").doesNotContain("url(").doesNotContain("%BODY%");
    assertThat(html).contains("prefers-color-scheme: dark").contains("name=\"viewport\"");
    Matcher images = Pattern.compile("<img [^>]*alt=\"([^\"]{40,})\"").matcher(html);
    assertThat(images.results()).hasSize(html.split("<img ", -1).length - 1);
    assertThat(html.split("class=\"copy\"", -1).length).isEqualTo(html.split("<table>", -1).length);
    try (Stream<Path> files = Files.list(report)) {
      for (Path png : files.filter(f -> f.toString().endsWith(".png")).toList()) {
        BufferedImage image = ImageIO.read(png.toFile());
        assertThat(image.getWidth()).isGreaterThan(600);
        assertThat(colours(image)).as(png.toString()).isGreaterThan(5);
      }
    }
  }

  private static long colours(BufferedImage image) {
    return Arrays.stream(
            image.getRGB(0, 0, image.getWidth(), image.getHeight(), null, 0, image.getWidth()))
        .distinct()
        .count();
  }

  @Test
  void theDataAreThoseOfTheArithmetic() throws IOException {
    assertThat(run("-o", report, "--run", model, "--no-measure", "--model", "Llama-3.1-8B"))
        .as(err.toString())
        .isZero();
    assertThat(Files.readString(report.resolve("index.html"))).contains("37.5 % fewer");
    // 4 x 512 x 512 weights; 2 KV heads: 2 x 512 x 64 x (8 + 2).
    assertThat(csv("1a-projections-512").get(1).subList(0, 5))
        .containsExactly("MHA", "8", "1048576", "100.0 %", "2048");
    assertThat(csv("1a-projections-512").get(3).subList(0, 5))
        .containsExactly("GQA 2", "2", "655360", "62.5 %", "512");
    assertThat(csv("2-models")).hasSize(48);
    // The core: 4 x 32 x 128 x 4,096 FLOPs whatever the KV heads.
    assertThat(
            csv("4-flops").stream().filter(row -> row.get(0).equals("4096")).map(row -> row.get(3)))
        .containsExactly("67.11", "67.11", "67.11");
    for (List<String> row : csv("5-gradient").subList(1, 5)) {
      assertThat(Double.parseDouble(row.get(4))).isLessThan(1e-5);
    }
    assertThat(
            csv("6a-map").stream()
                .filter(row -> row.get(0).equals("131072"))
                .map(row -> row.get(4)))
        .containsExactly("16.00 GiB");
  }

  @Test
  void headsOfAGroupShareWhatTheyReadAndOthersDoNot() throws IOException {
    assertThat(run("-o", report, "--run", model, "--no-measure")).as(err.toString()).isZero();
    List<List<String>> rows = csv("3-shared");
    assertThat(rows).hasSize(1 + 2 * 4);
    for (List<String> row : rows.subList(1, rows.size())) {
      int head = Integer.parseInt(row.get(1));
      assertThat(row.get(2)).isEqualTo(String.valueOf(head / 2));
      List<String> first = rows.get(1 + 4 * Integer.parseInt(row.get(0)) + head / 2 * 2);
      assertThat(row.subList(3, 5)).isEqualTo(first.subList(3, 5));
      assertThat(Double.parseDouble(row.get(5))).isLessThan(1e-5);
      assertThat(Double.parseDouble(row.get(6))).isGreaterThan(0.1);
    }
    List<List<String>> distances = csv("3-distances");
    assertThat(Double.parseDouble(distances.get(1).get(1))).isBetween(0.01, 0.999);
  }

  @Test
  void theMeasuredTimesAreThere() {
    try (io.gatun.tools.model.Model loaded = io.gatun.tools.model.Model.load(model);
        io.gatun.attention.Team team = io.gatun.attention.Team.of(1)) {
      DecodeTimes.Split split = DecodeTimes.split(loaded, 64, team);
      assertThat(split.weights()).isPositive();
      assertThat(split.attention()).isPositive();
    }
  }

  @Test
  void csvQuotesWhatNeedsIt() {
    Table table =
        Table.of("t", "caption", "a", "b").row("1,024", "x, \"y\"").row("-3.5e-7", "2 GiB");
    assertThat(table.toCsv()).isEqualTo("a,b\r\n1024,\"x, \"\"y\"\"\"\r\n-3.5e-7,2 GiB\r\n");
  }

  @Test
  void mistakes() {
    assertThat(run()).isEqualTo(2);
    assertThat(run("-o", report, "--model", "none such")).isEqualTo(2);
    assertThat(run("-o", report, "--threads", 0)).isEqualTo(2);
    assertThat(run("-o", report, "--run", temp.resolve("nowhere"))).isEqualTo(1);
    assertThat(err.toString()).contains("does not exist").doesNotContain("defect");
    assertThat(run("-o", report, "--run", model, "--layer", 2, "--no-measure")).isEqualTo(1);
    assertThat(err.toString()).contains("--layer is 2, and the model has layers 0 to 1");
  }
}
