package io.gatun.tools.model;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.fasterxml.jackson.databind.ObjectMapper;
import io.gatun.attention.Team;
import io.gatun.cache.GatunException;
import io.gatun.cache.KvCache;
import io.gatun.cache.KvType;
import io.gatun.tools.safetensors.CheckpointWriter;
import io.gatun.tools.safetensors.TensorSpec;
import io.gatun.tools.safetensors.TensorType;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.function.BiFunction;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** What a checkpoint holds against what its configuration asks for. */
class LoaderTest {
  @TempDir Path folder;

  private final Map<String, Object> config = PublishedModels.config("llama-linear");

  /** Writes the model with more tensors; {@code value} changes elements. */
  private void write(List<TensorSpec> more, BiFunction<String, Integer, Float> value)
      throws IOException {
    for (Path file : List.of(folder.resolve("model.safetensors"))) {
      Files.deleteIfExists(file);
    }
    new ObjectMapper().writeValue(folder.resolve("config.json").toFile(), config);
    List<TensorSpec> specs = new ArrayList<>(PublishedModels.tensors(config, TensorType.F32));
    specs.addAll(more);
    Random random = new Random(1);
    try (CheckpointWriter writer = new CheckpointWriter(folder, specs, Long.MAX_VALUE)) {
      for (TensorSpec spec : specs) {
        float[] values = new float[(int) spec.elements()];
        for (int i = 0; i < values.length; i++) {
          Float other = value.apply(spec.name(), i);
          values[i] = other != null ? other : 0.1f * (float) random.nextGaussian();
        }
        writer.out().write(values);
      }
      writer.commit();
    }
  }

  private void write(TensorSpec... more) throws IOException {
    write(List.of(more), (name, i) -> null);
  }

  private static TensorSpec f32(String name, long... shape) {
    return TensorSpec.of(name, TensorType.F32, shape);
  }

  private void refused(String... words) {
    assertThatThrownBy(() -> Model.load(folder).close())
        .isInstanceOf(GatunException.class)
        .satisfies(e -> assertThat(e.getMessage()).contains(words));
  }

  private List<String> remarks() {
    try (Model model = Model.load(folder)) {
      return model.remarks();
    }
  }

  @Test
  void anOutputLayerBesideTiedEmbeddingsMustBeTheEmbeddings() throws IOException {
    config.put("tie_word_embeddings", true);
    TensorSpec head = f32("lm_head.weight", 263, 72);
    write(List.of(head), (name, i) -> isTable(name) ? Float.valueOf(i % 7) : null);
    assertThat(remarks()).isEmpty();
    write(
        List.of(head),
        (name, i) -> {
          boolean changed = name.equals("lm_head.weight") && i == 75;
          return changed ? Float.valueOf(9) : isTable(name) ? Float.valueOf(i % 7) : null;
        });
    refused(
        "config.json says tie_word_embeddings true",
        "element 75 of lm_head.weight is 9.0 where model.embed_tokens.weight has 5.0");
    write(f32("lm_head.weight", 263, 71));
    refused("lm_head.weight is F32 [263, 71] where model.embed_tokens.weight is F32 [263, 72]");
  }

  private static boolean isTable(String name) {
    return name.equals("model.embed_tokens.weight") || name.equals("lm_head.weight");
  }

  @Test
  void weightsOfTheModelsLayersThatItDoesNotHaveAreRefused() throws IOException {
    write(f32("model.layers.1.self_attn.q_proj.bias", 72));
    refused(
        "model.layers.1.self_attn.q_proj.bias",
        "config.json says that there is no such bias",
        "attention_bias");
    write(f32("model.layers.0.mlp.up_proj.bias", 150));
    refused("model.layers.0.mlp.up_proj.bias", "mlp_bias");
    write(f32("model.layers.0.self_attn.q_norm.weight", 12));
    refused("q_norm.weight", "a model of type llama has no such weight");
    write(f32("lm_head.bias", 263));
    refused("lm_head.bias", "a model of type llama has no such weight");
    write(f32("model.layers.4.input_layernorm.weight", 72));
    refused("config.json says that the model has 4 layers", "model.layers.4.input_layernorm");
  }

