package io.gatun.tools.text;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.fasterxml.jackson.databind.JsonNode;
import io.gatun.cache.GatunException;
import io.gatun.tools.text.ChatTemplate.Message;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;
import org.junit.jupiter.params.provider.ValueSource;

class ChatTemplateTest {
  private static final List<Message> HI = List.of(new Message("user", "Hi"));
  private static final Map<String, Object> SPECIALS =
      Map.of("bos_token", "<s>", "eos_token", "</s>");

  @TempDir Path folder;

  static List<String> templates() throws IOException {
    return ChatCases.templates();
  }

  @ParameterizedTest
  @MethodSource("templates")
  void aTemplateGivesTheTextOfJinja2(String name) throws IOException {
    ChatTemplate template =
        ChatTemplate.of(ChatCases.template(name), SPECIALS, "x").withClock(ChatCases.clock());
    JsonNode expected = ChatCases.expected();
    for (Map.Entry<String, List<Message>> each : ChatCases.conversations().entrySet()) {
      for (boolean answer : new boolean[] {true, false}) {
        String place = name + "/" + each.getKey() + "/" + answer;
        assertThat(expected.has(place)).as(place).isTrue();
        if (expected.get(place).isNull()) {
          assertThatThrownBy(() -> template.render(each.getValue(), answer))
              .as(place)
              .isInstanceOf(GatunException.class);
        } else {
          assertThat(template.render(each.getValue(), answer))
              .as(place)
              .isEqualTo(expected.get(place).asText());
        }
      }
    }
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "{% include 'x' %}|the tag 'include'",
        "{% extends 'x' %}|the tag 'extends'",
        "{% block x %}{% endblock %}|the tag 'block'",
        "{{ messages|urlencode }}|the filter 'urlencode'",
        "{{ 'a'.encode() }}|the method 'encode'",
        "{{ joiner() }}|the function 'joiner'",
        "{{ ('a'|safe) + 'b' }}|the result of 'safe'",
        "{{ messages.__class__ }}|the attribute '__class__'",
        "{{ strftime_now('%Q') }}|the date format '%Q'",
        "{{ 9223372036854775807 + 1 }}|whole numbers beyond 64 bits",
        "{{ messages|map('upper') }}|printing a generator",
      })
  void whatTheEngineCannotDoIsRefusedByNameAndLine(String both) {
    int bar = both.lastIndexOf('|');
    String template = "one\ntwo\n" + both.substring(0, bar);
    assertThatThrownBy(() -> ChatTemplate.of(template, Map.of(), "the file").render(HI))
        .isInstanceOf(GatunException.class)
        .hasMessageContaining("the chat template in the file, line 3: ")
        .hasMessageContaining(both.substring(bar + 1));
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "{% if x %}", "{{ x", "{% nonesuch %}", "{{ x|nonesuch }}", "{{ x is nonesuch }}",
        "{{ (1 }}", "{% for x in %}{% endfor %}", "{% set 1 = 2 %}", "{% break %}", "{# x",
        "{{ }}", "{% endif %}", "{% do x %}", "{{ 'x }}", "{% raw %}"
      })
  void whatIsNoTemplateIsRefused(String template) {
    assertThatThrownBy(() -> ChatTemplate.of(template, Map.of(), "x"))
        .isInstanceOf(GatunException.class)
        .hasMessageContaining("line 1: ");
  }

  @Test
  void theTemplateSaysItselfWhatItRefuses() {
    assertThatThrownBy(
            () -> ChatTemplate.of("{{ raise_exception('No, ' ~ 1) }}", Map.of(), "x").render(HI))
        .isInstanceOf(GatunException.class)
        .hasMessage("the chat template refuses this conversation: No, 1");
  }

  @Test
  void listsAndSandboxedDictionariesCannotBeChanged() {
    for (String change : List.of("messages.append(1)", "messages[0].update({})")) {
      assertThatThrownBy(() -> ChatTemplate.of("{{ " + change + " }}", Map.of(), "x").render(HI))
          .isInstanceOf(GatunException.class)
          .hasMessageContaining("which a template may not do");
    }
  }

  @Test
  void moreThanTextsCanStandInMessages() {
    Map<String, Object> call = new HashMap<>(Map.of("name", "f", "n", 3));
    call.put("none", null);
    assertThat(
            ChatTemplate.of(
                    "{{ messages[0].calls|tojson(sort_keys=true) }}{{ tools }}", Map.of(), "x")
                .render(List.of(Map.of("calls", List.of(call))), true, Map.of("tools", 2.5)))
        .isEqualTo("[{\"n\": 3, \"name\": \"f\", \"none\": null}]2.5");
  }

  @Test
  void theTemplateIsFoundWhereFilesHaveIt() throws IOException {
    assertThatThrownBy(() -> ChatTemplate.read(folder))
        .isInstanceOf(GatunException.class)
        .hasMessageContaining("has no chat template");
    Path config = folder.resolve("tokenizer_config.json");
    Files.writeString(
        config,
        """
        {"bos_token":{"content":"<b>"},"eos_token":"<e>","model_max_length":Infinity,
         "additional_special_tokens":["<x>",{"content":"<y>"}],
         "chat_template":[{"name":"tool_use","template":"?"},
          {"name":"default","template":"{{bos_token}}a{{eos_token}}{{pad_token}}{{additional_special_tokens}}"}]}
        """);
    assertThat(ChatTemplate.read(folder).render(HI)).isEqualTo("<b>a<e>['<x>', '<y>']");
    Files.writeString(folder.resolve("special_tokens_map.json"), "{\"pad_token\":\"<p>\"}");
    assertThat(ChatTemplate.read(folder).render(HI)).isEqualTo("<b>a<e><p>['<x>', '<y>']");
    Files.writeString(config, "{\"chat_template\":[{\"name\":\"rag\",\"template\":\"?\"}]}");
    assertThatThrownBy(() -> ChatTemplate.read(folder))
        .hasMessageContaining("named rag and none named default");
    Files.writeString(config, "{\"chat_template\":\"b{{bos_token}}\",\"bos_token\":null}");
    assertThat(ChatTemplate.read(folder).render(HI)).isEqualTo("b");
    Files.writeString(folder.resolve("chat_template.jinja"), "c{{pad_token}}\n");
    assertThat(ChatTemplate.read(folder).render(HI)).isEqualTo("c<p>");
    Files.delete(folder.resolve("chat_template.jinja"));
    Files.writeString(config, "{}");
    Files.writeString(folder.resolve("chat_template.json"), "{\"chat_template\":\"d\"}");
    assertThat(ChatTemplate.read(folder).render(HI)).isEqualTo("d");
  }
}
