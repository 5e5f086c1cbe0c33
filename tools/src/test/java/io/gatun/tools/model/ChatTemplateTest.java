package io.gatun.tools.model;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.gatun.cache.GatunException;
import io.gatun.tools.model.ChatTemplate.Message;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class ChatTemplateTest {
  private static final List<Message> TALK =
      List.of(
          new Message("user", " Hi "),
          new Message("assistant", "Yes?"),
          new Message("user", "Bye"));

  @TempDir Path folder;

  @Test
  void llama3() {
    String jinja =
        "{{bos_token}}{% for m in messages %}{{'<|start_header_id|>' + m['role'] +"
            + " '<|end_header_id|>\\n\\n' + m['content'] | trim + '<|eot_id|>'}}{% endfor %}";
    assertThat(ChatTemplate.of(jinja, "<|begin_of_text|>", "x").render(TALK))
        .isEqualTo(
            "<|begin_of_text|><|start_header_id|>user<|end_header_id|>\n\nHi<|eot_id|>"
                + "<|start_header_id|>assistant<|end_header_id|>\n\nYes?<|eot_id|>"
                + "<|start_header_id|>user<|end_header_id|>\n\nBye<|eot_id|>"
                + "<|start_header_id|>assistant<|end_header_id|>\n\n");
    String dated = jinja + "{{- \"Cutting Knowledge Date: December 2023\\n\" }}";
    assertThat(
            ChatTemplate.of(dated, "", "x")
                .render(List.of(new Message("system", "Be brief."), new Message("user", "Hi"))))
        .isEqualTo(
            "<|start_header_id|>system<|end_header_id|>\n\nCutting Knowledge Date: December 2023\n"
                + "Today Date: 26 Jul 2024\n\nBe brief.<|eot_id|>"
                + "<|start_header_id|>user<|end_header_id|>\n\nHi<|eot_id|>"
                + "<|start_header_id|>assistant<|end_header_id|>\n\n");
  }

  @Test
  void chatMl() {
    String jinja =
        "{% for m in messages %}{{'<|im_start|>' + m['role'] + '\\n' + m['content'] + '<|im_end|>'"
            + " + '\\n'}}{% endfor %}";
    String turns =
        "<|im_start|>user\n Hi <|im_end|>\n<|im_start|>assistant\nYes?<|im_end|>\n"
            + "<|im_start|>user\nBye<|im_end|>\n<|im_start|>assistant\n";
    assertThat(ChatTemplate.of(jinja, "<s>", "x").render(TALK)).isEqualTo(turns);
    String qwen =
        "{%- if messages[0]['role'] != 'system' %}{{- '<|im_start|>system\\nYou are a helpful"
            + " assistant.<|im_end|>\\n' }}{%- endif %}"
            + jinja;
    assertThat(ChatTemplate.of(qwen, "", "x").render(TALK))
        .isEqualTo("<|im_start|>system\nYou are a helpful assistant.<|im_end|>\n" + turns);
    assertThat(ChatTemplate.of(qwen, "", "x").render(List.of(new Message("system", "S"))))
        .isEqualTo("<|im_start|>system\nS<|im_end|>\n<|im_start|>assistant\n");
  }

  @Test
  void mistral() {
    String v1 =
        "{{ bos_token }}{{ '[INST] ' + message['content'] + ' [/INST]' }}{{ message['content'] +"
            + " eos_token }}";
    assertThat(ChatTemplate.of(v1, "<s>", "x").render(TALK))
        .isEqualTo("<s>[INST]  Hi  [/INST]Yes?</s>[INST] Bye [/INST]");
    String v3 =
        "{{- '[INST] ' + message['content'] + '[/INST]' }}{{- ' ' + message['content']|trim +"
            + " eos_token}}";
    assertThat(ChatTemplate.of(v3, "<s>", "x").render(TALK))
        .isEqualTo("<s>[INST]  Hi [/INST] Yes?</s>[INST] Bye[/INST]");
    assertThatThrownBy(
            () -> ChatTemplate.of(v3, "", "x").render(List.of(new Message("system", "S"))))
        .isInstanceOf(GatunException.class)
        .hasMessageContaining("front of the first user message");
  }

  @Test
  void theTemplateIsFoundWhereFilesHaveIt() throws IOException {
    assertThatThrownBy(() -> ChatTemplate.read(folder))
        .isInstanceOf(GatunException.class)
        .hasMessageContaining("has no chat template");
    Path config = folder.resolve("tokenizer_config.json");
    Files.writeString(
        config,
        "{\"bos_token\":{\"content\":\"<b>\"},\"chat_template\":[{\"name\":\"tool_use\",\"template\":\"?\"},"
            + "{\"name\":\"default\",\"template\":\"<|start_header_id|><|eot_id|>\"}]}");
    List<Message> hi = List.of(new Message("user", "Hi"));
    assertThat(ChatTemplate.read(folder).render(hi)).startsWith("<b><|start_header_id|>user");
    Files.writeString(config, "{\"chat_template\":\"<|im_start|><|im_end|>\",\"bos_token\":null}");
    assertThat(ChatTemplate.read(folder).render(hi)).startsWith("<|im_start|>user");
    Files.writeString(folder.resolve("chat_template.jinja"), "{{ '<<SYS>>[INST][/INST]' }}");
    assertThatThrownBy(() -> ChatTemplate.read(folder))
        .isInstanceOf(GatunException.class)
        .hasMessageContaining("none that Gatun recognises (Llama 3, ChatML, Mistral)");
  }
}
