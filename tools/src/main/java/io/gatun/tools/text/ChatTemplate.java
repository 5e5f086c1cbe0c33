package io.gatun.tools.text;

import com.fasterxml.jackson.databind.JsonNode;
import io.gatun.cache.GatunException;
import io.gatun.tools.cli.UserFiles;
import io.gatun.tools.jinja.JinjaException;
import io.gatun.tools.jinja.JinjaTemplate;
import io.gatun.tools.jinja.RaisedException;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Clock;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/**
 * How a model wants a conversation written out: its own Jinja template, executed as transformers
 * executes it. What Gatun's Jinja cannot do is refused by name, never rendered differently. Any
 * thread.
 *
 * <p>The text holds the begin-of-text token where the template does: encode it without adding
 * special tokens.
 */
public final class ChatTemplate {
  /**
   * One message of a conversation.
   *
   * @param role {@code system}, {@code user} or {@code assistant}; a template may know others
   */
  public record Message(String role, String content) {
    private Map<String, Object> asMap() {
      Map<String, Object> map = new LinkedHashMap<>();
      map.put("role", role);
      map.put("content", content);
      return map;
    }
  }

  private final JinjaTemplate template;
  private final Map<String, Object> specials;
  private final String where;
  private final Clock clock;

  private ChatTemplate(
      JinjaTemplate template, Map<String, Object> specials, String where, Clock clock) {
    this.template = template;
    this.specials = specials;
    this.where = where;
    this.clock = clock;
  }

  /**
   * The chat template of a model folder.
   *
   * @throws GatunException if there is none, or Gatun's Jinja cannot read it
   */
  public static ChatTemplate read(Path folder) {
    TokenizerConfig config = TokenizerConfig.read(folder);
    Path file = folder.resolve("chat_template.jinja");
    Path own = folder.resolve("tokenizer_config.json");
    if (Files.exists(file)) {
      try {
        return of(Files.readString(UserFiles.require(file)), config.specials(), file.toString());
      } catch (IOException e) {
        throw new GatunException("cannot read %s: %s".formatted(file, e), e);
      }
    }
    if (config.chatTemplate() == null) {
      throw new GatunException(
          "%s has no chat template; it is a model for plain text, leave the chat option out"
              .formatted(folder));
    }
    return of(chosen(config.chatTemplate(), own), config.specials(), own.toString());
  }

  /** The one template, or the one that is named default. */
  private static String chosen(JsonNode node, Path file) {
    if (node.isTextual()) {
      return node.textValue();
    }
    List<String> names = new ArrayList<>();
    for (JsonNode named : node) {
      names.add(named.path("name").asText());
      if (names.getLast().equals("default") && named.path("template").isTextual()) {
        return named.path("template").textValue();
      }
    }
    throw new GatunException(
        "%s has chat templates named %s and none named default; write the one that is wanted to chat_template.jinja beside it"
            .formatted(file, String.join(", ", names)));
  }

  /**
   * The template with this Jinja text.
   *
   * @param specials variables of the template beside messages: {@code bos_token} and the like
   * @param where it stands, for messages
   */
  static ChatTemplate of(String template, Map<String, Object> specials, String where) {
    try {
      return new ChatTemplate(
          JinjaTemplate.of(template), specials, where, Clock.systemDefaultZone());
    } catch (JinjaException e) {
      throw new GatunException("the chat template in %s, %s".formatted(where, e.getMessage()), e);
    }
  }

  /** The same with another source of today's date. */
  public ChatTemplate withClock(Clock other) {
    return new ChatTemplate(template, specials, where, other);
  }

  /**
   * The conversation as text, ready for the assistant's next answer.
   *
   * @throws GatunException if the template refuses it, or Gatun cannot do what it does
   */
  public String render(List<Message> messages) {
    return render(messages, true);
  }

  /**
   * The conversation as text.
   *
   * @param forAnswer whether the beginning of an answer stands at the end
   * @throws GatunException if the template refuses it, or Gatun cannot do what it does
   */
  public String render(List<Message> messages, boolean forAnswer) {
    return render(messages.stream().map(Message::asMap).toList(), forAnswer, Map.of());
  }

  /**
   * The conversation as text, with all that a message may have.
   *
   * @param messages maps of texts, numbers, booleans, null, lists and maps
   * @param more variables for the template, {@code tools} for instance
   */
  public String render(
      List<? extends Map<String, ?>> messages, boolean forAnswer, Map<String, ?> more) {
    Map<String, Object> variables = new HashMap<>();
    variables.put("tools", null);
    variables.put("documents", null);
    variables.putAll(specials);
    variables.put("add_generation_prompt", forAnswer);
    variables.put("messages", messages);
    variables.putAll(more);
    try {
      return template.render(variables, clock);
    } catch (RaisedException e) {
      throw e;
    } catch (JinjaException e) {
      throw new GatunException("the chat template in %s, %s".formatted(where, e.getMessage()), e);
    }
  }
}
