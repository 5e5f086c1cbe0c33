package io.gatun.tools.convert;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.json.JsonMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.gatun.attention.Team;
import io.gatun.cache.KvCache;
import io.gatun.tools.cli.Failures;
import io.gatun.tools.model.Decoder;
import io.gatun.tools.model.Model;
import io.gatun.tools.safetensors.Checkpoint;
import io.gatun.tools.safetensors.SafetensorsWriter;
import io.gatun.tools.safetensors.Tensor;
import io.gatun.tools.safetensors.TensorSpec;
import io.gatun.tools.safetensors.TensorType;
import java.io.IOException;
import java.io.PrintWriter;
import java.io.StringWriter;
import java.lang.foreign.ValueLayout;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.EnumSource;
import picocli.CommandLine;

class ConvertCommandTest {
  @TempDir Path temp;
  private final StringWriter out = new StringWriter();
  private final StringWriter err = new StringWriter();

  private int run(Object... arguments) {
    String[] texts = Stream.of(arguments).map(String::valueOf).toArray(String[]::new);
    return Failures.install(new CommandLine(new ConvertCommand()))
        .setOut(new PrintWriter(out))
        .setErr(new PrintWriter(err))
        .execute(texts);
  }

  private Path in(String type, int heads, int kvHeads, TensorType stored, long shardBytes) {
    return Checkpoints.random(temp.resolve("in"), type, heads, kvHeads, stored, shardBytes);
  }

  private Path out() {
    return temp.resolve("out");
  }

  private static boolean pooled(String name) {
    return name.matches("model\\.layers\\.\\d+\\.self_attn\\.[kv]_proj\\.(weight|bias)");
  }

  private static double[] values(Tensor tensor) {
    double[] values = new double[(int) tensor.spec().elements()];
    for (int i = 0; i < values.length; i++) {
      values[i] = HeadPooler.get(tensor.type(), tensor.data(), (long) i * tensor.type().bytes());
    }
    return values;
  }

  /** Logits of the last of some tokens. */
  private static float[] logits(Path folder) {
    try (Model model = Model.load(folder);
        Team team = Team.of(1);
        KvCache cache = KvCache.builder(model.kvShape()).build();
        Decoder decoder = new Decoder(model, cache, team)) {
      int[] tokens = new int[40];
      for (int i = 0; i < tokens.length; i++) {
        tokens[i] = 37 * i % 256;
      }
      return decoder.prefill(tokens, 0, tokens.length).toArray(ValueLayout.JAVA_FLOAT);
    }
  }

  @ParameterizedTest(name = "{0} {1} -> {2} KV heads, {3}, shards of {4}")
  @CsvSource({
    "llama, 6, 2, F32, 1000000000", // with biases
    "qwen2, 6, 1, BF16, 1000000000", // with biases on q, k and v
    "qwen3, 6, 3, F16, 20000", // with k_norm, sharded
    "mistral, 4, 2, BF16, 9000", // GQA to fewer, sharded
  })
  void meanPooling(String type, int kvHeads, int groups, TensorType stored, long shardBytes)
      throws IOException {
    Path in = in(type, 12, kvHeads, stored, shardBytes);
    assertThat(run("--kv-heads", groups, in, out())).as(err.toString()).isZero();
    int group = kvHeads / groups;
    try (Checkpoint before = Checkpoint.open(in);
        Checkpoint after = Checkpoint.open(out())) {
      assertThat(after.tensors().keySet()).isEqualTo(before.tensors().keySet());
      assertThat(after.files().stream().map(f -> f.path().getFileName()))
          .isEqualTo(before.files().stream().map(f -> f.path().getFileName()).toList());
      int changed = 0;
      for (Tensor old : before.tensors().values()) {
        Tensor now = after.tensors().get(old.name());
        assertThat(now.type()).isEqualTo(old.type());
        if (!pooled(old.name())) {
          assertThat(now.spec()).isEqualTo(old.spec());
          assertThat(now.data().mismatch(old.data())).as(old.name()).isEqualTo(-1);
          continue;
        }
        changed++;
        double[] o = values(old);
        double[] n = values(now);
        assertThat(n).hasSize(o.length / group);
        int head = o.length / kvHeads;
        for (int i = 0; i < n.length; i++) {
          double sum = 0;
          for (int h = 0; h < group; h++) {
            sum += o[(i / head * group + h) * head + i % head];
          }
          float mean = (float) (sum / group);
          double expected =
              switch (stored) {
                case F16 -> Float.float16ToFloat(Float.floatToFloat16(mean));
                case BF16 -> Float.intBitsToFloat(SafetensorsWriter.toBf16(mean) << 16);
                default -> mean;
              };
          assertThat(n[i]).isEqualTo(expected);
        }
      }
      assertThat(changed).isEqualTo(type.equals("llama") || type.equals("qwen2") ? 12 : 6);
    }
    JsonMapper json = new JsonMapper();
    ObjectNode old = (ObjectNode) json.readTree(in.resolve("config.json").toFile());
    JsonNode now = json.readTree(out().resolve("config.json").toFile());
    assertThat(now).isEqualTo(old.put("num_key_value_heads", groups));
    assertThat(out().resolve("tokenizer.json"))
        .hasSameBinaryContentAs(in.resolve("tokenizer.json"));
    if (shardBytes < 1_000_000) {
      JsonNode index = json.readTree(out().resolve(Checkpoint.INDEX).toFile());
      try (Checkpoint after = Checkpoint.open(out())) {
        assertThat(after.files().size()).isGreaterThan(2);
        assertThat(index.at("/metadata/total_size").asLong())
            .isEqualTo(after.tensors().values().stream().mapToLong(t -> t.spec().bytes()).sum());
      }
    }
    // It runs.
    for (float logit : logits(out())) {
      assertThat(logit).isFinite();
    }
  }

