package io.gatun.tools.convert;

import static org.assertj.core.api.Assertions.assertThat;

import io.gatun.tools.model.RandomCheckpoint;
import io.gatun.tools.safetensors.Checkpoint;
import io.gatun.tools.safetensors.TensorType;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.concurrent.TimeUnit;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Conversions in processes of their own: a small heap, and an end at any moment. */
class ConvertProcessTest {
  private static final long SEED = 4;
  @TempDir Path temp;

  /** About 85 MB in shards of 30. */
  private Path checkpoint() {
    Map<String, Object> config = new HashMap<>(Checkpoints.config("llama", 16, 16));
    config.put("hidden_size", 1024);
    config.put("head_dim", 64);
    config.put("intermediate_size", 2048);
    config.put("num_hidden_layers", 4);
    Path folder = temp.resolve("in");
    RandomCheckpoint.write(folder, config, TensorType.BF16, 30_000_000, SEED, written -> {});
    return folder;
  }

  private Process start(String heap, Path in, Path out) throws IOException {
    List<String> command = new ArrayList<>();
    command.add(Path.of(System.getProperty("java.home"), "bin", "java").toString());
    command.addAll(
        List.of(
            heap,
            "-XX:TieredStopAtLevel=1",
            "--add-modules=jdk.incubator.vector",
            "--enable-native-access=ALL-UNNAMED",
            "-cp",
            System.getProperty("java.class.path"),
            ConvertInProcess.class.getName(),
            "--kv-heads",
            "4"));
    command.add(in.toString());
    command.add(out.toString());
    return new ProcessBuilder(command)
        .redirectErrorStream(true)
        .redirectOutput(temp.resolve("log").toFile())
        .start();
  }

  @Test
  void aHeapSmallerThanATensorIsEnough() throws Exception {
    Path in = checkpoint();
    Path out = temp.resolve("out");
    // A matrix of the MLP has 4 MiB, the files 85.
    Process process = start("-Xmx16m", in, out);
    assertThat(process.waitFor(60, TimeUnit.SECONDS)).isTrue();
    assertThat(process.exitValue()).as(Files.readString(temp.resolve("log"))).isZero();
    try (Checkpoint converted = Checkpoint.open(out)) {
      assertThat(converted.tensors()).isNotEmpty();
    }
  }

  @Test
  void whatIsKilledLeavesNothingThatLoads() throws Exception {
    Path in = checkpoint();
    Random random = new Random(SEED);
    int killed = 0;
    for (int round = 0; round < 6; round++) {
      Path out = temp.resolve("out" + round);
      Process process = start("-Xmx64m", in, out);
      while (process.isAlive() && !staged()) {
        Thread.sleep(1);
      }
      Thread.sleep(random.nextInt(60));
      process.destroyForcibly().waitFor();
      killed += process.exitValue() == 0 ? 0 : 1;
      assertThat(Files.exists(out))
          .as("seed %d, round %d", SEED, round)
          .isEqualTo(process.exitValue() == 0);
      try (Stream<Path> left = Files.list(temp)) {
        assertThat(left.filter(p -> p.getFileName().toString().startsWith(".")))
            .allMatch(p -> Files.notExists(p.resolve("config.json")) || isWhole(p));
      }
    }
    System.out.printf("killed in %d of 6 rounds, seed %d%n", killed, SEED);
    assertThat(killed).isPositive();
    // The next conversion of the same name removes the leavings.
    for (int round = 0; round < 6; round++) {
      Path out = temp.resolve("out" + round);
      if (Files.notExists(out)) {
        assertThat(start("-Xmx64m", in, out).waitFor()).isZero();
      }
    }
    assertThat(staged()).isFalse();
  }

  /** The moment between the last file and the renaming is short; then the model is whole. */
  private static boolean isWhole(Path folder) {
    try (Source source = Source.open(folder)) {
      return source.heads().kvHeads() == 4;
    }
  }

  private boolean staged() throws IOException {
    try (Stream<Path> list = Files.list(temp)) {
      return list.anyMatch(p -> p.getFileName().toString().startsWith(".out"));
    }
  }
}
