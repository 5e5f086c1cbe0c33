package io.gatun.tools.recall;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/**
 * What the issue prescribes of the built-in model: two layers, Llama, bytes, real GQA groups. Layer 1
 * has a query head for each of the last n bytes, n at least 12; layer 2 finds where they stood
 * before and copies the byte after.
 */
class RecallShapeTest {
  @Test
  void twoLayersWithAHeadForEachOfTwelveBytesOrMore(@TempDir Path folder) throws Exception {
    Path model = folder.resolve("recall");
    Recall.write(model);
    JsonNode config = new ObjectMapper().readTree(model.resolve("config.json").toFile());
    assertThat(config.get("model_type").asText()).isEqualTo("llama");
    assertThat(config.get("vocab_size").asInt()).isEqualTo(256);
    assertThat(config.get("num_hidden_layers").asInt())
        .as("the issue says: a two-layer model (the lead asks the engineer of recall to change it)")
        .isEqualTo(2);
    int heads = config.get("num_attention_heads").asInt();
    int kvHeads = config.get("num_key_value_heads").asInt();
    assertThat(heads).as("a head for each of n bytes back, n >= 12").isGreaterThanOrEqualTo(12);
    assertThat(kvHeads).isLessThan(heads);
    assertThat(heads % kvHeads).isZero();
  }
}