  @ParameterizedTest
  @EnumSource(
      value = TensorType.class,
      names = {"F32", "BF16"})
  void headsThatAreEqualWithinAGroupChangeNoLogit(TensorType stored) throws IOException {
    Path few = Checkpoints.random(temp.resolve("few"), "llama", 12, 2, stored, 1 << 30);
    Path many = Checkpoints.repeated(few, temp.resolve("many"), 6);
    assertThat(run("--kv-heads", 2, many, out())).as(err.toString()).isZero();
    float[] before = logits(many);
    float[] after = logits(out());
    for (int i = 0; i < before.length; i++) {
      assertThat(Math.abs(after[i] - before[i])).isLessThan(1e-5f);
    }
    try (Checkpoint a = Checkpoint.open(few);
        Checkpoint b = Checkpoint.open(out())) {
      for (Tensor tensor : a.tensors().values()) {
        assertThat(b.tensors().get(tensor.name()).data().mismatch(tensor.data())).isEqualTo(-1);
      }
    }
  }

  @ParameterizedTest
  @CsvSource({"1000000000", "20000"})
  void asManyHeadsAsBeforeChangeNoByte(long shardBytes) throws IOException {
    Path in = in("qwen2", 12, 6, TensorType.BF16, shardBytes);
    assertThat(run("--kv-heads", 6, in, out())).as(err.toString()).isZero();
    try (Stream<Path> files = Files.list(in)) {
      List<Path> names = files.map(Path::getFileName).toList();
      for (Path name : names) {
        assertThat(out().resolve(name)).hasSameBinaryContentAs(in.resolve(name));
      }
      try (Stream<Path> written = Files.list(out())) {
        assertThat(written.map(Path::getFileName)).containsExactlyInAnyOrderElementsOf(names);
      }
    }
    assertThat(out.toString()).contains("6 KV heads -> 6 (unchanged)");
  }

  @Test
  void firstAndRandomPooling() {
    Path in = in("llama", 12, 6, TensorType.F32, 1 << 30);
    Path other = temp.resolve("other");
    Path again = temp.resolve("again");
    assertThat(run("--kv-heads", 2, "--pool", "first", in, out())).isZero();
    assertThat(run("--kv-heads", 2, "--pool", "random", in, other)).isZero();
    assertThat(run("--kv-heads", 2, "--pool", "random", "--seed", 1, in, again)).isZero();
    String name = "model.layers.1.self_attn.k_proj.weight";
    try (Checkpoint before = Checkpoint.open(in);
        Checkpoint first = Checkpoint.open(out());
        Checkpoint random = Checkpoint.open(other);
        Checkpoint same = Checkpoint.open(again)) {
      Tensor old = before.tensors().get(name);
      long head = old.data().byteSize() / 6;
      assertThat(
              first
                  .tensors()
                  .get(name)
                  .data()
                  .asSlice(0, head)
                  .mismatch(old.data().asSlice(0, head)))
          .isEqualTo(-1);
      assertThat(
              first
                  .tensors()
                  .get(name)
                  .data()
                  .asSlice(head)
                  .mismatch(old.data().asSlice(3 * head, head)))
          .isEqualTo(-1);
      Tensor made = random.tensors().get(name);
      assertThat(made.data().mismatch(same.tensors().get(name).data())).isEqualTo(-1);
      assertThat(spread(made)).isBetween(0.9 * spread(old), 1.1 * spread(old));
      assertThat(values(random.tensors().get("model.layers.1.self_attn.k_proj.bias")))
          .containsOnly(0);
    }
  }

