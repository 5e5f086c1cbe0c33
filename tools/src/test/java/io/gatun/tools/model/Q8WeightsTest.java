package io.gatun.tools.model;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.gatun.attention.Team;
import io.gatun.cache.GatunException;
import io.gatun.cache.KvCache;
import io.gatun.cache.KvType;
import io.gatun.tools.matrix.Matrix;
import io.gatun.tools.safetensors.Checkpoint;
import io.gatun.tools.safetensors.CheckpointWriter;
import io.gatun.tools.safetensors.Tensor;
import io.gatun.tools.safetensors.TensorSpec;
import io.gatun.tools.safetensors.TensorType;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.TreeMap;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** The file of rounded weights: made once, used again, never used wrongly; and a model that runs on it. */
class Q8WeightsTest {
  private static final int TOKENS = 40;

  @TempDir Path root;

  private final Team team = Team.of(2);
  private final List<String> messages = new ArrayList<>();

  @AfterEach
  void closeTeam() {
    team.close();
  }

  private Path write(String name, TensorType type, long seed) {
    Path folder = root.resolve("model");
    RandomCheckpoint.write(
        folder, TinyModels.config(name), type, Long.MAX_VALUE, seed, written -> {});
    return folder;
  }

  private Model load(Path folder, Path weights) {
    messages.clear();
    WeightOptions options =
        new WeightOptions(WeightForm.Q8, weights, root.resolve("notes"), messages::add);
    return Model.load(folder, options, team);
  }

  private static List<Path> files(Path folder) throws IOException {
    try (Stream<Path> list = Files.list(folder)) {
      return list.filter(file -> file.getFileName().toString().startsWith("gatun-q8")).toList();
    }
  }

  @Test
  void aFileIsMadeOnceAndUsedAgain() throws IOException {
    Path folder = write("llama", TensorType.BF16, 1);
    load(folder, null).close();
    assertThat(messages).singleElement().asString().startsWith("rounding weights to 8 bits, once:");
    Path file = folder.resolve("gatun-q8.weights");
    assertThat(files(folder)).containsExactly(file);
    assertThat(PosixFilePermissions.toString(Files.getPosixFilePermissions(file)))
        .isEqualTo("rw-------");
    byte[] bytes = Files.readAllBytes(file);
    var time = Files.getLastModifiedTime(file);
    Files.writeString(folder.resolve("gatun-q8.weights.999999999.part"), "of a killed process");
    load(folder, null).close();
    assertThat(messages).isEmpty();
    assertThat(Files.getLastModifiedTime(file)).isEqualTo(time);
    Files.delete(file);
    load(folder, null).close();
    assertThat(Files.readAllBytes(file)).isEqualTo(bytes);
    assertThat(files(folder)).containsExactly(file);
  }

  @Test
  void anotherFolderHoldsTheWeightsOfSeveralModels() throws IOException {
    Path weights = root.resolve("a/b");
    Path folder = write("llama", TensorType.F16, 1);
    load(folder, weights).close();
    assertThat(files(folder)).isEmpty();
    load(write("llama", TensorType.F16, 2), weights).close();
    assertThat(messages).hasSize(1);
    assertThat(files(weights)).hasSize(2);
    load(write("llama", TensorType.F16, 1), weights).close();
    assertThat(messages).isEmpty();
  }

  @Test
  void weightsOfAnotherModelAreNotUsed() throws IOException {
    Path folder = write("llama", TensorType.BF16, 1);
    load(folder, null).close();
    byte[] first = Files.readAllBytes(folder.resolve("gatun-q8.weights"));
    load(write("llama", TensorType.BF16, 2), null).close();
    assertThat(messages).hasSize(2);
    assertThat(messages.getFirst())
        .contains("gatun-q8.weights is not used: it was made from other weights: it says 'source ")
        .endsWith("it is made anew");
    byte[] second = Files.readAllBytes(folder.resolve("gatun-q8.weights"));
    assertThat(second).isNotEqualTo(first);
    Files.write(folder.resolve("gatun-q8.weights"), first);
    load(folder, null).close();
    assertThat(messages).hasSize(2);
    assertThat(Files.readAllBytes(folder.resolve("gatun-q8.weights"))).isEqualTo(second);
  }

