package io.gatun.tools.config;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.gatun.cache.GatunException;
import io.gatun.cache.KvType;
import io.gatun.tools.plan.CacheCost;
import io.gatun.tools.plan.Plan;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** The ways in which model families write down their attention. */
class AttentionShapeReaderTest {
  @TempDir Path temp;
  private Path folder;

  @BeforeEach
  void folder() throws IOException {
    folder = Files.createDirectory(temp.resolve("some-model"));
  }

  private AttentionShape read(String json) throws IOException {
    Files.writeString(folder.resolve("config.json"), json.replace('\'', '"'));
    return AttentionShapeReader.read(folder);
  }

  private static long perToken(AttentionShape model) {
    return CacheCost.of(model, KvType.F16, 1).bytesPerToken();
  }

  @Test
  void llama() throws IOException {
    AttentionShape m =
        read(
            """
            {'model_type': 'llama', 'hidden_size': 4096, 'num_hidden_layers': 32,
             'num_attention_heads': 32, 'num_key_value_heads': 8,
             'max_position_embeddings': 131072, 'head_dim': null, 'rope_theta': 500000.0}\
            """);
    assertThat(m.name()).isEqualTo("some-model");
    assertThat(m.layers()).isEqualTo(32);
    assertThat(m.numHeads()).isEqualTo(32);
    assertThat(m.numKvHeads()).isEqualTo(8);
    assertThat(m.keyDim()).isEqualTo(128);
    assertThat(m.contextLimit()).isEqualTo(131_072);
    assertThat(m.slidingLayers()).isZero();
    assertThat(perToken(m)).isEqualTo(131_072);
    assertThat(m.source()).isEqualTo(AttentionShape.Source.CONFIG);
  }

  @Test
  void headDimNeedNotBeTheShareOfTheHiddenSize() throws IOException {
    AttentionShape m =
        read(
            """
            {'model_type': 'qwen3', 'hidden_size': 1024, 'num_hidden_layers': 28, 'head_dim': 128,
             'num_attention_heads': 16, 'num_key_value_heads': 8, 'sliding_window': null,
             'use_sliding_window': false, 'max_window_layers': 28}\
            """);
    assertThat(perToken(m)).isEqualTo(114_688);
  }

  @Test
  void withoutKvHeadsItIsMha() throws IOException {
    AttentionShape m =
        read("{'model_type': 'gpt2', 'n_layer': 12, 'n_head': 12, 'n_embd': 768, 'n_ctx': 1024}");
    assertThat(m.numKvHeads()).isEqualTo(12);
    assertThat(m.contextLimit()).isEqualTo(1024);
    assertThat(perToken(m)).isEqualTo(36_864);
  }

  @ParameterizedTest
  @CsvSource({
    // Qwen2 names a window and does not use it unless told so.
    "'\"use_sliding_window\": false, \"max_window_layers\": 2', 0",
    "'\"use_sliding_window\": true, \"max_window_layers\": 2', 6",
    "'\"model_type\": \"qwen2\"', 0",
    "'\"model_type\": \"qwen3\", \"use_sliding_window\": true, \"max_window_layers\": 5', 3",
    "'\"model_type\": \"qwen3\", \"use_sliding_window\": true', 0",
    // Mistral: all; Gemma 3: five of six; Cohere 2: three of four.
    "'\"model_type\": \"mistral\"', 8",
    "'\"sliding_window_pattern\": 6', 7",
    "'\"_sliding_window_pattern\": 4', 6",
    "'\"model_type\": \"gemma2\"', 4",
    "'\"model_type\": \"gpt_oss\"', 4"
  })
  void slidingLayers(String how, int sliding) throws IOException {
    AttentionShape m =
        read(
            """
            {'num_hidden_layers': 8, 'num_attention_heads': 4, 'num_key_value_heads': 2,
             'hidden_size': 256, 'sliding_window': 100, %s}\
            """
                .formatted(how));
    assertThat(m.slidingLayers()).isEqualTo(sliding);
    // A row is 2 x 2 x 64 x 2 = 512 bytes.
    assertThat(CacheCost.of(m, KvType.F16, 1).bytesAt(1000))
        .isEqualTo(512L * (sliding * 100 + (8 - sliding) * 1000));
  }

  @Test
  void layerTypesGoBeforePatterns() throws IOException {
    AttentionShape m =
        read(
            """
            {'num_hidden_layers': 4, 'num_attention_heads': 4, 'hidden_size': 256,
             'sliding_window': 128, 'sliding_window_pattern': 2, 'attention_chunk_size': 512,
             'layer_types': ['sliding_attention', 'full_attention', 'linear_attention',
                             'chunked_attention']}\
            """);
    assertThat(m.windows()).containsExactly(128L, 0L, AttentionShape.NO_KV, 512L);
    assertThat(m.describe())
        .isEqualTo(
            "4 layers, 4 heads (MHA), head dim 64, 2 with a window of 128 to 512 tokens, 1 without"
                + " K/V");
  }

