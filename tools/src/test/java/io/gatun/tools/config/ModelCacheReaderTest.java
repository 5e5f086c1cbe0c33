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
import org.junit.jupiter.params.provider.ValueSource;

/** The ways in which model families write down their attention. */
class ModelCacheReaderTest {
  @TempDir Path temp;
  private Path folder;

  @BeforeEach
  void folder() throws IOException {
    folder = Files.createDirectory(temp.resolve("some-model"));
  }

  private ModelCache read(String json) throws IOException {
    Files.writeString(folder.resolve("config.json"), json.replace('\'', '"'));
    return ModelCacheReader.read(folder);
  }

  private static long perToken(ModelCache model) {
    return CacheCost.of(model, KvType.F16, 1).bytesPerToken();
  }

  private static long at(ModelCache model, long tokens) {
    return CacheCost.of(model, KvType.F16, 1).bytesAt(tokens);
  }

  @Test
  void llama() throws IOException {
    ModelCache m =
        read(
            """
            {'model_type': 'llama', 'hidden_size': 4096, 'num_hidden_layers': 32,
             'num_attention_heads': 32, 'num_key_value_heads': 8,
             'max_position_embeddings': 131072, 'head_dim': null, 'rope_theta': 500000.0}\
            """);
    assertThat(m.name()).isEqualTo("some-model");
    assertThat(m.rules()).isEqualTo("the rules of Llama (model_type llama)");
    assertThat(m.layers()).hasSize(32);
    assertThat(m.heads()).isEqualTo(new Kept.Heads(32, 8, 128, 128, Span.ALL));
    assertThat(m.contextLimit()).isEqualTo(131_072);
    assertThat(m.boundedLayers()).isZero();
    assertThat(perToken(m)).isEqualTo(131_072);
    assertThat(m.source()).isEqualTo(AttentionShape.Source.CONFIG);
  }

  @Test
  void aWindowHasNoEffectInLlamaAndItSaysSo() throws IOException {
    ModelCache m =
        read(
            """
            {'model_type': 'llama', 'hidden_size': 256, 'num_hidden_layers': 2,
             'num_attention_heads': 4, 'sliding_window': 16}\
            """);
    assertThat(m.boundedLayers()).isZero();
    assertThat(m.notes()).singleElement().asString().contains("sliding_window");
  }

  @Test
  void withoutKvHeadsItIsMultiHeadAttention() throws IOException {
    ModelCache m =
        read("{'model_type': 'gpt2', 'n_layer': 12, 'n_head': 12, 'n_embd': 768, 'n_ctx': 1024}");
    assertThat(m.heads().kvHeads()).isEqualTo(12);
    assertThat(m.contextLimit()).isEqualTo(1024);
    assertThat(perToken(m)).isEqualTo(36_864);
  }

  @ParameterizedTest
  @CsvSource({
    // Qwen2 names a window and does not use it unless told so.
    "'\"model_type\": \"qwen2\", \"use_sliding_window\": false, \"max_window_layers\": 2', 0",
    "'\"model_type\": \"qwen2\", \"use_sliding_window\": true, \"max_window_layers\": 2', 6",
    "'\"model_type\": \"qwen2\"', 0",
    "'\"model_type\": \"qwen3\", \"use_sliding_window\": true, \"max_window_layers\": 5', 3",
    "'\"model_type\": \"qwen3\", \"use_sliding_window\": true', 0",
    // Mistral: all; Gemma 3: five of six; Cohere 2: three of four.
    "'\"model_type\": \"mistral\"', 8",
    "'\"model_type\": \"gemma3_text\", \"sliding_window_pattern\": 6', 7",
    "'\"model_type\": \"cohere2\", \"sliding_window_pattern\": 4', 6",
    "'\"model_type\": \"cohere2\", \"layer_switch\": 2', 4",
    "'\"model_type\": \"gemma2\"', 4",
    "'\"model_type\": \"gpt_oss\"', 4",
    "'\"model_type\": \"olmo3\"', 6",
    "'\"model_type\": \"exaone4\", \"sliding_window_pattern\": \"LLLG\"', 6",
    "'\"model_type\": \"exaone4\", \"sliding_window_pattern\": 2', 4"
  })
  void slidingLayers(String how, int sliding) throws IOException {
    ModelCache m =
        read(
            """
            {'num_hidden_layers': 8, 'num_attention_heads': 4, 'num_key_value_heads': 2,
             'hidden_size': 256, 'head_dim': 64, 'sliding_window': 100, %s}\
            """
                .formatted(how));
    assertThat(m.boundedLayers()).isEqualTo(sliding);
    // A row is 2 x 2 x 64 x 2 = 512 bytes.
    assertThat(at(m, 1000)).isEqualTo(512L * (sliding * 100 + (8 - sliding) * 1000));
  }