  @Test
  void everyDamageIsFoundAndMended() throws IOException {
    Path folder = write("qwen2", TensorType.F32, 1);
    load(folder, null).close();
    Path file = folder.resolve("gatun-q8.weights");
    byte[] whole = Files.readAllBytes(file);
    long seed = System.nanoTime();
    Random random = new Random(seed);
    List<byte[]> damaged = new ArrayList<>();
    int[] places = {8, 15, 16, 21, 30, 200, 4095, 4096, whole.length - 1, whole.length - 4};
    for (int trial = 0; trial < 40; trial++) {
      byte[] bytes = whole.clone();
      int at = trial < places.length ? places[trial] : 8 + random.nextInt(whole.length - 8);
      bytes[at] ^= (byte) (1 << random.nextInt(8));
      damaged.add(bytes);
    }
    for (int length : new int[] {8, 15, 16, 17, 4095, 4096, 5000, whole.length - 1}) {
      damaged.add(length < 16 ? whole.clone() : Arrays.copyOf(whole, length));
    }
    damaged.add(Arrays.copyOf(whole, whole.length + 1));
    for (byte[] bytes : damaged) {
      boolean isDamaged = !Arrays.equals(bytes, whole);
      Files.write(file, bytes);
      load(folder, null).close();
      assertThat(messages).as("seed %d", seed).hasSize(isDamaged ? 2 : 0);
      if (isDamaged) {
        assertThat(messages.getFirst()).contains(" is not used: ").endsWith("it is made anew");
      }
      assertThat(Files.readAllBytes(file)).isEqualTo(whole);
    }
    byte[] row = whole.clone();
    row[4096] ^= 1;
    Files.write(file, row);
    load(folder, null).close();
    assertThat(messages.getFirst())
        .contains("it is damaged: rows 0 to 71 of model.layers.0.self_attn.q_proj.weight have");
  }

  @ParameterizedTest
  @ValueSource(strings = {"", "GATUNQ8", "notes of mine, far longer than sixteen bytes"})
  void aFileThatIsNoneOfOursIsLeftAlone(String text) throws IOException {
    Path folder = write("llama", TensorType.BF16, 1);
    Path file = Files.writeString(folder.resolve("gatun-q8.weights"), text);
    assertThatThrownBy(() -> load(folder, null))
        .isInstanceOf(GatunException.class)
        .hasMessageContaining("it does not begin as a file of Gatun's rounded weights does")
        .hasMessageContaining("--weights-dir");
    assertThat(Files.readString(file)).isEqualTo(text);
    load(folder, root.resolve("elsewhere")).close();
  }

  @Test
  void linksAndFoldersThatCannotBeAreRefused() throws IOException {
    Path folder = write("llama", TensorType.BF16, 1);
    load(folder, root.resolve("elsewhere")).close();
    Path other = files(root.resolve("elsewhere")).getFirst();
    Files.createSymbolicLink(folder.resolve("gatun-q8.weights"), other);
    assertThatThrownBy(() -> load(folder, null))
        .isInstanceOf(GatunException.class)
        .hasMessageContaining("is not a plain file");
    Path notFolder = Files.writeString(root.resolve("file"), "");
    assertThatThrownBy(() -> load(folder, notFolder))
        .isInstanceOf(GatunException.class)
        .hasMessageContaining("cannot write the rounded weights")
        .hasMessageContaining("--weights-dir gives another folder");
  }

  @Test
  void weightsThatAreNotFiniteAreRefused() throws IOException {
    Path folder = write("llama", TensorType.BF16, 1);
    Path file = folder.resolve("model.safetensors");
    long at;
    try (Checkpoint checkpoint = Checkpoint.open(folder)) {
      Tensor tensor = checkpoint.tensors().get("model.layers.1.mlp.up_proj.weight");
      at = Files.size(file) - distanceFromEnd(checkpoint, tensor);
    }
    try (var channel = Files.newByteChannel(file, StandardOpenOption.WRITE)) {
      channel.position(at + 2L * (3 * 72 + 5));
      channel.write(java.nio.ByteBuffer.wrap(new byte[] {(byte) 0x80, 0x7f}));
    }
    assertThatThrownBy(() -> load(folder, null))
        .isInstanceOf(GatunException.class)
        .hasMessageContaining("model.layers.1.mlp.up_proj.weight in ")
        .hasMessageContaining("holds an infinity (element 221, at [3, 5])");
    assertThat(files(folder)).isEmpty();
  }

  private static long distanceFromEnd(Checkpoint checkpoint, Tensor tensor) {
    long address = tensor.data().address();
    long end =
        checkpoint.tensors().values().stream()
            .mapToLong(t -> t.data().address() + t.data().byteSize())
            .max()
            .orElseThrow();
    return end - address;
  }