  private static double spread(Tensor tensor) {
    double squares = 0;
    for (double value : values(tensor)) {
      squares += value * value;
    }
    return Math.sqrt(squares / tensor.spec().elements());
  }

  @Test
  void weightsInOtherFormsAndFoldersAreLeftOutAndNamed() throws IOException {
    Path in = in("llama", 4, 4, TensorType.F32, 1 << 30);
    Files.writeString(in.resolve("pytorch_model.bin"), "old");
    Files.writeString(in.resolve("README.md"), "kept");
    Files.createDirectory(in.resolve("original"));
    assertThat(run("--kv-heads", 2, in, out())).isZero();
    assertThat(out()).isDirectoryNotContaining("glob:**{.bin,original}");
    assertThat(out().resolve("README.md")).hasContent("kept");
    assertThat(out.toString()).contains("not carried over: original, pytorch_model.bin");
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      value = {
        "4|cannot be pooled into 4 equal groups; --kv-heads must divide 6",
        "12|has 6 KV heads, and pooling only makes fewer"
      })
  void refusedNumbers(int groups, String message) {
    Path in = in("llama", 12, 6, TensorType.F32, 1 << 30);
    assertThat(run("--kv-heads", groups, in, out())).isEqualTo(1);
    assertThat(err.toString()).contains(message).doesNotContain("defect");
    assertNothingLeft();
  }

  private void assertNothingLeft() {
    assertThat(temp).isDirectoryNotContaining("glob:**out*");
  }

  @Test
  void nothingIsOverwritten() throws IOException {
    Path in = in("llama", 4, 4, TensorType.F32, 1 << 30);
    Files.createDirectory(out());
    assertThat(run("--kv-heads", 2, in, out())).isEqualTo(1);
    assertThat(err.toString()).contains("exists already, and nothing is overwritten");
    assertThat(out()).isEmptyDirectory();
    assertThat(run("--kv-heads", 2, in, temp.resolve("no/such/out"))).isEqualTo(1);
    assertThat(err.toString()).contains("there is no folder");
  }

  private void writeFolder(List<TensorSpec> specs, Map<String, Object> config) throws IOException {
    Path in = Files.createDirectory(temp.resolve("in"));
    new JsonMapper().writeValue(in.resolve("config.json").toFile(), config);
    try (SafetensorsWriter writer =
            SafetensorsWriter.create(in.resolve(Checkpoint.SINGLE), specs, Map.of());
        java.lang.foreign.Arena arena = java.lang.foreign.Arena.ofConfined()) {
      for (TensorSpec spec : specs) {
        writer.writeEncoded(arena.allocate(spec.bytes()));
      }
      writer.commit();
    }
  }

  private static TensorSpec projection(int layer, String what, TensorType type, long rows) {
    return TensorSpec.of(
        "model.layers.%d.self_attn.%s.weight".formatted(layer, what), type, rows, 8);
  }

  private static final Map<String, Object> ONE_LAYER =
      Map.of("num_hidden_layers", 1, "num_attention_heads", 4, "hidden_size", 8, "head_dim", 2);

  @Test
  void refusedTensors() throws IOException {
    writeFolder(
        List.of(TensorSpec.of("model.layers.0.self_attn.qkv_proj.weight", TensorType.F32, 24, 8)),
        ONE_LAYER);
    assertThat(run("--kv-heads", 2, temp.resolve("in"), out())).isEqualTo(1);
    assertThat(err.toString())
        .contains("it has model.layers.0.self_attn.qkv_proj.weight, keys and");
    assertNothingLeft();
  }

  @Test
  void refusedQuantizedTensors() throws IOException {
    writeFolder(
        List.of(
            projection(0, "k_proj", TensorType.I8, 8), projection(0, "v_proj", TensorType.I8, 8)),
        ONE_LAYER);
    assertThat(run("--kv-heads", 2, temp.resolve("in"), out())).isEqualTo(1);
    assertThat(err.toString()).contains("has type I8, and Gatun pools F32, F16 and BF16");
  }

  @Test
  void refusedShapes() throws IOException {
    writeFolder(
        List.of(
            projection(0, "k_proj", TensorType.F32, 6), projection(0, "v_proj", TensorType.F32, 8)),
        ONE_LAYER);
    assertThat(run("--kv-heads", 2, temp.resolve("in"), out())).isEqualTo(1);
    assertThat(err.toString()).contains("asks for 8 rows (4 KV heads x 2)");
  }

  @Test
  void refusedMissingLayer() throws IOException {
    writeFolder(List.of(projection(0, "k_proj", TensorType.F32, 8)), ONE_LAYER);
    assertThat(run("--kv-heads", 2, temp.resolve("in"), out())).isEqualTo(1);
    assertThat(err.toString()).contains("layer 0 of 1 has no k_proj.weight and v_proj.weight");
  }

