package io.gatun.tools.model;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.gatun.attention.Team;
import io.gatun.cache.GatunException;
import io.gatun.store.Fingerprint;
import io.gatun.tools.safetensors.TensorType;
import java.io.IOException;
import java.io.RandomAccessFile;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class ModelDigestTest {
  @TempDir Path folder;
  @TempDir Path notes;

  private Path write(String name, Map<String, ?> config, TensorType type, long shard, long seed) {
    Path model = folder.resolve(name);
    RandomCheckpoint.write(model, config, type, shard, seed, written -> {});
    return model;
  }

  private Fingerprint fingerprint(Path model, Path in) {
    try (Team team = Team.of(2);
        Model loaded = Model.load(model)) {
      return loaded.fingerprint(team, in);
    }
  }

  private long noteCount() throws IOException {
    try (Stream<Path> list = Files.list(notes)) {
      return list.count();
    }
  }

  @Test
  void weightsAndConfigurationCountAndFilesDoNot() {
    var config = TinyModels.config("llama");
    Fingerprint one = fingerprint(write("a", config, TensorType.F32, Long.MAX_VALUE, 1), notes);
    assertThat(fingerprint(write("b", config, TensorType.F32, 20_000, 1), notes)).isEqualTo(one);
    assertThat(fingerprint(write("c", config, TensorType.F32, 20_000, 2), notes)).isNotEqualTo(one);
    assertThat(fingerprint(write("d", config, TensorType.F16, 20_000, 1), notes)).isNotEqualTo(one);
    config.put("rope_theta", 10001.0);
    assertThat(fingerprint(write("e", config, TensorType.F32, 20_000, 1), notes)).isNotEqualTo(one);
    config.put("rope_theta", 10000.0);
    config.put("eos_token_id", 1);
    assertThat(fingerprint(write("f", config, TensorType.F32, 20_000, 1), notes)).isEqualTo(one);
  }

  @Test
  void theWeightsAreReadOnceUntilAFileChanges() throws IOException {
    Path model = write("a", TinyModels.config("qwen2"), TensorType.BF16, Long.MAX_VALUE, 1);
    Fingerprint one = fingerprint(model, notes);
    assertThat(noteCount()).isEqualTo(1);
    Path note;
    try (Stream<Path> list = Files.list(notes)) {
      note = list.findFirst().orElseThrow();
    }
    String other = "0".repeat(64);
    Files.writeString(note, other);
    assertThat(fingerprint(model, notes)).as("from the note").isNotEqualTo(one);
    Files.writeString(note, "cut of");
    assertThat(fingerprint(model, notes)).as("a broken note").isEqualTo(one);
    try (RandomAccessFile file =
        new RandomAccessFile(model.resolve("model.safetensors").toFile(), "rw")) {
      file.seek(file.length() - 1);
      int last = file.read();
      file.seek(file.length() - 1);
      file.write(last ^ 1);
    }
    assertThat(fingerprint(model, notes)).isNotEqualTo(one);
    assertThat(noteCount()).isEqualTo(2);
  }

  @Test
  void aFolderThatCannotBeWrittenOnlyCostsTime() throws IOException {
    Path model = write("a", TinyModels.config("qwen2"), TensorType.BF16, Long.MAX_VALUE, 1);
    Path file = Files.writeString(folder.resolve("no-folder"), "");
    assertThat(fingerprint(model, file.resolve("x"))).isEqualTo(fingerprint(model, notes));
  }

  @Test
  void halfPrecisionInfinitiesAreRefused() throws IOException {
    Path model = write("a", TinyModels.config("llama"), TensorType.F16, Long.MAX_VALUE, 1);
    try (RandomAccessFile file =
        new RandomAccessFile(model.resolve("model.safetensors").toFile(), "rw")) {
      file.seek(file.length() - 2);
      file.write(new byte[] {0, 0x7c});
    }
    assertThatThrownBy(() -> fingerprint(model, notes))
        .isInstanceOf(GatunException.class)
        .hasMessageContaining("holds an infinity (element 18935, at [262, 71])");
    assertThat(List.of(noteCount())).containsExactly(0L);
  }
}
