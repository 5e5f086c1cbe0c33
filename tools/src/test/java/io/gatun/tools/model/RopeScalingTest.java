package io.gatun.tools.model;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import io.gatun.attention.RopeConfig;
import io.gatun.cache.GatunException;
import io.gatun.tools.config.ModelConfig;
import io.gatun.tools.config.ModelConfigReader;
import java.io.IOException;
import java.nio.file.Path;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/**
 * Angles, attention factors and trained lengths of every rope type, against the rules written anew.
 */
class RopeScalingTest {
  private static final ObjectMapper JSON = new ObjectMapper();

  @TempDir Path folder;

  private ModelConfig read(String changes, long length) throws IOException {
    Map<String, Object> config = TinyModels.config("llama");
    config.put("head_dim", 64);
    config.put("max_position_embeddings", 4096);
    config.remove("rope_theta");
    Map<?, ?> overrides = JSON.readValue("{" + changes.replace('\'', '"') + "}", Map.class);
    overrides.forEach((key, value) -> config.put(key.toString(), value));
    JSON.writeValue(folder.resolve("config.json").toFile(), config);
    return ModelConfigReader.read(folder, length);
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      quoteCharacter = '`',
      value = {
        "0 | 4096 | 'rope_theta':5e5",
        "0 | 4096 | 'rope_theta':5e5,'rope_scaling':{'type':'linear','factor':2.5}",
        "0 | 4096 | 'rope_scaling':{'type':'dynamic','factor':4.0}",
        "10000 | 10000 | 'rope_scaling':{'type':'dynamic','factor':4.0}",
        "99999 | 16384 | 'rope_scaling':{'type':'dynamic','factor':4.0}",
        "0 | 8192 | 'rope_theta':1e6,'rope_scaling':{'rope_type':'yarn','factor':4.0,"
            + "'original_max_position_embeddings':2048}",
        "0 | 16384 | 'rope_scaling':{'rope_type':'yarn','factor':4.0}",
        "0 | 4096 | 'rope_scaling':{'rope_type':'yarn','original_max_position_embeddings':1024,"
            + "'attention_factor':1.25,'beta_fast':16,'beta_slow':2}",
        "0 | 163840 | 'rope_scaling':{'type':'yarn','factor':40,'mscale':0.707,"
            + "'mscale_all_dim':0.5,'beta_fast':32,'beta_slow':1}",
        "0 | 4096 | 'rope_theta':150000,'rope_scaling':{'rope_type':'yarn','factor':32.0,"
            + "'truncate':false,'original_max_position_embeddings':64}",
        "0 | 4096 | 'rope_theta':5e5,'rope_scaling':{'rope_type':'llama3','factor':8.0,"
            + "'low_freq_factor':1,'high_freq_factor':4,'original_max_position_embeddings':256}",
        "0 | 4096 | 'rope_parameters':{'rope_type':'linear','rope_theta':777.0,'factor':3}",
        "0 | 4096 | 'rope_scaling':{'rope_type':'linear','rope_theta':777.0,'factor':3}",
      })
  void anglesAreThoseOfTheFormulas(long length, long trained, String changes) throws IOException {
    ModelConfig config = read(changes, length);
    JsonNode json = JSON.readTree(folder.resolve("config.json").toFile());
    JsonNode section =
        json.has("rope_parameters") ? json.get("rope_parameters") : json.path("rope_scaling");
    double theta = section.path("rope_theta").asDouble(json.path("rope_theta").asDouble(1e4));
    compare(config.rope(), new ReferenceRope(json, section, 64, theta, length));
    assertThat(config.positions().tokens()).isEqualTo(trained);
  }

  private static void compare(RopeConfig rope, ReferenceRope reference) {
    for (int i = 0; i < reference.inverse.length; i++) {
      assertThat(rope.frequency(i) / reference.inverse[i])
          .as("pair %d", i)
          .isCloseTo(1, within(1e-12));
    }
    assertThat(rope.attentionFactor()).isCloseTo(reference.factor, within(1e-14));
  }

  @ParameterizedTest
  @CsvSource({"0, 64", "64, 64", "65, 4096", "4096, 4096"})
  void longRopeTakesTheLongFactorsForLongTexts(long length, long trained) throws IOException {
    JSON.writeValue(folder.resolve("config.json").toFile(), PublishedModels.config("phi3"));
    ModelConfig config = ModelConfigReader.read(folder, length);
    JsonNode json = JSON.readTree(folder.resolve("config.json").toFile());
    compare(config.rope(), new ReferenceRope(json, json.get("rope_scaling"), 12, 1e4, length));
    assertThat(config.rope().rotaryDim()).isEqualTo(12);
    assertThat(config.positions().tokens()).isEqualTo(trained);
    if (trained == 64) {
      assertThat(config.positions().refusal(65))
          .isEqualTo(
              "65 tokens are more than the 64 that the model was trained for"
                  + " (original_max_position_embeddings, with the angles for short texts);"
                  + " --rope-length 4096 makes the angles for longer texts, in a new conversation;"
                  + " --beyond-trained-length goes on regardless");
    }
  }

  @Test
  void aLengthThatNothingDependsOnIsRefused() {
    assertThatThrownBy(() -> read("'rope_theta':5e5", 100))
        .isInstanceOf(GatunException.class)
        .hasMessageContaining("--rope-length is 100, and the angles of this model do not depend");
  }
}