  @ParameterizedTest
  @ValueSource(strings = {"llama3-scaling", "llama-biases", "qwen2", "qwen3-window"})
  void logitsAreThoseOfTheReferenceWithTheRoundedWeights(String name) throws IOException {
    Path folder = write(name, TensorType.BF16, 3);
    try (Model model = load(folder, null);
        KvCache cache = KvCache.builder(model.kvShape()).type(KvType.F32).build();
        Decoder decoder = new Decoder(model, cache, team)) {
      assertThat(model.weightLabel()).isEqualTo("q8");
      int[] tokens = new Random(11).ints(TOKENS, 0, model.config().vocabSize()).toArray();
      double[][] expected = new ReferenceModel(unrounded(folder, model)).logits(tokens);
      double[][] before = new ReferenceModel(folder).logits(tokens);
      double worst = 0;
      double rounding = 0;
      List<float[]> single = new ArrayList<>();
      for (int t = 0; t < TOKENS; t++) {
        float[] logits = decoder.decode(tokens[t]).toArray(ValueLayout.JAVA_FLOAT);
        single.add(logits);
        worst = Math.max(worst, error(logits, expected[t]));
        rounding = Math.max(rounding, error(logits, before[t]));
      }
      System.out.printf(
          "logits of %s, q8 weights: relative error %.1e; %.1e to those of the bf16 weights%n",
          name, worst, rounding);
      assertThat(worst).isLessThan(2e-6);
      assertThat(rounding).isBetween(1e-4, 0.1);
      for (int batch : new int[] {1, 3, 7, TOKENS}) {
        try (Team other = Team.of(batch % 3 + 1);
            KvCache again = KvCache.builder(model.kvShape()).type(KvType.F32).build();
            Decoder batches = new Decoder(model, again, other, batch)) {
          for (int done = 0; done < TOKENS; done += batch) {
            int count = Math.min(batch, TOKENS - done);
            float[] logits = batches.prefill(tokens, done, count).toArray(ValueLayout.JAVA_FLOAT);
            assertThat(logits).as("batches of %d", batch).isEqualTo(single.get(done + count - 1));
          }
        }
      }
    }
  }

  private static double error(float[] logits, double[] expected) {
    double difference = 0;
    double largest = 0;
    for (int i = 0; i < expected.length; i++) {
      difference = Math.max(difference, Math.abs(logits[i] - expected[i]));
      largest = Math.max(largest, Math.abs(expected[i]));
    }
    return difference / largest;
  }

  /** A folder of the same model whose f32 weights are what the rounded ones stand for. */
  private Path unrounded(Path folder, Model model) throws IOException {
    Path to = Files.createDirectories(root.resolve("unrounded"));
    ObjectMapper mapper = new ObjectMapper();
    ObjectNode config = (ObjectNode) mapper.readTree(folder.resolve("config.json").toFile());
    boolean tied = config.path("tie_word_embeddings").asBoolean(false);
    config.put("tie_word_embeddings", false);
    mapper.writeValue(to.resolve("config.json").toFile(), config);
    Map<String, Matrix> rounded = new TreeMap<>();
    for (Matrix matrix : model.weights().streamed()) {
      rounded.put(matrix == model.weights().output() ? "lm_head.weight" : matrix.name(), matrix);
    }
    assertThat(rounded).hasSize(7 * 3 + 1);
    try (Checkpoint checkpoint = Checkpoint.open(folder);
        Arena arena = Arena.ofConfined()) {
      assertThat(tied).isNotEqualTo(checkpoint.has("lm_head.weight"));
      Map<String, Matrix> all = new TreeMap<>();
      List<TensorSpec> specs = new ArrayList<>();
      for (Tensor tensor : checkpoint.tensors().values()) {
        all.put(tensor.name(), plain(tensor));
      }
      all.putAll(rounded);
      all.forEach((name, matrix) ->
          specs.add(TensorSpec.of(name, TensorType.F32, matrix.rows(), matrix.cols())));
      try (CheckpointWriter writer = new CheckpointWriter(to, specs, Long.MAX_VALUE)) {
        for (Matrix matrix : all.values()) {
          MemorySegment row = arena.allocate(4L * matrix.cols());
          for (long r = 0; r < matrix.rows(); r++) {
            matrix.row(r, row, 0);
            writer.out().write(row.toArray(ValueLayout.JAVA_FLOAT));
          }
        }
        writer.commit();
      }
    }
    return to;
  }

  /** A tensor as a matrix; one of one dimension as a single row. */
  private static Matrix plain(Tensor tensor) {
    if (tensor.spec().shape().size() == 2) {
      return Matrix.of(tensor);
    }
    long[] shape = {1, tensor.spec().elements()};
    TensorSpec spec = TensorSpec.of(tensor.name(), tensor.type(), shape);
    return Matrix.of(new Tensor(spec, tensor.data(), tensor.file()));
  }

  @Test
  void keysAndValuesOfRoundedWeightsAreOthers() {
    Path folder = write("llama", TensorType.BF16, 1);
    Path notes = root.resolve("notes");
    try (Model plain = Model.load(folder);
        Model one = load(folder, null);
        Model two = load(folder, root.resolve("elsewhere"))) {
      assertThat(one.fingerprint(team, notes)).isNotEqualTo(plain.fingerprint(team, notes));
      assertThat(one.fingerprint(team, notes)).isEqualTo(two.fingerprint(team, notes));
      assertThat(one.kvType()).isEqualTo(KvType.BF16);
      assertThat(one.weightBytesPerStep()).isLessThan(plain.weightBytesPerStep());
    }
  }
}