  @Test
  void latentAttention() throws IOException {
    ModelCache m =
        read(
            """
            {'model_type': 'deepseek_v3', 'num_hidden_layers': 61, 'num_attention_heads': 128,
             'num_key_value_heads': 128, 'hidden_size': 7168, 'kv_lora_rank': 512,
             'qk_rope_head_dim': 64, 'qk_nope_head_dim': 128, 'v_head_dim': 128,
             'num_nextn_predict_layers': 1}\
            """);
    assertThat(perToken(m)).isEqualTo(70_272);
    assertThat(m.notes()).singleElement().asString().contains("num_nextn_predict_layers 1");
    // As MHA with heads of 128: 61 x 2 x 128 x 128 x 2 a token.
    Plan plan = new Plan(m, KvType.F16, 100_000, 1, 1, 0);
    assertThat(plan.mhaBytes()).isEqualTo(399_769_600_000L);
    assertThat(plan.mqaBytes()).isEqualTo(399_769_600_000L / 128);
  }

  @Test
  void gemma3InsideAMultimodalConfigWithItsDefaultsLeftOut() throws IOException {
    ModelCache m =
        read(
            """
            {'model_type': 'gemma3', 'vision_config': {'num_hidden_layers': 27},
             'text_config': {'model_type': 'gemma3_text', 'hidden_size': 2560,
                             'num_hidden_layers': 34, 'sliding_window': 1024}}\
            """);
    assertThat(m.heads().queryHeads()).isEqualTo(8);
    assertThat(perToken(m)).isEqualTo(139_264);
    assertThat(m.boundedLayers()).isEqualTo(29);
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      quoteCharacter = '`',
      value = {
        "'multi_query': true, 'new_decoder_architecture': false, 'num_kv_heads': 71|1",
        "'new_decoder_architecture': true, 'num_kv_heads': 71|71",
        "'multi_query': false|71",
        "'num_kv_heads': null|1"
      })
  void falconSaysItsKvHeadsInTwoWays(String how, int kvHeads) throws IOException {
    ModelCache m =
        read(
            """
            {'model_type': 'falcon', 'num_hidden_layers': 32, 'num_attention_heads': 71,
             'hidden_size': 4544, %s}\
            """
                .formatted(how));
    assertThat(m.heads().kvHeads()).isEqualTo(kvHeads);
  }

  @Test
  void aByteOrderMarkInfinityAndWholeNumbersWithAPoint() throws IOException {
    ModelCache m =
        read(
            "\uFEFF{'model_type': 'llama', 'num_hidden_layers': 2.0, 'num_attention_heads': 4,"
                + " 'hidden_size': 64.0, 'time_step_limit': [0.0, Infinity], 'clip': NaN}");
    assertThat(perToken(m)).isEqualTo(2 * 2 * 4 * 16 * 2);
  }

  @Test
  void aStateStandsBesideTheCache() throws IOException {
    ModelCache m =
        read(
            """
            {'model_type': 'jamba', 'num_hidden_layers': 8, 'num_attention_heads': 4,
             'num_key_value_heads': 1, 'hidden_size': 64, 'attn_layer_period': 4,
             'attn_layer_offset': 2, 'mamba_expand': 2, 'mamba_d_state': 16, 'mamba_d_conv': 4}\
            """);
    assertThat(perToken(m)).isEqualTo(2 * 2 * 16 * 2);
    assertThat(m.layers().get(2).hasRows()).isTrue();
    assertThat(m.layers().get(6).hasRows()).isTrue();
    // 128 channels: 16 values of F32 each, and 3 inputs of BF16.
    assertThat(m.stateBytes()).isEqualTo(6 * 128 * (16 * 4 + 3 * 2));
  }

  @Test
  void layersThatReadTheRowsOfOthersKeepNone() throws IOException {
    ModelCache m =
        read(
            """
            {'model_type': 'gemma3n_text', 'num_hidden_layers': 10, 'num_attention_heads': 8,
             'num_key_value_heads': 2, 'head_dim': 256, 'hidden_size': 2048,
             'sliding_window': 512, 'num_kv_shared_layers': 5}\
            """);
    // Layers 4 and 9 attend to everything; the last five read those of layers 3 and 4.
    assertThat(m.layers().get(9)).isEqualTo(LayerCache.of(new Kept.Shared(4)));
    assertThat(m.layers().get(8)).isEqualTo(LayerCache.of(new Kept.Shared(3)));
    assertThat(at(m, 1000)).isEqualTo(2 * 2 * 256 * 2 * (1000 + 4 * 512));
  }