  @Test
  void refusedNormOverAllHeads() throws IOException {
    writeFolder(
        List.of(
            projection(0, "k_proj", TensorType.F32, 8),
            projection(0, "v_proj", TensorType.F32, 8),
            TensorSpec.of("model.layers.0.self_attn.k_norm.weight", TensorType.F32, 8)),
        ONE_LAYER);
    assertThat(run("--kv-heads", 2, temp.resolve("in"), out())).isEqualTo(1);
    assertThat(err.toString()).contains("normalised together");
  }

  @Test
  void attentionOfAVisionTowerStays() throws IOException {
    String vision = "vision_tower.encoder.layers.0.self_attn.k_proj.weight";
    writeFolder(
        List.of(
            projection(0, "k_proj", TensorType.F32, 8),
            projection(0, "v_proj", TensorType.F32, 8),
            TensorSpec.of(vision, TensorType.F32, 8, 8)),
        Map.of("text_config", ONE_LAYER, "vision_config", Map.of("num_attention_heads", 4)));
    assertThat(run("--kv-heads", 2, temp.resolve("in"), out())).as(err.toString()).isZero();
    try (Checkpoint after = Checkpoint.open(out())) {
      assertThat(after.tensors().get(vision).spec().shape()).containsExactly(8L, 8L);
    }
    JsonNode config = new JsonMapper().readTree(out().resolve("config.json").toFile());
    assertThat(config.at("/text_config/num_key_value_heads").asInt()).isEqualTo(2);
    assertThat(config.has("num_key_value_heads")).isFalse();
  }

  @Test
  void reportSaysThatEqualHeadsChangeNothingAndOthersDo() throws IOException {
    Path few = Checkpoints.random(temp.resolve("few"), "qwen2", 12, 2, TensorType.F32, 1 << 30);
    Path many = Checkpoints.repeated(few, temp.resolve("many"), 3);
    assertThat(run("--kv-heads", 2, "--report", "--tokens", 32, many, out())).isZero();
    assertThat(changes("pooled")).hasSize(3).allMatch(change -> change < 1e-4);
    out.getBuffer().setLength(0);
    assertThat(run("--kv-heads", 1, "--report", "--tokens", 32, many, temp.resolve("other")))
        .isZero();
    assertThat(changes("pooled")).hasSize(3).allMatch(change -> change > 0.01);
  }

  private List<Double> changes(String what) {
    Matcher lines = Pattern.compile(what + "  change ([0-9.]+)").matcher(out.toString());
    return lines.results().map(m -> Double.valueOf(m.group(1))).toList();
  }

  @Test
  void tuningBringsTheOutputsNearer() throws IOException {
    Path in = in("qwen3", 6, 6, TensorType.F32, 20_000);
    Path text = Files.writeString(temp.resolve("text"), ConvertCommand.sampleText());
    assertThat(run("--kv-heads", 2, "--tune", 40, "--text", text, "--tokens", 96, in, out()))
        .as(err.toString())
        .isZero();
    List<Double> pooled = changes("pooled");
    List<Double> fitted = changes("fitted");
    assertThat(fitted).hasSize(3);
    for (int layer = 0; layer < 3; layer++) {
      assertThat(fitted.get(layer)).isLessThan(0.8 * pooled.get(layer));
    }
    Matcher losses = Pattern.compile(" 0: ([0-9.]+) .* 40: ([0-9.]+)").matcher(out.toString());
    assertThat(losses.results())
        .hasSize(3)
        .allMatch(m -> Double.parseDouble(m.group(2)) < 0.5 * Double.parseDouble(m.group(1)));
    try (Checkpoint before = Checkpoint.open(in);
        Checkpoint after = Checkpoint.open(out())) {
      for (Tensor old : before.tensors().values()) {
        boolean same = after.tensors().get(old.name()).data().mismatch(old.data()) == -1;
        assertThat(same).as(old.name()).isEqualTo(!old.name().matches(".*[qkvo]_proj.*"));
      }
    }
    assertThat(logits(out())).isNotEmpty();
  }

  @ParameterizedTest
  @CsvSource({
    "in out",
    "--kv-heads 0 in out",
    "--kv-heads 2 in",
    "--kv-heads 2 --tune 3 in out",
    "--kv-heads 2 --tune 0 --text x in out",
    "--kv-heads 2 --text x in out",
    "--kv-heads 2 --pool best in out",
    "--kv-heads 2 --report --tokens 3 in out"
  })
  void usageErrors(String arguments) {
    assertThat(run((Object[]) arguments.split(" "))).isEqualTo(2);
    assertThat(err.toString()).contains("--help");
  }
}
