package io.gatun.tools.safetensors;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.gatun.cache.GatunException;
import io.gatun.cache.KvType;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

class CheckpointTest {
  @TempDir Path folder;

  private static float[] values(long seed, int count) {
    Random random = new Random(seed);
    float[] values = new float[count];
    for (int i = 0; i < count; i++) {
      values[i] = (float) random.nextGaussian();
    }
    return values;
  }

  private void write(long maxShardBytes, TensorType type) {
    List<TensorSpec> specs =
        List.of(
            TensorSpec.of("z", type, 300, 1000),
            TensorSpec.of("empty", type, 0, 4),
            TensorSpec.of("a.weight", type, 7),
            TensorSpec.of("scalar", type));
    try (CheckpointWriter writer = new CheckpointWriter(folder, specs, maxShardBytes)) {
      float[] z = values(1, 300_000);
      for (int from = 0; from < z.length; from += 777) {
        writer.out().write(z, from, Math.min(777, z.length - from));
      }
      writer.out().write(values(2, 7));
      writer.out().write(new float[] {0.1f});
      writer.commit();
    }
  }

  private static float value(Tensor tensor, int i) {
    return switch (tensor.type()) {
      case F32 -> tensor.data().get(KvType.LE_FLOAT, 4L * i);
      case F16 -> Float.float16ToFloat(tensor.data().get(KvType.LE_SHORT, 2L * i));
      case BF16 -> Float.intBitsToFloat(tensor.data().get(KvType.LE_SHORT, 2L * i) << 16);
      default -> throw new AssertionError(tensor);
    };
  }

  @ParameterizedTest
  @EnumSource(
      value = TensorType.class,
      names = {"F32", "F16", "BF16"})
  void whatIsWrittenIsReadInOneFileAndInShards(TensorType type) {
    double step = type == TensorType.F32 ? 0 : type == TensorType.F16 ? 0x1p-11 : 0x1p-8;
    double smallest = type == TensorType.F16 ? 0x1p-25 : 0;
    for (long shardBytes : new long[] {Long.MAX_VALUE, 20}) {
      folder = folder.resolve("s" + shardBytes);
      write(shardBytes, type);
      try (Checkpoint checkpoint = Checkpoint.open(folder)) {
        assertThat(checkpoint.files().size() > 1).isEqualTo(shardBytes == 20);
        assertThat(checkpoint.tensors().keySet())
            .containsExactly("a.weight", "empty", "scalar", "z");
        Tensor z = checkpoint.weight("z", 300, 1000);
        float[] expected = values(1, 300_000);
        for (int i = 0; i < expected.length; i++) {
          assertThat((double) Math.abs(value(z, i) - expected[i]))
              .isLessThanOrEqualTo(Math.max(Math.abs(expected[i]) * step, smallest));
        }
        assertThat(z.data().isReadOnly()).isTrue();
        assertThat(checkpoint.files().getFirst().header().dataStart() % 64).isZero();
      }
    }
  }

  @Test
  void roundingToBf16IsToNearestWithTiesToEven() {
    assertThat(SafetensorsWriter.toBf16(Float.intBitsToFloat(0x3f80_8000)))
        .isEqualTo((short) 0x3f80);
    assertThat(SafetensorsWriter.toBf16(Float.intBitsToFloat(0x3f81_8000)))
        .isEqualTo((short) 0x3f82);
    assertThat(SafetensorsWriter.toBf16(Float.intBitsToFloat(0x3f80_8001)))
        .isEqualTo((short) 0x3f81);
    assertThat(SafetensorsWriter.toBf16(Float.intBitsToFloat(0x7f80_0001)) & 0x7f).isNotZero();
  }

  @Test
  void encodedElementsArePassedThrough() {
    Path file = folder.resolve("one.safetensors");
    byte[] bytes = new byte[3_000_000];
    new Random(5).nextBytes(bytes);
    List<TensorSpec> specs = List.of(TensorSpec.of("q", TensorType.I8, 3_000_000));
    try (SafetensorsWriter writer = SafetensorsWriter.create(file, specs, Map.of())) {
      writer.writeEncoded(MemorySegment.ofArray(bytes));
      writer.commit();
    }
    try (SafetensorsFile read = SafetensorsFile.open(file)) {
      assertThat(read.tensors().get("q").data().mismatch(MemorySegment.ofArray(bytes)))
          .isEqualTo(-1);
    }
  }