  @Test
  void keysAndValuesOfAnEncoderAreStatedApart() throws IOException {
    ModelCache m =
        read(
            """
            {'model_type': 't5', 'is_encoder_decoder': true, 'num_layers': 6,
             'num_decoder_layers': 4, 'num_heads': 8, 'd_kv': 64, 'd_model': 512, 'd_ff': 1024}\
            """);
    assertThat(perToken(m)).isEqualTo(4 * 2 * 8 * 64 * 2);
    assertThat(new Plan(m, KvType.F16, 1, 1, 1, 0).crossBytesPerPosition())
        .isEqualTo(4 * 2 * 8 * 64 * 2);
    assertThat(m.notes()).singleElement().asString().contains("encoder-decoder");
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "'kv_cache_compression': 4",
        "'attention_window_pattern': [1, 0]",
        "'cross_layer_kv': {'group': 2}",
        "'num_shared_kv_layers': 1",
        "'extra': {'num_global_heads': 3}",
        "'compress_ratios': [0, 4]"
      })
  void whatIsNotUnderstoodIsRefusedByNameAndValue(String key) {
    String name = key.substring(1, key.indexOf('\'', 1));
    assertThatThrownBy(() ->
            read(
                """
                {'model_type': 'qwen3', 'hidden_size': 64, 'num_hidden_layers': 2,
                 'num_attention_heads': 4, %s}\
                """
                    .formatted(key)))
        .isInstanceOf(GatunException.class)
        .hasMessageContaining(name)
        .hasMessageContaining("--layers");
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      quoteCharacter = '`',
      value = {
        "[1]|is not a JSON object",
        "{'num_hidden_layers': |is not valid JSON",
        "{}|has no num_hidden_layers or n_layer or n_layers or num_layers",
        "{'num_hidden_layers': 2}|has no num_attention_heads",
        "{'num_hidden_layers': 2, 'num_attention_heads': 2}|has no hidden_size",
        "{'num_hidden_layers': 2, 'num_attention_heads': 3, 'hidden_size': 64}|no multiple of 3",
        "{'num_hidden_layers': 2.5, 'num_attention_heads': 3}|num_hidden_layers is 2.5, not a"
            + " whole",
        "{'num_hidden_layers': -2, 'num_attention_heads': 3}|is -2, not a whole number",
        "{'num_hidden_layers': 0, 'num_attention_heads': 2, 'head_dim': 4}|is 0, not a whole",
        "{'num_hidden_layers': 2, 'n_layer': 3, 'n_head': 2, 'n_embd': 4}|two names",
        "{'num_hidden_layers': 1, 'num_attention_heads': 2, 'head_dim': 4, 'layer_types':"
            + " []}|layer_types has 0 entries for 1 layers",
        "{'num_hidden_layers': 1, 'num_attention_heads': 2, 'head_dim': 4, 'layer_types':"
            + " ['x']}|kind 'x'",
        "{'num_hidden_layers': 1, 'num_attention_heads': 2, 'head_dim': 4, 'layer_types':"
            + " ['sliding_attention']}|no sliding_window is in use",
        "{'num_hidden_layers': 1, 'num_attention_heads': 2, 'head_dim': 4, 'num_key_value_heads':"
            + " 3}|2 query heads, not a multiple of its 3 KV heads",
        "{'model_type': 'deepseek_v3', 'num_hidden_layers': 1, 'num_attention_heads': 2,"
            + " 'hidden_size': 8, 'kv_lora_rank': 4}|has no qk_rope_head_dim",
        "{'num_hidden_layers': 1, 'num_attention_heads': 2, 'hidden_size': 8, 'kv_lora_rank':"
            + " 4}|kv_lora_rank is 4",
        "{'model_type': 'bert', 'num_hidden_layers': 1}|is an encoder",
        "{'model_type': 'unheard', 'num_hidden_layers': 1}|names no decoder",
        "{'model_type': 'unheard', 'is_encoder_decoder': true}|is an encoder-decoder",
        "{'model_type': 'mamba', 'num_hidden_layers': 1, 'hidden_size': 8}|no layer of Mamba keeps"
            + " K/V",
        "{'model_type': 'gemma3_text', 'num_hidden_layers': 2, 'hidden_size': 64,"
            + " 'sliding_window_pattern': 2, 'layer_types': ['full_attention',"
            + " 'sliding_attention']}|layer_types lists other layers than sliding_window_pattern",
        "{'model_type': 'gemma3_text', 'use_bidirectional_attention': true}|is an encoder"
      })
  void refused(String json, String message) {
    assertThatThrownBy(() -> read(json))
        .isInstanceOf(GatunException.class)
        .hasMessageContaining("some-model")
        .hasMessageContaining(message);
  }

  @Test
  void missingFile() {
    assertThatThrownBy(() -> ModelCacheReader.read(folder.resolve("nowhere.json")))
        .isInstanceOf(GatunException.class)
        .hasMessageContaining("nowhere.json is not there");
  }
}
