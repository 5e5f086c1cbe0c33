package io.gatun.tools.config;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.DoubleNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.gatun.cache.GatunException;
import io.gatun.cache.KvType;
import io.gatun.tools.plan.CacheCost;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Published configs with one thing changed: the same bytes, or a refusal, never another figure. */
class PerturbedConfigTest {
  private static final long SEED = 20261201;

  /** Names that a next architecture could bring. */
  private static final List<String> FIRST =
      List.of("kv", "attention", "cache", "layer", "window", "head", "key_value", "sliding", "swa");

  private static final List<String> SECOND =
      List.of("share", "compress", "pattern", "group", "stride", "width", "sparse_map", "plan");

  @TempDir Path folder;
  private final Random random = new Random(SEED);

  private static List<Shapes.Shape> planned() {
    return Shapes.all().stream().filter(shape -> !shape.refused()).toList();
  }

  private ObjectNode decoder(ObjectNode config) {
    for (String name : List.of("thinker_config", "text_config", "language_config", "llm_config")) {
      if (config.has(name)) {
        return decoder((ObjectNode) config.get(name));
      }
    }
    return config;
  }

  private void sameBytes(Shapes.Shape shape, ObjectNode config) throws IOException {
    CacheCost cost = CacheCost.of(Shapes.read(folder, config), KvType.BF16, 1);
    assertThat(cost.bytesPerToken()).as("%s, seed %d", shape, SEED).isEqualTo(shape.perToken());
    assertThat(cost.bytesAt(131_072)).as("%s, seed %d", shape, SEED).isEqualTo(shape.at131072());
  }

  @Test
  void aKeyThatNobodyKnowsIsRefusedByNameAndValueWhereverItStands() {
    int refused = 0;
    for (Shapes.Shape shape : planned()) {
      for (int round = 0; round < 4; round++) {
        ObjectNode config = shape.config().deepCopy();
        String name =
            FIRST.get(random.nextInt(FIRST.size()))
                + "_"
                + SECOND.get(random.nextInt(SECOND.size()))
                + "_x"
                + random.nextInt(10);
        int value = 2 + random.nextInt(1000);
        (round % 2 == 0 ? decoder(config) : config).put(name, value);
        assertThatThrownBy(() -> Shapes.read(folder, config))
            .as("%s with %s", shape, name)
            .isInstanceOf(GatunException.class)
            .hasMessageContaining(name + " is " + value)
            .hasMessageContaining("--layers");
        refused++;
      }
    }
    assertThat(refused).isGreaterThan(300);
  }

  @Test
  void whatHasNoEffectChangesNothing() throws IOException {
    for (Shapes.Shape shape : planned()) {
      ObjectNode config = shape.config().deepCopy();
      ObjectNode decoder = decoder(config);
      decoder.put("hidden_dropout", 0.1).put("some_layer_norm_eps", 1e-9).putNull("kv_novelty");
      decoder.put("use_new_cache_layout", false).putArray("sparse_layers_of_none");
      sameBytes(shape, config);
    }
  }

  @Test
  void theOrderOfKeysAndNumbersWithAPointChangeNothing() throws IOException {
    for (Shapes.Shape shape : planned()) {
      sameBytes(shape, (ObjectNode) rewritten(shape.config()));
    }
  }

  private JsonNode rewritten(JsonNode node) {
    if (node.isInt()) {
      return DoubleNode.valueOf(node.intValue());
    }
    if (node.isArray()) {
      var array = Shapes.JSON.createArrayNode();
      node.forEach(element -> array.add(rewritten(element)));
      return array;
    }
    if (!node.isObject()) {
      return node;
    }
    List<String> names = new ArrayList<>();
    node.fieldNames().forEachRemaining(names::add);
    Collections.shuffle(names, random);
    ObjectNode object = Shapes.JSON.createObjectNode();
    names.forEach(name -> object.set(name, rewritten(node.get(name))));
    return object;
  }

  @Test
  void aDecoderInsideALargerConfigHasTheSameBytes() throws IOException {
    for (Shapes.Shape shape : planned()) {
      ObjectNode outer = Shapes.JSON.createObjectNode();
      outer.put("model_type", "some_vision_model");
      outer.putArray("architectures").add("SomeForConditionalGeneration");
      outer.putObject("vision_config").put("num_hidden_layers", 3).put("hidden_size", 5);
      outer.set("text_config", shape.config().deepCopy());
      sameBytes(shape, outer);
    }
  }

  @Test
  void aWrongValueIsARefusalOrHasNoEffectAndNeverAnotherFailure() throws IOException {
    List<String> values =
        List.of("-1", "0", "\"x\"", "[]", "{}", "true", "2.5", "1e30", "[1, \"a\"]", "NaN", "[[]]");
    int refused = 0;
    int planned = 0;
    for (Shapes.Shape shape : planned()) {
      for (int round = 0; round < 10; round++) {
        ObjectNode config = shape.config().deepCopy();
        ObjectNode decoder = decoder(config);
        List<String> names = new ArrayList<>();
        decoder.fieldNames().forEachRemaining(names::add);
        String name = names.get(random.nextInt(names.size()));
        String value = values.get(random.nextInt(values.size()));
        decoder.set(name, Shapes.JSON.readTree(value));
        try {
          CacheCost.of(Shapes.read(folder, config), KvType.BF16, 1).bytesAt(131_072);
          planned++;
        } catch (GatunException e) {
          assertThat(e.getMessage()).isNotBlank();
          refused++;
        } catch (RuntimeException e) {
          throw new AssertionError("%s with %s %s".formatted(shape, name, value), e);
        }
      }
    }
    assertThat(refused).isGreaterThan(100);
    assertThat(planned).isGreaterThan(100);
  }
}