  @Test
  void tensorsThatAreNotUsedAreNamedAndCompanionsAreNot() throws IOException {
    write(
        f32("model.rotary_emb.inv_freq", 6),
        f32("model.layers.0.self_attn.rotary_emb.inv_freq", 6));
    assertThat(remarks()).isEmpty();
    write(f32("vision.weight", 3), f32("model.layers.0.self_attn.k_scale", 1));
    assertThat(remarks())
        .singleElement()
        .asString()
        .endsWith("the model does not use model.layers.0.self_attn.k_scale, vision.weight");
    write(
        f32("model.layers.4.eh_proj.weight", 72, 144),
        f32("model.layers.4.mlp.up_proj.weight", 2, 2));
    assertThat(remarks()).as("layers that predict further tokens").isEmpty();
  }

  @Test
  void aTypeThatIsNotKnownMayStandWhereItIsNotUsed() throws IOException {
    write(f32("extra.table", 3));
    rewriteHeader("\"dtype\":\"F32\"", "\"dtype\":\"F4X\"", "extra.table");
    assertThat(remarks()).singleElement().asString().contains("extra.table");
    write();
    rewriteHeader("\"dtype\":\"F32\"", "\"dtype\":\"F4X\"", "model.norm.weight");
    refused("tensor model.norm.weight", "has type that this version does not know");
  }

  /** Changes the header entry of a tensor; both texts have the same length. */
  private void rewriteHeader(String from, String to, String tensor) throws IOException {
    Path file = folder.resolve("model.safetensors");
    byte[] bytes = Files.readAllBytes(file);
    int length = (int) ByteBuffer.wrap(bytes).order(ByteOrder.LITTLE_ENDIAN).getLong(0);
    String header = new String(bytes, 8, length, StandardCharsets.UTF_8);
    int at = header.indexOf(from, header.indexOf("\"" + tensor + "\""));
    System.arraycopy(to.getBytes(StandardCharsets.UTF_8), 0, bytes, 8 + at, to.length());
    Files.write(file, bytes);
  }

  @Test
  void aWeightThatIsNotFiniteIsNamedBeforeItSurfaces() throws IOException {
    write(
        List.of(),
        (name, i) ->
            name.equals("model.layers.2.self_attn.k_proj.weight") && i == 75 ? Float.NaN : null);
    String named =
        "tensor model.layers.2.self_attn.k_proj.weight in %s holds NaN (element 75, at [1, 3])"
            .formatted(folder.resolve("model.safetensors"));
    try (Team team = Team.of(2);
        Model model = Model.load(folder);
        KvCache cache = KvCache.builder(model.kvShape()).type(KvType.F32).build();
        Decoder decoder = new Decoder(model, cache, team)) {
      assertThatThrownBy(() -> model.fingerprint(team, folder.resolve("notes")))
          .isInstanceOf(GatunException.class)
          .hasMessageStartingWith(named);
      assertThatThrownBy(() -> decoder.decode(5))
          .isInstanceOf(GatunException.class)
          .hasMessageStartingWith(named);
      assertThat(cache.length()).isZero();
    }
  }

  @Test
  void aSingleShardNeedsNoIndexAndWholeNumbersMayHaveAPoint() throws IOException {
    config.put("hidden_size", 72.0);
    config.put("num_hidden_layers", 4.0);
    write();
    Files.move(
        folder.resolve("model.safetensors"), folder.resolve("model-00001-of-00001.safetensors"));
    assertThat(remarks()).isEmpty();
    Files.move(
        folder.resolve("model-00001-of-00001.safetensors"),
        folder.resolve("model-00001-of-00002.safetensors"));
    refused("neither model.safetensors nor model.safetensors.index.json");
  }
}
