package io.gatun.tools.model;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.fasterxml.jackson.databind.ObjectMapper;
import io.gatun.attention.RopeConfig;
import io.gatun.cache.GatunException;
import io.gatun.cache.KvShape;
import io.gatun.tools.config.ModelConfig;
import io.gatun.tools.config.ModelConfigReader;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class ModelConfigReaderTest {
  private static final ObjectMapper JSON = new ObjectMapper();

  @TempDir Path folder;

  private ModelConfig read(String name, String changes) throws IOException {
    Map<String, Object> config = TinyModels.config(name);
    Map<?, ?> overrides = JSON.readValue("{" + changes.replace('\'', '"') + "}", Map.class);
    overrides.forEach((key, value) -> {
      if ("-".equals(value)) {
        config.remove(key.toString());
      } else {
        config.put(key.toString(), value);
      }
    });
    JSON.writeValue(folder.resolve("config.json").toFile(), config);
    return ModelConfigReader.read(folder);
  }

  @Test
  void presetsHaveTheParametersOfTheirModels() throws IOException {
    Map<String, Long> published =
        Map.of(
            "llama-3.2-1b", 1_235_814_400L,
            "mistral-7b-v0.1", 7_241_732_096L,
            "qwen2.5-0.5b", 494_032_768L,
            "qwen3-0.6b", 596_049_920L);
    for (Map.Entry<String, Long> entry : published.entrySet()) {
      JSON.writeValue(folder.resolve("config.json").toFile(), ModelPresets.config(entry.getKey()));
      assertThat(ModelConfigReader.read(folder).parameters())
          .as(entry.getKey())
          .isEqualTo(entry.getValue());
    }
    assertThatThrownBy(() -> ModelPresets.config("gpt"))
        .isInstanceOf(GatunException.class)
        .hasMessageContaining("llama-3.2-1b, mistral-7b-v0.1");
  }

  @Test
  void whatIsAbsentHasTheDefaultOfTheModelType() throws IOException {
    ModelConfig llama =
        read("llama", "'num_key_value_heads':'-','rope_theta':'-','rms_norm_eps':'-'");
    assertThat(llama.kvShape()).isEqualTo(new KvShape(3, 6, 12, 12));
    assertThat(llama.rope()).isEqualTo(RopeConfig.of(12, 10_000));
    assertThat(llama.rmsNormEps()).isEqualTo(1e-6);
    assertThat(llama.tiedEmbeddings() || llama.qkvBias() || llama.qkNorm()).isFalse();
    assertThat(read("qwen3", "'head_dim':'-'").headDim()).isEqualTo(128);
    assertThat(read("qwen2", "").qkvBias()).isTrue();
    assertThat(read("qwen2", "").outputBias()).isFalse();
    assertThat(read("qwen3", "").outputBias()).isTrue();
  }

  @Test
  void windows() throws IOException {
    assertThat(read("mistral-window", "").windows()).containsExactly(9, 9, 9);
    assertThat(read("mistral-window", "'sliding_window':null").windows()).containsExactly(0, 0, 0);
    assertThat(read("mistral-window", "'sliding_window':'-'").windows()).containsOnly(4096);
    assertThat(read("qwen2-window", "").windows()).containsExactly(0, 8, 8);
    assertThat(read("qwen2", "").windows()).containsExactly(0, 0, 0);
    assertThat(read("qwen3-window", "").windows()).containsExactly(0, 5, 0);
    assertThat(read("llama", "'sliding_window':7").windows()).containsExactly(0, 0, 0);
  }

  @Test
  void ropeInTheOlderAndTheNewerForm() throws IOException {
    String llama3 =
        "'factor':8.0,'low_freq_factor':1,'high_freq_factor':4,'original_max_position_embeddings':512";
    RopeConfig expected = RopeConfig.of(12, 5e5).withScaling(new RopeConfig.Llama3(8, 1, 4, 512));
    assertThat(
            read(
                    "llama",
                    "'rope_theta':500000.0,'rope_scaling':{'rope_type':'llama3'," + llama3 + "}")
                .rope())
        .isEqualTo(expected);
    assertThat(
            read(
                    "llama",
                    "'rope_theta':'-','rope_parameters':{'rope_theta':5e5,'rope_type':'llama3',"
                        + llama3
                        + "}")
                .rope())
        .isEqualTo(expected);
    assertThat(read("llama", "'rope_scaling':{'type':'linear','factor':2}").rope().scaling())
        .isEqualTo(new RopeConfig.Linear(2));
    assertThat(read("llama", "'rope_scaling':null").rope()).isEqualTo(RopeConfig.of(12, 1e4));
    assertThat(read("llama", "'rope_scaling':{'rope_type':'default'}").rope())
        .isEqualTo(RopeConfig.of(12, 1e4));
  }

  @Test
  void endOfTextIds() throws IOException {
    assertThat(read("llama", "").eosIds()).containsExactly(257);
    assertThat(read("llama", "'eos_token_id':[3,4]").eosIds()).containsExactly(3, 4);
    assertThat(read("llama", "'eos_token_id':null").eosIds()).isEmpty();
    Path generation = folder.resolve("generation_config.json");
    Files.writeString(generation, "{\"eos_token_id\":[7,8]}");
    assertThat(read("llama", "").eosIds()).isEqualTo(List.of(7, 8));
    Files.writeString(generation, "{\"temperature\":0.6}");
    assertThat(read("llama", "").eosIds()).containsExactly(257);
    Files.writeString(generation, "{\"eos_token_id\":\"x\"}");
    assertThatThrownBy(() -> read("llama", ""))
        .isInstanceOf(GatunException.class)
        .hasMessageContaining("generation_config.json: eos_token_id is \"x\"");
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      quoteCharacter = '`',
      value = {
        "llama | 'model_type':'gemma'               | model_type is 'gemma', and Gatun runs llama,"
            + " mistral, qwen2, qwen3",
        "llama | 'model_type':'-'                   | model_type is not given",
        "llama | 'hidden_size':'-'                  | has no hidden_size",
        "llama | 'hidden_size':0                    | hidden_size is 0, not a whole number from 1",
        "llama | 'hidden_size':72.5                 | hidden_size is 72.5, not a whole number",
        "llama | 'hidden_size':'72'                 | hidden_size is \"72\", not a whole number",
        "llama | 'hidden_size':99999999999          | hidden_size is 99999999999",
        "llama | 'hidden_size':73                   | hidden_size 73 is no multiple of 6 heads",
        "llama | 'num_hidden_layers':-3             | num_hidden_layers is -3",
        "llama | 'intermediate_size':true           | intermediate_size is true",
        "llama | 'vocab_size':0                     | vocab_size is 0",
        "llama | 'num_attention_heads':0            | num_attention_heads is 0",
        "llama | 'num_key_value_heads':4            | 6 query heads, not a multiple of its 4 KV"
            + " heads",
        "llama | 'head_dim':7                       | heads are 7 wide",
        "llama | 'rms_norm_eps':0                   | rms_norm_eps is 0, not a finite number"
            + " greater than 0",
        "llama | 'rope_theta':-1.0                  | rope_theta is -1.0",
        "llama | 'hidden_act':'gelu'                | hidden_act is 'gelu', and Gatun computes"
            + " silu",
        "llama | 'tie_word_embeddings':'yes'        | tie_word_embeddings is \"yes\", not true or"
            + " false",
        "llama | 'eos_token_id':263                 | eos_token_id is 263, not one token id from 0"
            + " to 262",
        "llama | 'quantization_config':{'quant_method':'gptq'} | quantized (quant_method gptq)",
        "llama | 'partial_rotary_factor':0.5        | partial_rotary_factor is 0.5",
        "llama | 'rope_scaling':{'rope_type':'ntk','factor':4.0} | rope type 'ntk' is not one"
            + " that Gatun computes (default, linear, dynamic, yarn, longrope, llama3)",
        "llama | 'rope_scaling':{'rope_type':'yarn','factor':4.0,'short_mscale':1.5} |"
            + " rope_scaling: short_mscale is 1.5, and Gatun does not know what it means for rope"
            + " type 'yarn'",
        "llama | 'rope_theta':1e4,'rope_scaling':{'rope_type':'default','rope_theta':5e5} |"
            + " rope_theta is 10000.0, and 500000.0 in rope_scaling",
        "llama |"
            + " 'rope_parameters':{'rope_type':'default'},'rope_scaling':{'type':'linear','factor':2}"
            + " | rope_scaling is {\"type\":\"linear\",\"factor\":2} and rope_parameters is"
            + " {\"rope_type\":\"default\"}",
        "llama | 'rope_scaling':{'rope_type':'yarn','type':'linear','factor':2} | rope_type is"
            + " 'yarn' and type is 'linear'",
        "llama |"
            + " 'original_max_position_embeddings':64,'rope_scaling':{'type':'yarn','factor':2,'original_max_position_embeddings':32}"
            + " | original_max_position_embeddings is 64.0, and 32.0 in rope_scaling",
        "llama | 'rope_scaling':{'type':'llama3','factor':4.0} | rope_scaling has no"
            + " low_freq_factor",
        "llama | 'rope_scaling':{'type':'linear','factor':0.5} | rope scaling factor is 0.5",
        "llama | 'rope_scaling':3                   | rope_scaling is 3, not an object",
        "llama | 'rope_parameters':{'full_attention':{}} | differ by layer type",
        "mistral-window | 'sliding_window':0        | sliding_window is 0",
        "qwen3-window | 'layer_types':['full_attention'] | layer_types has 1 entries for 3 layers",
        "qwen3-window | 'layer_types':['full_attention','full_attention','linear_attention'] |"
            + " layer 2 is of kind 'linear_attention'",
        "qwen3-window | 'use_sliding_window':false  | layer_types has sliding_attention in layer"
            + " 1, but no sliding_window is in use",
      })
  void whatCannotBeComputedIsRefused(String name, String changes, String message) {
    assertThatThrownBy(() -> read(name.strip(), changes))
        .isInstanceOf(GatunException.class)
        .hasMessageContaining("config.json")
        .hasMessageContaining(message);
  }

  @Test
  void filesThatAreNoConfigurationAreRefused() throws IOException {
    assertThatThrownBy(() -> ModelConfigReader.read(folder))
        .isInstanceOf(GatunException.class)
        .hasMessageContaining("config.json is not there");
    for (String[] wrong :
        new String[][] {
          {"{\"a\":1,\"a\":2}", "not valid JSON"},
          {"[]", "not a JSON object"},
          {"{", "not valid JSON"}
        }) {
      Files.writeString(folder.resolve("config.json"), wrong[0]);
      assertThatThrownBy(() -> ModelConfigReader.read(folder))
          .isInstanceOf(GatunException.class)
          .hasMessageContaining(wrong[1]);
    }
  }
}