  @Test
  void latentAttention() throws IOException {
    AttentionShape m =
        read(
            """
            {'model_type': 'deepseek_v3', 'num_hidden_layers': 61, 'num_attention_heads': 128,
             'num_key_value_heads': 128, 'hidden_size': 7168, 'kv_lora_rank': 512,
             'qk_rope_head_dim': 64, 'qk_nope_head_dim': 128, 'v_head_dim': 128}\
            """);
    assertThat(perToken(m)).isEqualTo(70_272);
    assertThat(m.kvShape(1).valuesInKeys()).isTrue();
    assertThat(m.describe())
        .isEqualTo("61 layers, 128 query heads on one latent row of 512 + 64 dims");
    // As MHA with heads of 128: 61 x 2 x 128 x 128 x 2 a token.
    Plan plan = new Plan(m, KvType.F16, 100_000, 1, 1, 0);
    assertThat(plan.mhaBytes()).isEqualTo(399_769_600_000L);
    assertThat(plan.mqaBytes()).isEqualTo(399_769_600_000L / 128);
  }

  @Test
  void gemma3InsideAMultimodalConfigWithItsDefaultsLeftOut() throws IOException {
    AttentionShape m =
        read(
            """
            {'model_type': 'gemma3', 'vision_config': {'num_hidden_layers': 27},
             'text_config': {'model_type': 'gemma3_text', 'hidden_size': 2560,
                             'num_hidden_layers': 34, 'sliding_window': 1024}}\
            """);
    assertThat(m.numHeads()).isEqualTo(8);
    assertThat(perToken(m)).isEqualTo(139_264);
    assertThat(m.slidingLayers()).isEqualTo(29);
  }

  @Test
  void falconHasOneKvHead() throws IOException {
    AttentionShape m =
        read(
            """
            {'model_type': 'falcon', 'num_hidden_layers': 32, 'num_attention_heads': 71,
             'hidden_size': 4544, 'multi_query': true, 'new_decoder_architecture': false,
             'num_kv_heads': 71}\
            """);
    assertThat(perToken(m)).isEqualTo(8192);
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      quoteCharacter = '`',
      value = {
        "[1]|is not a JSON object",
        "{'num_hidden_layers': |is not JSON",
        "{}|has no num_hidden_layers, n_layer, n_layers, num_layers",
        "{'num_hidden_layers': 2}|has no num_attention_heads",
        "{'num_hidden_layers': 2, 'num_attention_heads': 2}|neither head_dim nor hidden_size",
        "{'num_hidden_layers': 2, 'num_attention_heads': 3, 'hidden_size': 64}|no multiple of 3",
        "{'num_hidden_layers': 2.5, 'num_attention_heads': 3}|num_hidden_layers is 2.5, not a"
            + " whole",
        "{'num_hidden_layers': -2, 'num_attention_heads': 3}|is -2, not a whole number",
        "{'num_hidden_layers': 0, 'num_attention_heads': 2, 'head_dim': 4}|layers is 0",
        "{'num_hidden_layers': 1, 'num_attention_heads': 2, 'head_dim': 4, 'layer_types': []}|0"
            + " entries",
        "{'num_hidden_layers': 1, 'num_attention_heads': 2, 'head_dim': 4, 'layer_types':"
            + " ['x']}|type 'x'",
        "{'num_hidden_layers': 1, 'num_attention_heads': 2, 'head_dim': 4, 'layer_types':"
            + " ['sliding_attention']}|sliding_window is not",
        "{'num_hidden_layers': 1, 'num_attention_heads': 2, 'head_dim': 4, 'num_key_value_heads':"
            + " 3}|cannot be shared",
        "{'num_hidden_layers': 1, 'num_attention_heads': 2, 'kv_lora_rank': 4}|has no"
            + " qk_rope_head_dim"
      })
  void refused(String json, String message) {
    assertThatThrownBy(() -> read(json))
        .isInstanceOf(GatunException.class)
        .hasMessageContaining("some-model")
        .hasMessageContaining(message);
  }

  @Test
  void missingFile() {
    assertThatThrownBy(() -> AttentionShapeReader.read(folder.resolve("nowhere.json")))
        .isInstanceOf(GatunException.class)
        .hasMessageContaining("nowhere.json does not exist");
  }
}
