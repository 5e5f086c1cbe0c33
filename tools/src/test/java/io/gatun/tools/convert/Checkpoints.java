package io.gatun.tools.convert;

import io.gatun.tools.model.RandomCheckpoint;
import io.gatun.tools.safetensors.Checkpoint;
import io.gatun.tools.safetensors.SafetensorsWriter;
import io.gatun.tools.safetensors.Tensor;
import io.gatun.tools.safetensors.TensorSpec;
import io.gatun.tools.safetensors.TensorType;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/** Small checkpoints with random weights. */
final class Checkpoints {
  static final long SEED = 77;
  static final int HEAD_DIM = 10;

  private Checkpoints() {}

  static Map<String, Object> config(String type, int heads, int kvHeads) {
    Map<String, Object> c = new LinkedHashMap<>();
    c.put("architectures", List.of("SomeForCausalLM"));
    c.put("model_type", type);
    c.put("hidden_size", 36);
    c.put("intermediate_size", 50);
    c.put("num_hidden_layers", 3);
    c.put("num_attention_heads", heads);
    c.put("num_key_value_heads", kvHeads);
    c.put("head_dim", HEAD_DIM);
    c.put("vocab_size", 256);
    c.put("rms_norm_eps", 1e-5);
    c.put("rope_theta", 10000.0);
    c.put("max_position_embeddings", 512);
    c.put("attention_bias", type.equals("llama"));
    c.put("tie_word_embeddings", true);
    if (type.equals("mistral")) {
      c.put("sliding_window", 9);
    }
    return c;
  }

  static Path random(
      Path folder, String type, int heads, int kvHeads, TensorType stored, long shardBytes) {
    RandomCheckpoint.write(
        folder, config(type, heads, kvHeads), stored, shardBytes, SEED, written -> {});
    return folder;
  }

  /** A checkpoint with {@code times} as many KV heads, each one repeated. */
  static Path repeated(Path from, Path to, int times) throws IOException {
    Files.createDirectory(to);
    Files.copy(from.resolve("tokenizer.json"), to.resolve("tokenizer.json"));
    String config = Files.readString(from.resolve("config.json"));
    try (Checkpoint checkpoint = Checkpoint.open(from);
        Arena arena = Arena.ofConfined()) {
      List<TensorSpec> specs = new ArrayList<>();
      List<MemorySegment> data = new ArrayList<>();
      for (Tensor tensor : checkpoint.tensors().values()) {
        boolean kv = tensor.name().matches(".*[kv]_proj.*");
        List<Long> shape = new ArrayList<>(tensor.spec().shape());
        MemorySegment bytes = tensor.data();
        if (kv) {
          shape.set(0, shape.getFirst() * times);
          long headBytes = bytes.byteSize() / tensor.spec().shape().getFirst() * HEAD_DIM;
          bytes = arena.allocate(tensor.data().byteSize() * times);
          for (long at = 0; at < bytes.byteSize(); at += headBytes) {
            long source = at / headBytes / times * headBytes;
            MemorySegment.copy(tensor.data(), source, bytes, at, headBytes);
          }
        }
        specs.add(new TensorSpec(tensor.name(), tensor.type(), shape));
        data.add(bytes);
      }
      try (SafetensorsWriter writer =
          SafetensorsWriter.create(to.resolve(Checkpoint.SINGLE), specs, Map.of())) {
        data.forEach(writer::writeEncoded);
        writer.commit();
      }
    }
    int kvHeads =
        Integer.parseInt(config.replaceAll("(?s).*\"num_key_value_heads\" : (\\d+).*", "$1"));
    Files.writeString(
        to.resolve("config.json"),
        config.replace(
            "\"num_key_value_heads\" : " + kvHeads,
            "\"num_key_value_heads\" : " + kvHeads * times));
    return to;
  }
}
