package io.gatun.tools.jinja;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.IOException;
import java.io.InputStream;
import java.time.Clock;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;

/** Random expressions, each beside what jinja2 made of it: {@code record_expressions.py}. */
class ExpressionsTest {
  @Test
  void eachIsWhatJinja2MakesOfItOrIsRefused() throws IOException {
    ObjectMapper mapper = new ObjectMapper();
    JsonNode recorded;
    try (InputStream in = getClass().getResourceAsStream("expressions.json")) {
      recorded = mapper.readTree(in);
    }
    @SuppressWarnings("unchecked")
    Map<String, Object> variables = mapper.convertValue(recorded.get("variables"), Map.class);
    List<String> wrong = new ArrayList<>();
    int equal = 0;
    int refused = 0;
    int both = 0;
    for (JsonNode pair : recorded.get("cases")) {
      String expression = pair.get(0).asText();
      String expected = pair.get(1).isNull() ? null : pair.get(1).asText();
      String text;
      String why = null;
      try {
        text = JinjaTemplate.of("{{ " + expression + " }}").render(variables, Clock.systemUTC());
      } catch (JinjaException e) {
        text = null;
        why = e.getMessage();
      } catch (RuntimeException e) {
        text = "a defect";
        why = e.toString();
      }
      if (text == null && expected != null && why.contains("Gatun's Jinja cannot do")) {
        refused++;
      } else if (text == null && expected == null) {
        both++;
      } else if (expected != null && expected.equals(text)) {
        equal++;
      } else {
        wrong.add("%s%n    jinja2 %s%n    gatun  %s %s".formatted(expression, expected, text, why));
      }
    }
    System.out.printf(
        "ExpressionsTest: %d as jinja2, %d refused by both, %d refused here by name, %d wrong%n",
        equal, both, refused, wrong.size());
    assertThat(wrong.stream().limit(40)).isEmpty();
    assertThat(refused).isLessThan((equal + both) / 50);
  }
}