  @Test
  void anUnfinishedFileIsNotLeftBehind() throws IOException {
    Path file = folder.resolve("half.safetensors");
    List<TensorSpec> specs = List.of(TensorSpec.of("q", TensorType.F32, 10));
    try (SafetensorsWriter writer = SafetensorsWriter.create(file, specs, Map.of())) {
      writer.write(new float[4]);
      assertThatThrownBy(writer::commit)
          .isInstanceOf(IllegalStateException.class)
          .hasMessage("tensor q still misses 6 values");
      assertThatThrownBy(() -> writer.write(new float[7]))
          .isInstanceOf(IllegalStateException.class)
          .hasMessage("tensor q has room for 6 values more, not for 7");
    }
    try (var list = Files.list(folder)) {
      assertThat(list).isEmpty();
    }
  }

  private void refused(String... why) {
    assertThatThrownBy(() -> Checkpoint.open(folder).close())
        .isInstanceOf(GatunException.class)
        .satisfies(e -> assertThat(e.getMessage()).contains(why));
  }

  @Test
  void aFolderWithoutACheckpointIsRefused() throws IOException {
    refused("neither model.safetensors nor model.safetensors.index.json");
    Files.write(folder.resolve("pytorch_model.bin"), new byte[1]);
    refused("it has pytorch_model.bin");
    folder = folder.resolve("gone");
    refused("does not exist");
    Files.write(folder, new byte[1]);
    refused("is a file; a model is a folder");
  }

  @Test
  void aWrongIndexIsRefused() throws IOException {
    write(20, TensorType.F32);
    Path index = folder.resolve(Checkpoint.INDEX);
    String good = Files.readString(index);
    String shard = "model-00001-of-00004.safetensors";
    Files.writeString(index, good.replace(shard, "model-9.safetensors"));
    refused(Checkpoint.INDEX, "names model-9.safetensors, which is not there");
    Files.writeString(index, good.replace(shard, "../" + shard));
    refused("not a .safetensors file of its own folder");
    Files.writeString(index, good.replace("\"" + shard + "\"", "3"));
    refused("names 3 for tensor");
    Files.writeString(index, good.replace("\"z\"", "\"y\""));
    refused("says that tensor y lies in " + shard + ", which has no such tensor");
    Files.writeString(index, good.replace("00001-of", "00002-of"));
    refused("has no such tensor");
    Files.writeString(index, "{\"weight_map\":{}}");
    refused("has no weight_map");
    Files.writeString(index, good.substring(0, good.length() / 2));
    refused("is not valid JSON");
    Files.writeString(index, good);
    Files.copy(folder.resolve(shard), folder.resolve("b.safetensors"));
    Files.writeString(
        index, good.replace("\"weight_map\" : {", "\"weight_map\" : {\"q\":\"b.safetensors\","));
    refused("tensor z lies in", "and in");
  }

  @Test
  void aTensorOfAnotherShapeOrTypeIsRefused() {
    write(Long.MAX_VALUE, TensorType.F32);
    try (Checkpoint checkpoint = Checkpoint.open(folder)) {
      assertThatThrownBy(() -> checkpoint.weight("y", 1))
          .isInstanceOf(GatunException.class)
          .hasMessageContaining("has no tensor y");
      assertThatThrownBy(() -> checkpoint.weight("z", 1000, 300))
          .isInstanceOf(GatunException.class)
          .hasMessageContaining("has shape [300, 1000], and config.json asks for [1000, 300]");
    }
    List<TensorSpec> specs = List.of(TensorSpec.of("z", TensorType.I8, 4));
    try (CheckpointWriter writer = new CheckpointWriter(folder, specs, Long.MAX_VALUE)) {
      writer.out().writeEncoded(MemorySegment.ofArray(new byte[4]));
      writer.commit();
    }
    try (Checkpoint checkpoint = Checkpoint.open(folder)) {
      assertThatThrownBy(() -> checkpoint.weight("z", 4))
          .isInstanceOf(GatunException.class)
          .hasMessageContaining("has type I8, and Gatun computes with F32, F16 and BF16");
    }
    assertThatThrownBy(() ->
            new CheckpointWriter(
                folder, List.of(specs.get(0), TensorSpec.of("b", TensorType.I8, 9)), 1))
        .isInstanceOf(GatunException.class)
        .hasMessageContaining("has a model already (model.safetensors)");
  }
}
